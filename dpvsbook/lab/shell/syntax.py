"""The syntax tree of the mini shell: what `parser` makes and `run` evaluates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`, `${name}` and `${name<operator>word}`; operator is one of : - = ? + (with or without ':'), %, %%, #, ##, or 'length'."""

    name: str
    quoted: bool
    operator: str = ""
    word: Word | None = None


@dataclass(frozen=True, slots=True)
class Substitution:
    script: Sequence
    quoted: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    word: Word
    quoted: bool


Part: TypeAlias = Literal | Parameter | Substitution | Arithmetic


@dataclass(frozen=True, slots=True)
class Word:
    parts: tuple[Part, ...]

    @property
    def keyword(self) -> str:
        """The text if nothing in it is quoted or expanded (only then can it be a reserved word), else ''."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Literal) and not self.parts[0].quoted:
            return self.parts[0].text
        return ""


@dataclass(frozen=True, slots=True)
class Redirection:
    descriptor: int
    operator: str  # > >> >| < <> >& <& &> <<
    target: Word


@dataclass(slots=True)
class HereDocument:
    """Filled in when the parser gets to the end of its line."""

    descriptor: int
    body: Word


AnyRedirection: TypeAlias = Redirection | HereDocument


@dataclass(frozen=True, slots=True)
class Simple:
    line: int
    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirections: tuple[AnyRedirection, ...]


@dataclass(frozen=True, slots=True)
class Group:
    body: Sequence


@dataclass(frozen=True, slots=True)
class Subshell:
    body: Sequence


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple[Sequence, Sequence], ...]
    otherwise: Sequence | None


@dataclass(frozen=True, slots=True)
class For:
    name: str
    words: tuple[Word, ...] | None  # None: "$@"
    body: Sequence


@dataclass(frozen=True, slots=True)
class While:
    condition: Sequence
    body: Sequence
    until: bool


@dataclass(frozen=True, slots=True)
class Case:
    subject: Word
    branches: tuple[tuple[tuple[Word, ...], Sequence], ...]


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: Command


@dataclass(frozen=True, slots=True)
class Redirected:
    """A compound command with redirections after it."""

    command: Command
    redirections: tuple[AnyRedirection, ...]


Command: TypeAlias = Simple | Group | Subshell | If | For | While | Case | Function | Redirected


@dataclass(frozen=True, slots=True)
class Pipeline:
    commands: tuple[Command, ...]
    negated: bool = False
    timed: bool = False


@dataclass(frozen=True, slots=True)
class AndOr:
    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...]  # ("&&" or "||", pipeline)


@dataclass(frozen=True, slots=True)
class Item:
    command: AndOr
    background: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Item, ...]
