"""`test` and `[`."""

from __future__ import annotations

from collections.abc import Callable

from dpvsbook.lab.files import Device, Directory, FileSystem, Link

UNARY = frozenset(["-b", "-c", "-d", "-e", "-f", "-g", "-h", "-k", "-L", "-n", "-p", "-r", "-s", "-S", "-t", "-u", "-w", "-x", "-z"])
BINARY = frozenset(["=", "==", "!=", "-eq", "-ne", "-gt", "-ge", "-lt", "-le", "-nt", "-ot", "-ef", "<", ">"])


def test(words: list[str], files: FileSystem, cwd: str, uid: int, *, tty: Callable[[int], bool]) -> bool:
    """Raises ValueError with dash's words for an expression that makes no sense."""
    return _Test(words, files, cwd, uid, tty).value()


class _Test:
    def __init__(self, words: list[str], files: FileSystem, cwd: str, uid: int, tty: Callable[[int], bool]) -> None:
        self._words, self._at = words, 0
        self._files, self._cwd, self._uid, self._tty = files, cwd, uid, tty

    def value(self) -> bool:
        if not self._words:
            return False
        value = self._or()
        if self._at < len(self._words):
            raise ValueError(f"{self._words[self._at]}: unexpected operator")
        return value

    def _left(self) -> int:
        return len(self._words) - self._at

    def _or(self) -> bool:
        value = self._and()
        while self._left() and self._words[self._at] == "-o":
            self._at += 1
            value = self._and() or value
        return value

    def _and(self) -> bool:
        value = self._not()
        while self._left() and self._words[self._at] == "-a":
            self._at += 1
            value = self._not() and value
        return value

    def _not(self) -> bool:
        if not self._left():
            raise ValueError("argument expected")
        word = self._words[self._at]
        if self._left() >= 3 and self._words[self._at + 1] in BINARY:
            return self._binary()
        if word == "!" and self._left() > 1:
            self._at += 1
            return not self._not()
        if word == "(" and self._left() > 2:
            self._at += 1
            value = self._or()
            if not self._left() or self._words[self._at] != ")":
                raise ValueError("closing paren expected")
            self._at += 1
            return value
        if word in UNARY and self._left() > 1:
            self._at += 2
            return self._unary(word, self._words[self._at - 1])
        self._at += 1
        return bool(word)

    def _binary(self) -> bool:
        left, operator, right = self._words[self._at : self._at + 3]
        self._at += 3
        if operator in ("=", "=="):
            return left == right
        if operator == "!=":
            return left != right
        if operator in ("<", ">"):
            return left < right if operator == "<" else left > right
        if operator in ("-nt", "-ot", "-ef"):
            a, b = self._files.find(left, self._cwd), self._files.find(right, self._cwd)
            if operator == "-ef":
                return a is not None and a is b
            times = (a.modified if a else 0, b.modified if b else 0)
            return times[0] > times[1] if operator == "-nt" else times[0] < times[1]
        x, y = _integer(left), _integer(right)
        return {"-eq": x == y, "-ne": x != y, "-gt": x > y, "-ge": x >= y, "-lt": x < y, "-le": x <= y}[operator]

    def _unary(self, operator: str, word: str) -> bool:
        if operator == "-n":
            return bool(word)
        if operator == "-z":
            return not word
        if operator == "-t":
            return self._tty(_integer(word))
        node = self._files.find(word, self._cwd, follow=operator not in ("-h", "-L"))
        if node is None or operator in ("-b", "-p", "-S", "-g", "-k", "-u"):
            return False
        match operator:
            case "-d":
                return isinstance(node, Directory)
            case "-f":
                return not isinstance(node, Directory | Device)
            case "-c":
                return isinstance(node, Device)
            case "-h" | "-L":
                return isinstance(node, Link)
            case "-s":
                return node.size > 0
            case "-r" | "-w" | "-x":
                return node.allows(self._uid, {"r": 4, "w": 2, "x": 1}[operator[1]])
        return True


def _integer(word: str) -> int:
    try:
        return int(word.strip())
    except ValueError:
        raise ValueError(f"Illegal number: {word}") from None
