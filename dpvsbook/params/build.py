"""The `source` section: where DPVS and DPDK come from, and how they are built. Which versions belong together is said here, once."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from dpvsbook.params.base import Model
from dpvsbook.params.types import AbsolutePath

Line = Literal["1.8", "1.9", "1.10"]
"""A line of DPVS: its releases are built alike."""

DPDK_OF: Final[dict[Line, str]] = {"1.10": "24.11", "1.9": "20.11", "1.8": "18.11"}
"""The DPDK of each line (reference A0). dpvs's own check at start refuses another one, and its sources don't compile with it."""

PAIRS: Final = "DPVS 1.10 goes with DPDK 24.11, 1.9 with 20.11, 1.8 with 18.11"

PREFIX: Final = "/opt/dpvsbook"
"""Where releases go, side by side, when the params don't say otherwise."""

_SCHEMES = ("https://", "http://", "ssh://", "git://", "file:///")


def _git_url(text: str) -> str:
    """A repository. No transport that runs commands (`ext::`), and no password, which would stand in every record."""
    if not re.fullmatch(r"[!-~]+", text) or text.startswith("-"):
        raise ValueError("must be a repository's URL")
    if not (text.startswith((*_SCHEMES, "/")) or re.fullmatch(r"(?:[\w.-]+@)?[\w.-]+:(?!:)[^:]+", text)):
        raise ValueError("must begin with https://, ssh://, git:// or file://, or be user@host:path or an absolute path on the host")
    return _without_password(text)


def _archive(text: str) -> str:
    """A tar archive: a URL, or an absolute path on the host."""
    if not re.fullmatch(r"[!-~]+", text) or not text.startswith(("https://", "http://", "/")):
        raise ValueError("must be a URL (https://…) or an absolute path on the host")
    return _without_password(text)


def _without_password(text: str) -> str:
    if re.match(r"[a-z]+://[^/@]*:[^/@]*@", text):
        raise ValueError("must not hold a password: let git's credential helper or .netrc on the host have it")
    return text


def _ref(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/+-]*", text) or ".." in text:
        raise ValueError("must be a tag, a branch or a commit")
    return text


def _driver(text: str) -> str:
    if not re.fullmatch(r"[a-z]+/[a-z0-9_]+", text):
        raise ValueError("must be a DPDK driver with its class, such as net/ixgbe")
    return text


def _switch(text: str) -> str:
    if not re.fullmatch(r"CONFIG_[A-Z0-9_]+", text):
        raise ValueError("must be a switch of DPVS's config.mk, such as CONFIG_PDUMP")
    return text


def _value(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]+", text):
        raise ValueError("must be y, n or a number")
    return text


def _cpu(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.+-]*", text):
        raise ValueError("must be native, generic or what gcc's -march takes, such as haswell")
    return text


def _sha256(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError("must be a SHA-256: 64 hexadecimal digits")
    return text


def _all(value: Any) -> Any:
    return () if value == "all" else value


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Driver = Annotated[str, AfterValidator(_driver), WithJsonSchema({"type": "string", "pattern": "^[a-z]+/[a-z0-9_]+$"})]
Drivers = Annotated[
    tuple[Driver, ...],
    BeforeValidator(_all),
    WithJsonSchema({"oneOf": [{"const": "all"}, {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+/[a-z0-9_]+$"}}]}),
]
Switch = Annotated[str, AfterValidator(_switch)]
Value = Annotated[str, BeforeValidator(_text), AfterValidator(_value), WithJsonSchema({"type": ["string", "integer"]})]
GitUrl = Annotated[str, AfterValidator(_git_url)]
Archive = Annotated[str, AfterValidator(_archive)]
Ref = Annotated[str, AfterValidator(_ref)]
Cpu = Annotated[str, AfterValidator(_cpu), WithJsonSchema({"type": "string", "pattern": "^[a-z0-9][a-z0-9_.+-]*$"})]
Sha256 = Annotated[str, AfterValidator(_sha256), WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"})]


class Origin(Model):
    """Where a source tree comes from: `git` with `ref`, or `archive` (with its `sha256`, if wanted), or `directory` on the host."""

    git: GitUrl | None = None
    ref: Ref | None = None
    archive: Archive | None = None
    sha256: Sha256 | None = None
    directory: AbsolutePath | None = None

    @model_validator(mode="after")
    def _one(self) -> Origin:
        given = [name for name in ("git", "archive", "directory") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of git, archive and directory{'; it has ' + ' and '.join(given) if given else ''}")
        if (self.ref is None) == (self.git is not None):
            raise ValueError("must have a ref with git: a tag, a branch or a commit" if self.git else "must have a ref with git only")
        if self.sha256 is not None and self.archive is None:
            raise ValueError("must have sha256 with an archive only: git has a hash of its own as ref")
        return self

    @property
    def named(self) -> str:
        """What says the version, if anything does before the tree is seen: the ref, or the archive's name."""
        return self.ref or (self.archive or "").rpartition("/")[2]

    def __str__(self) -> str:
        return f"{self.git} {self.ref}" if self.git else self.archive or self.directory or ""


class Source(Model):
    """What is built, and where it goes: PREFIX/<release>/bin, and PREFIX/current names one of the releases there.

    `version`: the line of DPVS, None: the params' `dpvs` (another one is how a newer release is put beside the running one).
    `drivers`: DPDK's, "all" or those named (those that DPVS itself needs are always built). `config`: switches of config.mk.
    `cpu`: what it is compiled for. "native": the CPU of the machine that builds, and it may not run on an older one; "generic": any of its
    kind; else a name as gcc's -march has it, the oldest CPU that it shall run on.
    `kmods`: 1.9 and 1.8: build rte_kni.ko too, which takes the kernel's headers. `current`: whether `current` moves to it in the end.
    """

    dpvs: Origin
    dpdk: Origin
    version: Line | None = None
    drivers: Drivers = ()
    config: dict[Switch, Value] = Field(default_factory=dict)
    prefix: AbsolutePath = PREFIX
    cpu: Cpu = "native"
    kmods: bool = False
    jobs: Annotated[int, Field(ge=1, le=1024)] | None = None
    current: bool = True


def dpvs_line(text: str) -> str | None:
    """The line of DPVS that a tag, a branch or an archive's name tells: "v1.10.2" is 1.10, "DPVS-1.9-LTS" is 1.9."""
    found = re.search(r"(?<![\d.])(1\.\d{1,2})(?!\d)", text)
    return found[1] if found else None


def dpdk_line(text: str) -> str | None:
    """The line of DPDK that a name tells: "v24.11" and "dpdk-stable-24.11.1" are 24.11."""
    found = re.search(r"(?<![\d.])(\d{2}\.\d{2})(?!\d)", text)
    return found[1] if found else None
