"""Characters and words of the shell language: quoting, expansions, here-documents. Lines are taken only as they are needed."""

from __future__ import annotations

from collections.abc import Callable

from dpvsbook.lab.shell.streams import Text
from dpvsbook.lab.shell.syntax import Arithmetic, HereDocument, Literal, Parameter, Part, Sequence, Substitution, Word

BLANKS = " \t"
ENDS_WORD = " \t\n;&|<>()"
SPECIAL = "@*#?-$!0123456789"
OPERATORS = (":-", ":=", ":?", ":+", "-", "=", "?", "+", "%%", "%", "##", "#")


class ShellSyntaxError(Exception):
    """What stands where it must not; `line` is where."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(what)
        self.line, self.what = line, what


def unexpected(line: int, found: str) -> ShellSyntaxError:
    shown = {"": "end of file", "\n": "newline"}.get(found, f'"{found}"')
    return ShellSyntaxError(line, f"{shown} unexpected")


class Words:
    """What the grammar is made on. `sequence` and `script` are the grammar's: commands may stand inside a word."""

    def __init__(self, readline: Callable[[], str], *, line: int = 1) -> None:
        self._readline = readline
        self._text, self._at, self._ended = "", 0, False
        self._line = line
        self._here: list[tuple[HereDocument, str, bool, bool]] = []
        self.inside = False  # within a command: an interactive shell prompts with PS2

    # ---- characters

    def _peek(self, ahead: int = 0) -> str:
        """The character there, '' at the end of the input. A backslash before a newline joins the lines."""
        while True:
            if self._at + ahead >= len(self._text):
                if not self._more():
                    return ""
                continue
            if ahead == 0 and self._text.startswith("\\\n", self._at):
                self._text = self._text[: self._at] + self._text[self._at + 2 :]
                self._line += 1
                continue
            return self._text[self._at + ahead]

    def _more(self) -> bool:
        if self._ended:
            return False
        line = self._readline()
        if not line:
            self._ended = True
            return False
        self._text += line
        return True

    def _next(self) -> str:
        char = self._peek()
        if char:
            self._at += 1
            if char == "\n":
                self._line += 1
        return char

    def _looking_at(self, text: str) -> bool:
        return self._peek() == text[0] and all(self._peek(i) == text[i] for i in range(1, len(text)))

    def _take(self, text: str) -> bool:
        if self._looking_at(text):
            self._at += len(text)
            return True
        return False

    def _blanks(self) -> None:
        while (char := self._peek()) and char in BLANKS:
            self._at += 1
        if char == "#":
            while (end := self._text.find("\n", self._at)) < 0 and self._more():
                pass
            self._at = len(self._text) if end < 0 else end

    def _newline(self) -> None:
        """Takes the newline that is there, and the here-documents that begin after it."""
        self._next()
        here, self._here = self._here, []
        for document, delimiter, literal, strip in here:
            lines = []
            while True:
                line = self._physical_line()
                if not line:
                    break  # dash, too, takes the end of the input for the delimiter
                shown = line.lstrip("\t") if strip else line
                if shown.rstrip("\n") == delimiter:
                    break
                lines.append(shown)
            text = "".join(lines)
            document.body = Word((Literal(text, True),)) if literal else parse_quoted(text)

    def _physical_line(self) -> str:
        self._line += 1
        if self._at >= len(self._text):
            return "" if self._ended else self._readline()  # not kept: a here-document may be long
        end = self._text.find("\n", self._at) + 1 or len(self._text)
        line, self._at = self._text[self._at : end], end
        return line

    def _linebreak(self) -> None:
        self._blanks()
        while self._peek() == "\n":
            self._newline()
            self._blanks()

    def _sequence(self, *ends: str) -> Sequence:
        """Commands up to one of `ends`, which stays."""
        raise NotImplementedError

    def _script(self, text: str) -> Sequence:
        """A whole script (between backquotes)."""
        raise NotImplementedError

    # ---- words

    def _word(self) -> Word:
        return self._parts(ENDS_WORD, quoted=False)

    def _parts(self, ends: str, *, quoted: bool, here: bool = False) -> Word:
        """Parts up to one of `ends` (which stays). `quoted`: in double quotes; `here`: a here-document, where a double quote is itself."""
        parts: list[Part] = []
        text: list[str] = []

        def flush(as_quoted: bool) -> None:
            if text:
                parts.append(Literal("".join(text), as_quoted))
                text.clear()

        while True:
            char = self._peek()
            if not char or char in ends:
                break
            if char == "\\":
                self._at += 1
                following = self._next()
                if quoted and following not in ("$", "`", "\\", *(() if here else ('"',)), *(("}",) if "}" in ends else ())):
                    text.append("\\" + following)
                else:
                    flush(quoted)
                    parts.append(Literal(following or "\\", True))
            elif char == "'" and not quoted:
                flush(quoted)
                parts.append(Literal(self._single_quoted(), True))
            elif char == '"' and not here:
                flush(quoted)
                self._at += 1
                if quoted:  # a pair of quotes inside "${x:-"…"}": they go, what they hold stays quoted
                    continue
                inner = self._parts('"', quoted=True)
                if not self._take('"'):
                    raise ShellSyntaxError(self._line, "Unterminated quoted string")
                parts.extend(inner.parts or (Literal("", True),))
            elif char == "$":
                flush(quoted)
                part = self._dollar(quoted)
                if isinstance(part, str):
                    text.append(part)
                else:
                    parts.append(part)
            elif char == "`":
                flush(quoted)
                parts.append(Substitution(self._script(self._backquoted(quoted)), quoted))
            else:
                text.append(self._next())
        flush(quoted)
        return Word(tuple(parts))

    def _single_quoted(self) -> str:
        self._at += 1
        start = self._at
        while (end := self._text.find("'", self._at)) < 0:
            self._at = len(self._text)
            if not self._more():
                raise ShellSyntaxError(self._line, "Unterminated quoted string")
        text, self._at = self._text[start:end], end + 1
        self._line += text.count("\n")
        return text

    def _backquoted(self, quoted: bool) -> str:
        self._at += 1
        text = []
        while (char := self._next()) != "`":
            if not char:
                raise ShellSyntaxError(self._line, "EOF in backquote substitution")
            if char == "\\" and (self._peek() in ("$", "`", "\\") or (quoted and self._peek() == '"')):
                char = self._next()
            text.append(char)
        return "".join(text)

    def _dollar(self, quoted: bool) -> Part | str:
        self._at += 1
        char = self._peek()
        if char == "(":
            if self._peek(1) == "(" and (arithmetic := self._arithmetic(quoted)) is not None:
                return arithmetic
            self._at += 1
            script = self._sequence(")")
            self._at += 1
            return Substitution(script, quoted)
        if char == "{":
            self._at += 1
            return self._braced(quoted)
        if char and char in SPECIAL:
            self._at += 1
            return Parameter(char, quoted)
        if char == "_" or char.isalpha():
            return Parameter(self._name(), quoted)
        return "$"

    def _name(self) -> str:
        end = self._at
        while (char := self._peek(end - self._at)) and (char == "_" or (char.isalnum() and char.isascii())):
            end += 1
        name, self._at = self._text[self._at : end], end
        return name

    def _arithmetic(self, quoted: bool) -> Arithmetic | None:
        """`$((…))`; None when it is a `$( (…) …)` after all."""
        at, line = self._at, self._line
        self._at += 2
        depth, start = 0, self._at
        while (char := self._peek()) and not (char == ")" and depth == 0):
            depth += {"(": 1, ")": -1}.get(char, 0)
            self._next()
        if not char or self._peek(1) != ")":
            self._at, self._line = at, line
            return None
        inner = self._text[start : self._at]
        self._at += 2
        return Arithmetic(parse_quoted(inner), quoted)

    def _braced(self, quoted: bool) -> Parameter:
        if self._peek() == "#" and self._peek(1) != "}":
            self._at += 1
            name = self._parameter_name()
            if not self._take("}"):
                raise ShellSyntaxError(self._line, "Bad substitution")
            return Parameter(name, quoted, "length")
        name = self._parameter_name()
        if self._take("}"):
            return Parameter(name, quoted)
        operator = next((o for o in OPERATORS if self._take(o)), "")
        if not operator:
            raise ShellSyntaxError(self._line, "Bad substitution")
        word = self._parts("}", quoted=quoted and operator[-1] not in "%#")
        if not self._take("}"):
            raise ShellSyntaxError(self._line, "Missing '}'")
        return Parameter(name, quoted, operator, word)

    def _parameter_name(self) -> str:
        char = self._peek()
        if char and char in SPECIAL:
            self._at += 1
            while char.isdigit() and self._peek().isdigit():
                char += self._next()
            return char
        name = self._name()
        if not name:
            raise ShellSyntaxError(self._line, "Bad substitution")
        return name


def parse_quoted(text: str) -> Word:
    """`text` as in double quotes (the body of a here-document, the inside of an arithmetic expansion)."""
    from dpvsbook.lab.shell.parser import Parser

    return Parser(Text(text).readline)._parts("", quoted=True, here=True)
