"""One look at a host before a build: its distribution, room, tools, sources, what is built already, and whether a build runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from dpvsbook.building import packages, runner
from dpvsbook.building.packages import Manager
from dpvsbook.building.release import DPDK_VERSION, RELEASE
from dpvsbook.building.stages import Stage, work
from dpvsbook.errors import ParseError
from dpvsbook.params.build import Line, Origin, Source


@dataclass(frozen=True, slots=True)
class Tree:
    """A source that is on the host. `version`: what the tree says of itself, "" where it is none."""

    there: bool
    version: str = ""
    print: str = ""
    """Changes when the tree changes."""


@dataclass(frozen=True, slots=True)
class BuildState:
    """What was seen. Sizes in kB. `stamps`: a stage's name to the key that it was done with, "" where what it made is gone."""

    system: str = ""
    manager: Manager | None = None
    kernel: str = ""
    cpus: int = 1
    root: bool = False
    free: int = 0
    writable: bool = False
    memory: int = 0
    missing: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    """Programs that aren't there."""
    trees: Mapping[str, Tree] = field(default_factory=dict)
    stamps: Mapping[str, str] = field(default_factory=dict)
    releases: tuple[str, ...] = ()
    built: str = ""
    """The release of the sources in the work folder."""
    current: str = ""
    """The release that `current` names, "" for none."""
    says: str = ""
    """What `current/bin/dpvs -v` answers."""
    built_says: str = ""
    """What the dpvs of the release `built` answers."""
    keepalived: bool = False
    """Whether that release's keepalived was built with libnl."""
    progress: runner.Progress = field(default_factory=runner.Progress)

    @property
    def prints(self) -> dict[str, str]:
        return {name: tree.print for name, tree in self.trees.items()}


def left(stages: tuple[Stage, ...], state: BuildState) -> tuple[Stage, ...]:
    """The stages that are still to be done: from the first whose mark isn't its key's, and the packages, where these miss one."""
    for i, stage in enumerate(stages):
        if stage.name == "packages":
            continue
        done = state.stamps.get(stage.name) == stage.key
        if done and stage.name == "current":
            done = state.current == state.built
        if not done:
            first = tuple(s for s in stages[:i] if s.name == "packages" and state.missing)
            return (*first, *stages[i:])
    return ()


def script(source: Source, line: Line) -> str:
    """Prints a line per thing: KEY, a tab, VALUE; then a line "poll" and what the runner's poll prints."""
    folder, prefix = work(source.prefix, line), source.prefix.rstrip("/")
    names = {manager: " ".join(packages.packages(manager, source, line, '"$(uname -r)"')) for manager in ("apt", "dnf")}
    trees = "".join(_tree(name, origin) for name, origin in (("dpvs", source.dpvs), ("dpdk", source.dpdk)))
    return f"""\
say() {{ printf '%s\\t%s\\n' "$1" "$2"; }}
say system "$(. /etc/os-release 2>/dev/null && echo "$PRETTY_NAME" || uname -s)"
say kernel "$(uname -r)"
say cpus "$(nproc 2>/dev/null || echo 1)"
say uid "$(id -u)"
say memory "$(awk '/^MemAvailable/ {{ print $2 }}' /proc/meminfo 2>/dev/null)"
if command -v apt-get >/dev/null 2>&1; then
  say manager apt
  for name in {names["apt"]}; do dpkg-query -W -f '${{db:Status-Abbrev}}' "$name" 2>/dev/null | grep -q '^ii' || say missing "$name"; done
elif command -v dnf >/dev/null 2>&1; then
  say manager dnf
  for name in {names["dnf"]}; do rpm -q --whatprovides "$name" >/dev/null 2>&1 || say missing "$name"; done
fi
for name in {" ".join(packages.tools(source, line))}; do command -v "$name" >/dev/null 2>&1 || say tool "$name"; done
{DPDK_VERSION}
{trees}prefix={shlex.quote(prefix)}
near=$prefix
while [ ! -d "$near" ]; do near=${{near%/*}}; near=${{near:-/}}; done
if [ -w "$near" ]; then say writable yes; fi
say free "$(df -Pk "$near" | awk 'NR == 2 {{ print $4 }}')"
for file in "$prefix"/*/bin/dpvs; do
  [ -x "$file" ] || continue
  name=${{file%/bin/dpvs}}; name=${{name##*/}}
  [ "$name" = current ] || say release "$name"
done
say current "$(readlink "$prefix/current" 2>/dev/null)"
if [ -x "$prefix/current/bin/dpvs" ]; then say says "$("$prefix/current/bin/dpvs" -v 2>&1 | head -n 1)"; fi
if cd {shlex.quote(folder)} 2>/dev/null; then
  if [ -r dpvs/src/VERSION ]; then
    built=$({RELEASE})
    say built "$built"
    say built-says "$("$prefix/$built/bin/dpvs" -v 2>&1 | head -n 1)"
    if "$prefix/$built/bin/keepalived" -v 2>&1 | grep -q LIBNL; then say libnl yes; fi
  fi
  for file in stamps/*; do
    [ -f "$file" ] || continue
    {{ read -r key; while read -r proof; do [ -e "$proof" ] || key=; done; }} <"$file"
    say stamp "${{file#stamps/}} $key"
  done
fi
echo poll
( {runner.poll(folder)} )"""


