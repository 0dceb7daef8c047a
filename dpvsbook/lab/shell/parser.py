"""Recursive descent over the shell grammar (POSIX, XCU 2.10). A script may arrive piece by piece: a command is parsed as its lines come."""

from __future__ import annotations

import re

from dpvsbook.lab.shell.streams import Text
from dpvsbook.lab.shell.syntax import (
    AndOr,
    AnyRedirection,
    Case,
    Command,
    For,
    Function,
    Group,
    HereDocument,
    If,
    Item,
    Literal,
    Pipeline,
    Redirected,
    Redirection,
    Sequence,
    Simple,
    Subshell,
    While,
    Word,
)
from dpvsbook.lab.shell.words import ENDS_WORD, ShellSyntaxError, Words, unexpected

RESERVED = frozenset({"if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "{", "}", "!", "in"})
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")


class Parser(Words):
    """`command()` gives one complete command after the other."""

    # ---- lists

    def command(self) -> Sequence | None:
        """The next complete command (up to its newline); None at the end of the input. Never reads past that newline."""
        self._text, self._at = self._text[self._at :], 0
        self.inside = False
        self._blanks()
        while self._peek() == "\n":
            self._newline()
            self._text, self._at = self._text[self._at :], 0
            self._blanks()
        if not self._peek():
            return None
        self.inside = True
        items = []
        while True:
            items.append(self._item())
            self._blanks()
            if not self._peek():
                break
            if self._peek() == "\n":
                self._newline()
                break
        self.inside = False
        return Sequence(tuple(items))

    def resynchronise(self) -> None:
        """After an error: forget the rest of the line."""
        end = self._text.find("\n", self._at)
        self._text, self._at = (self._text[end + 1 :] if end >= 0 else ""), 0
        self._here = []

    def _item(self) -> Item:
        start = self._at
        command = self._and_or()
        text = self._text[start : self._at].strip()
        self._blanks()
        if self._looking_at(";;"):
            return Item(command, False, text)
        if self._take(";"):
            return Item(command, False, text)
        if self._peek() == "&":
            self._at += 1
            return Item(command, True, text)
        if (char := self._peek()) and char not in "\n)":
            raise unexpected(self._line, char)
        return Item(command, False, text)

    def _sequence(self, *ends: str) -> Sequence:
        """Commands up to one of the reserved words (or ')' or ';;'), which stays."""
        items: list[Item] = []
        while True:
            self._linebreak()
            if not self._peek():
                raise unexpected(self._line, "")
            if (")" in ends and self._peek() == ")") or (";;" in ends and self._looking_at(";;")) or self._keyword() in ends:
                return Sequence(tuple(items))
            items.append(self._item())

    def _and_or(self) -> AndOr:
        first = self._pipeline()
        rest: list[tuple[str, Pipeline]] = []
        while True:
            self._blanks()
            operator = "&&" if self._take("&&") else "||" if self._take("||") else ""
            if not operator:
                return AndOr(first, tuple(rest))
            self._linebreak()
            rest.append((operator, self._pipeline()))

    def _pipeline(self) -> Pipeline:
        timed = negated = False
        while True:
            self._blanks()
            keyword = self._keyword(also=("time",))
            if keyword == "!":
                negated = not negated
            elif keyword == "time":
                timed = True
            else:
                break
            self._word()
        if timed and (self._peek() in ("", "\n", ";", ")")):
            return Pipeline((), negated, timed)
        commands = [self._command()]
        while True:
            self._blanks()
            if self._peek() != "|" or self._peek(1) == "|":
                return Pipeline(tuple(commands), negated, timed)
            self._at += 1
            self._linebreak()
            commands.append(self._command())

    # ---- commands

    def _keyword(self, also: tuple[str, ...] = ()) -> str:
        """The reserved word that stands here, without taking it."""
        at, end = self._at, self._at
        while (char := self._peek(end - at)) and char not in ENDS_WORD and char not in "'\"\\$`":
            end += 1
        text = self._text[at:end]
        return text if char not in tuple("'\"\\$`") and (text in RESERVED or text in also) else ""

    def _expect(self, keyword: str) -> None:
        self._linebreak()
        if self._keyword() != keyword:
            raise unexpected(self._line, self._shown())
        self._word()

    def _shown(self) -> str:
        char = self._peek()
        if not char or char in ENDS_WORD:
            return ";;" if self._looking_at(";;") else char
        end = self._at
        while end < len(self._text) and self._text[end] not in ENDS_WORD:
            end += 1
        return self._text[self._at : end]

    def _command(self) -> Command:
        self._blanks()
        char = self._peek()
        if not char or char in "\n;&|)":
            raise unexpected(self._line, self._shown())
        if char == "(":
            self._at += 1
            body = self._sequence(")")
            self._at += 1
            return self._redirected(Subshell(body))
        keyword = self._keyword()
        if keyword in ("{", "if", "for", "while", "until", "case"):
            self._word()
            return self._redirected(self._compound(keyword))
        if keyword and keyword != "in":
            raise unexpected(self._line, keyword)
        return self._simple()

    def _compound(self, keyword: str) -> Command:
        if keyword == "{":
            body = self._sequence("}")
            self._expect("}")
            return Group(body)
        if keyword == "if":
            return self._if()
        if keyword == "for":
            return self._for()
        if keyword == "case":
            return self._case()
        condition = self._sequence("do")
        return While(condition, self._do(), keyword == "until")

    def _do(self) -> Sequence:
        self._expect("do")
        body = self._sequence("done")
        self._expect("done")
        return body

    def _if(self) -> If:
        branches = []
        while True:
            condition = self._sequence("then")
            self._expect("then")
            body = self._sequence("elif", "else", "fi")
            branches.append((condition, body))
            if self._keyword() != "elif":
                break
            self._word()
        otherwise = None
        if self._keyword() == "else":
            self._word()
            otherwise = self._sequence("fi")
        self._expect("fi")
        return If(tuple(branches), otherwise)

    def _for(self) -> For:
        self._blanks()
        name = self._word().keyword
        if not NAME.match(name):
            raise ShellSyntaxError(self._line, "Bad for loop variable")
        self._linebreak()
        words: list[Word] | None = None
        if self._keyword() == "in":
            self._word()
            words = []
            self._blanks()
            while (char := self._peek()) and char not in "\n;":
                if char in ENDS_WORD:
                    raise unexpected(self._line, char)
                words.append(self._word())
                self._blanks()
        self._blanks()
        self._take(";")
        return For(name, None if words is None else tuple(words), self._do())

    def _case(self) -> Case:
        self._blanks()
        subject = self._word()
        self._expect("in")
        branches: list[tuple[tuple[Word, ...], Sequence]] = []
        while True:
            self._linebreak()
            if self._keyword() == "esac":
                self._word()
                return Case(subject, tuple(branches))
            self._take("(")
            patterns = []
            while True:
                self._blanks()
                if self._peek() in ("", "\n", ")"):
                    raise unexpected(self._line, self._shown())
                patterns.append(self._word())
                self._blanks()
                if not self._take("|"):
                    break
            if not self._take(")"):
                raise unexpected(self._line, self._shown())
            body = self._sequence(";;", "esac")
            branches.append((tuple(patterns), body))
            self._take(";;")

    def _redirected(self, command: Command) -> Command:
        redirections: list[AnyRedirection] = []
        while True:
            self._blanks()
            redirection = self._redirection()
            if redirection is None:
                return Redirected(command, tuple(redirections)) if redirections else command
            redirections.append(redirection)

    def _simple(self) -> Command:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirections: list[AnyRedirection] = []
        line = self._line
        while True:
            self._blanks()
            redirection = self._redirection()
            if redirection is not None:
                redirections.append(redirection)
                continue
            char = self._peek()
            if char == "(" and len(words) == 1 and not assignments and not redirections:
                return self._function(words[0])
            if not char or char in ENDS_WORD:
                if char == "(":
                    raise unexpected(self._line, char)
                return Simple(line, tuple(assignments), tuple(words), tuple(redirections))
            word = self._word()
            assignment = None if words else _assignment(word)
            if assignment is not None:
                assignments.append(assignment)
            else:
                words.append(word)

    def _function(self, word: Word) -> Function:
        self._at += 1
        self._blanks()
        if not self._take(")") or not NAME.match(word.keyword):
            raise unexpected(self._line, "(")
        self._linebreak()
        return Function(word.keyword, self._command())

    def _redirection(self) -> AnyRedirection | None:
        digits = 0
        while (char := self._peek(digits)) and char.isdigit():
            digits += 1
        if char == "&" and not digits and self._peek(1) == ">":
            self._at += 2
            self._blanks()
            return Redirection(1, "&>", self._word())
        if not char or char not in "<>":
            return None
        number = self._text[self._at : self._at + digits]
        self._at += digits
        operator = next(o for o in ("<<-", "<<", ">>", ">|", ">&", "<&", "<>", "<", ">") if self._take(o))
        descriptor = int(number) if number else 0 if operator[0] == "<" else 1
        self._blanks()
        if (char := self._peek()) in ("", "\n") or char in ENDS_WORD:
            raise unexpected(self._line, char)
        word = self._word()
        if not operator.startswith("<<"):
            return Redirection(descriptor, operator, word)
        delimiter = "".join(part.text for part in word.parts if isinstance(part, Literal))
        literal = any(isinstance(part, Literal) and part.quoted for part in word.parts)
        document = HereDocument(descriptor, Word(()))
        self._here.append((document, delimiter, literal, operator == "<<-"))
        return document

    def _script(self, text: str) -> Sequence:
        return parse_all(text)


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word.parts[0] if word.parts else None
    if not isinstance(first, Literal) or first.quoted or not (match := ASSIGNMENT.match(first.text)):
        return None
    rest = first.text[match.end() :]
    return match[1], Word(((Literal(rest, False),) if rest else ()) + word.parts[1:])


def parse_all(text: str) -> Sequence:
    """A whole script at once."""
    parser = Parser(Text(text).readline)
    items: list[Item] = []
    while (command := parser.command()) is not None:
        items.extend(command.items)
    return Sequence(tuple(items))
