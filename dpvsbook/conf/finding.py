"""What a check of dpvs.conf finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` 0: it stands nowhere. `rule`: a word for it; `code`: dpvs's own number for it. `silently`: what dpvs does with it.

    An error: dpvs doesn't start, or does something else than the file says. A warning: it starts, and does what it says, badly.
    """

    line: int
    rule: str
    message: str
    silently: str
    fix: str
    severity: Severity = "error"
    code: int | None = None

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}. dpvs {self.silently}. {self.fix}"