def _tree(name: str, origin: Origin) -> str:
    where = shlex.quote(origin.directory or origin.archive or "")
    if origin.archive and origin.archive.startswith("/"):
        return f'if [ -f {where} ]; then say {name} "there"; say {name}-print "$(stat -c \'%s %Y\' {where})"; else say {name} gone; fi\n'
    if not origin.directory:
        return ""
    version = "sed -n 's/^export VERSION=//p' src/VERSION" if name == "dpvs" else "dpdk_version ."
    part = "patch" if name == "dpvs" else "drivers"
    return f"""\
if [ -d {where} ]; then
  say {name} there
  say {name}-version "$(cd {where} && [ -d {part} ] && {version} 2>/dev/null)"
  say {name}-print "$(cd {where} && find . -path ./.git -prune -o -type f -printf '%P %s %T@\\n' | sort | sha256sum | cut -c 1-16)"
else
  say {name} gone
fi
"""


def parse(text: str) -> BuildState:
    """What `script` printed. Raises ParseError on a line that isn't its own."""
    head, mark, tail = text.partition("\npoll\n")
    one: dict[str, str] = {}
    many: dict[str, list[str]] = {"missing": [], "tool": [], "release": [], "stamp": []}
    for number, line in enumerate(head.splitlines(), 1):
        key, tab, value = line.partition("\t")
        if not tab:
            raise ParseError("look before a build", line, number)
        if key in many:
            many[key].append(value)
        else:
            one[key] = value
    if not mark:
        raise ParseError("look before a build", "(its end is missing)", head.count("\n") + 1)
    trees: dict[str, Tree] = {
        name: Tree(one[name] == "there", one.get(f"{name}-version", ""), one.get(f"{name}-print", ""))
        for name in ("dpvs", "dpdk")
        if name in one
    }
    manager = one.get("manager")
    return BuildState(
        system=one.get("system", ""),
        manager="apt" if manager == "apt" else "dnf" if manager == "dnf" else None,
        kernel=one.get("kernel", ""),
        cpus=_number(one, "cpus") or 1,
        root=one.get("uid") == "0",
        free=_number(one, "free"),
        writable=one.get("writable") == "yes",
        memory=_number(one, "memory"),
        missing=frozenset(many["missing"]),
        tools=frozenset(many["tool"]),
        trees=trees,
        stamps={stamp.split(" ", 1)[0]: stamp.split(" ", 1)[1] for stamp in many["stamp"] if " " in stamp},
        releases=tuple(many["release"]),
        built=one.get("built", ""),
        current=one.get("current", ""),
        says=one.get("says", ""),
        built_says=one.get("built-says", ""),
        keepalived=one.get("libnl") == "yes",
        progress=runner.read(tail),
    )


def _number(one: Mapping[str, str], key: str) -> int:
    text = one.get(key, "")
    return int(text) if text.isdigit() else 0
