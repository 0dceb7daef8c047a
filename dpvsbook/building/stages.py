"""The build as a list of stages: pure data. Each is a script and a key, the hash of everything that it is made from.

A stage is done when its mark on the host holds its key, and what it made is still there; so a build goes on where it stopped, does nothing
the second time, and does again just what a changed source, driver or switch asks for.

    PREFIX/build/1.10/           the work: dpvs, dpdk, dpdk-build, dpdk-lib, stamps, begun, log
    PREFIX/1.10.2/bin/           dpvs, dpip, ipvsadm, keepalived, dpdk-devbind.py …
    PREFIX/current -> 1.10.2     moves last
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from dpvsbook.building import options, packages
from dpvsbook.building.packages import Manager
from dpvsbook.building.release import DPDK_VERSION, RELEASE
from dpvsbook.params.build import DPDK_OF, PAIRS, Line, Origin, Source

TOOLS = ("dpvs", "dpip", "ipvsadm", "keepalived")
TOLERATED = (
    "array-bounds deprecated-declarations stringop-overflow stringop-overread stringop-truncation format-truncation format-overflow"
    " maybe-uninitialized uninitialized use-after-free dangling-pointer address address-of-packed-member enum-int-mismatch"
    " unused-but-set-variable calloc-transposed-args"
)
"""Warnings that newer compilers have; DPVS's -Werror makes each of them the end. gcc 12 stops at the first two (observed.md)."""

PATCHES = {"1.10": "dpdk-24.11", "1.9": "dpdk-stable-20.11.x", "1.8": "dpdk-stable-18.11.2"}


@dataclass(frozen=True, slots=True)
class Stage:
    """`script` runs under `sh -eu` in the work folder. `proof`: shell words for what must be there when it is done."""

    name: str
    title: str
    script: str
    key: str
    proof: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    """The commands that matter, as a person would type them."""


def work(prefix: str, line: Line) -> str:
    """The folder that a line is built in."""
    return f"{prefix.rstrip('/')}/build/{line}"


def stages(source: Source, line: Line, manager: Manager | None, kernel: str, trees: Mapping[str, str]) -> tuple[Stage, ...]:
    """What is to be done, in order. `trees`: "dpvs" and "dpdk" to the fingerprint of a directory or archive that is on the host."""
    prefix = source.prefix.rstrip("/")
    made: list[Stage] = []

    def add(name: str, title: str, script: str, *proof: str, shown: tuple[str, ...] = (), inputs: str = "") -> None:
        before = made[-1].key if made and made[-1].name != "packages" else ""  # what was installed first doesn't change what is built
        key = hashlib.sha256("\0".join((before, name, script, inputs)).encode()).hexdigest()[:16]
        made.append(Stage(name, title, script, key, proof, shown or tuple(script.splitlines()[-1:])))

    head = f"prefix={shlex.quote(prefix)}\njobs={source.jobs or '$(nproc 2>/dev/null || echo 1)'}\n"
    if manager:
        wanted = packages.packages(manager, source, line, kernel)
        shown = f"{'apt-get' if manager == 'apt' else 'dnf'} install {' '.join(wanted)}"
        add("packages", "Packages", packages.install(manager, wanted), shown=(shown,))
    add(
        "dpvs-source",
        f"DPVS: {source.dpvs}",
        f"{_fetch('dpvs', source.dpvs)}\n{_is_dpvs(line)}\nrm -rf dpvs\nmv dpvs.new dpvs",
        "dpvs/src/VERSION",
        inputs=trees.get("dpvs", ""),
        shown=_shown("dpvs", source.dpvs),
    )
    add(
        "dpdk-source",
        f"DPDK: {source.dpdk}, with DPVS's patches",
        f"{_fetch('dpdk', source.dpdk)}\n{_is_dpdk(line)}\n{_SEED if line == '1.10' else ''}{_PATCH}\nrm -rf dpdk\nmv dpdk.new dpdk",
        "dpdk/drivers",
        inputs=trees.get("dpdk", ""),
        shown=(*_shown("dpdk", source.dpdk), f"patch -p1 < dpvs/patch/{PATCHES[line]}/*.patch"),
    )
    if line == "1.8":
        _make_dpdk(add, head, source)
    else:
        _meson_dpdk(add, head, source, line)
    _dpvs(add, head, source, line)
    if source.current:
        add("current", "current", f"{head}{_CURRENT}", shown=(f"ln -sfn RELEASE {prefix}/current",))
    return tuple(made)


class _Add(Protocol):
    """How a stage is added to the list."""

    def __call__(self, name: str, title: str, script: str, *proof: str, shown: tuple[str, ...] = (), inputs: str = "") -> None: ...


def _meson_dpdk(add: _Add, head: str, source: Source, line: Line) -> None:
    given = " ".join(map(shlex.quote, options.meson(source, line)))
    extra = ' ${disabled:+"-Ddisable_drivers=$disabled"}' if line == "1.9" and source.drivers else ""
    configure = f"""\
{options.complement(source, line)}
rm -rf dpdk-build
meson setup dpdk-build dpdk --prefix="$PWD/dpdk-lib" {given}{extra}"""
    if not extra:
        configure = configure.partition("\n")[2]
    add(
        "dpdk-configure",
        f"DPDK {DPDK_OF[line]}: configure",
        configure,
        "dpdk-build/build.ninja",
        shown=(f"meson setup {given}" + (" -Ddisable_drivers=ALL-OTHERS" if extra else ""),),
    )
    add("dpdk-build", f"DPDK {DPDK_OF[line]}: compile", f'{head}ninja -C dpdk-build -j "$jobs"', shown=("ninja -C dpdk-build",))
    add(
        "dpdk-install",
        f"DPDK {DPDK_OF[line]}: gather",
        "rm -rf dpdk-lib\nninja -C dpdk-build install >/dev/null\nfind dpdk-lib -name libdpdk.pc | grep .",
        "dpdk-lib/include",
        shown=("ninja -C dpdk-build install",),
    )


def _make_dpdk(add: _Add, head: str, source: Source) -> None:
    """DPDK 18.11 as DPVS 1.8 wants it: by make, in dpdk/build (its dpdk.mk takes RTE_SDK and RTE_TARGET)."""
    target = "case $(uname -m) in aarch64) target=arm64-armv8a-linuxapp-gcc ;; *) target=$(uname -m)-native-linuxapp-gcc ;; esac"
    configure = f'{target}\nmake -C dpdk config T="$target" O=build'
    if not source.kmods:
        configure += "\nsed -i 's/^\\(CONFIG_RTE_EAL_IGB_UIO\\|CONFIG_RTE_KNI_KMOD\\)=y/\\1=n/' dpdk/build/.config"
    add("dpdk-configure", "DPDK 18.11: configure", configure, "dpdk/build/.config")
    add(
        "dpdk-build",
        "DPDK 18.11: compile",
        f'{head}make -C dpdk/build -j "$jobs" EXTRA_CFLAGS="-w -fcommon"',
        "dpdk/build/lib",
    )


def _dpvs(add: _Add, head: str, source: Source, line: Line) -> None:
    given = [f"{name}={value}" for name, value in sorted(source.config.items())]
    known = "config.mk" if line != "1.8" else "src/config.mk"
    check = "".join(
        f"grep -q '^\\(export \\)\\{{0,1\\}}{name} *=' dpvs/{known} || fail 'this DPVS has no switch {name} in its {known}'\n"
        for name in sorted(source.config)
    )
    where = (
        "RTE_SDK=$PWD/dpdk RTE_TARGET=build\nexport RTE_SDK RTE_TARGET"
        if line == "1.8"
        else 'found=$(find "$PWD/dpdk-lib" -name libdpdk.pc -print | head -n 1)\nPKG_CONFIG_PATH=${found%/*}\nexport PKG_CONFIG_PATH'
    )
    build = f"""\
{head}{check}{where}
CFLAGS=
for word in {TOLERATED}; do  # a compiler refuses the names that it doesn't know
  if echo 'int x;' | gcc -Werror "-Wno-error=$word" -x c -c -o /dev/null - 2>/dev/null; then CFLAGS="$CFLAGS -Wno-error=$word"; fi
done
TARGET_CFLAGS=$CFLAGS  # what DPDK 18.11's makefiles take it from
export CFLAGS TARGET_CFLAGS
if [ "$FRESH" = 1 ]; then
  find dpvs/src dpvs/tools \\( -name '*.o' -o -name '*.a' \\) -exec rm -f {{}} +
  rm -f dpvs/src/dpvs dpvs/tools/keepalived/Makefile dpvs/tools/keepalived/configure
fi
cd dpvs
make -j "$jobs" {" ".join(given)}"""
    add(
        "dpvs-build",
        f"DPVS {line}: compile",
        build,
        "dpvs/src/dpvs",
        "dpvs/tools/dpip/build/dpip",
        shown=(f"make -j CFLAGS='-Wno-error=array-bounds …' {' '.join(given)}".rstrip(),),
    )
    add(
        "install",
        f"DPVS {line}: install",
        f"{head}{_RELEASE}\n{_INSTALL}",
        *(f'"$prefix/$release/bin/{name}"' for name in TOOLS),
        shown=(f"install dpvs dpip ipvsadm keepalived {source.prefix.rstrip('/')}/RELEASE/bin/",),
    )


# -- pieces of shell; the work folder is the current one

_RELEASE = f"release=$({RELEASE})"

_INSTALL = """\
mkdir -p "$prefix/$release/bin"
put() {
  [ -e "$1" ] || return 0
  cp "$1" "$prefix/$release/bin/.$2.new"
  chmod 755 "$prefix/$release/bin/.$2.new"
  mv -f "$prefix/$release/bin/.$2.new" "$prefix/$release/bin/$2"
}
for tool in dpdk-devbind.py dpdk-hugepages.py; do put "dpdk/usertools/$tool" "$tool"; done
for tool in dpdk-pdump dpdk-proc-info; do put "dpdk-lib/bin/$tool" "$tool"; done
kmod=$(find dpdk-lib dpdk/build dpdk-build -name rte_kni.ko 2>/dev/null | head -n 1)
[ -z "$kmod" ] || put "$kmod" rte_kni.ko
for tool in dpvs-agent/cmd/dpvs-agent-server/dpvs-agent healthcheck/healthcheck; do put "dpvs/tools/$tool" "${tool##*/}"; done
put dpvs/tools/keepalived/bin/keepalived keepalived
put dpvs/tools/ipvsadm/ipvsadm ipvsadm
put dpvs/tools/dpip/build/dpip dpip
put dpvs/src/dpvs dpvs
"$prefix/$release/bin/dpvs" -v 2>&1"""

_CURRENT = f"""\
{_RELEASE}
"$prefix/$release/bin/dpvs" -v 2>&1 | grep -F "${{release%.*}}-${{release##*.}}"
rm -f "$prefix/.current.new"
ln -s "$release" "$prefix/.current.new"
mv -fT "$prefix/.current.new" "$prefix/current\""""

_SEED = """\
first() { sed -n "/$1(/=" dpvs/src/main.c 2>/dev/null | head -n 1; }
seed=$(first rte_srand) eal=$(first rte_eal_init)
if grep -q '^eal_rand_init' dpdk.new/lib/eal/common/rte_random.c 2>/dev/null && [ "${seed:-1}" -lt "${eal:-0}" ]; then
  fail "DPDK $version has its random numbers from rte_eal_init on, and this DPVS seeds them before: it would crash at each start"
fi
"""
"""From 24.11.2 on; DPVS 1.10.2 calls rte_srand in main, before rte_eal_init (a real start: segfault in rte_srand, with no log)."""

_PATCH = """\
line=${version%.*}
for folder in dpvs/patch/dpdk-stable-$version dpvs/patch/dpdk-$version dpvs/patch/dpdk-$line dpvs/patch/dpdk-stable-$line.* ''; do
  [ -n "$folder" ] || fail "this DPVS has no patches for DPDK $version; it has: $(ls dpvs/patch | grep dpdk | tr '\\n' ' ')"
  if [ -d "$folder" ]; then break; fi
done
for file in "$folder"/*.patch; do
  echo "== $file"
  if patch -d dpdk.new -p1 -R -f -s --dry-run <"$file" >/dev/null 2>&1; then echo 'is in it already'; continue; fi
  patch -d dpdk.new -p1 -N -f --no-backup-if-mismatch <"$file"
done"""


def _is_dpvs(line: Line) -> str:
    return f"""\
[ -f dpvs.new/src/VERSION ] && [ -d dpvs.new/patch ] || fail 'this is no DPVS source tree: it has no src/VERSION and patch'
found=$(sed -n 's/^export VERSION=//p' dpvs.new/src/VERSION)
[ "$found" = {line} ] || fail "this is DPVS $found, and {line} was to be built\""""


def _is_dpdk(line: Line) -> str:
    return f"""\
{DPDK_VERSION}
version=$(dpdk_version dpdk.new)
[ -n "$version" ] && [ -d dpdk.new/drivers ] || fail 'this is no DPDK source tree: it has no VERSION and drivers'
case $version in
  {DPDK_OF[line]}.*) ;;
  *) fail "this is DPDK $version, and DPVS {line} needs {DPDK_OF[line]}: {PAIRS}" ;;
esac"""


def _fetch(name: str, origin: Origin) -> str:
    """Shell that leaves the tree in NAME.new. What is in a given directory is copied: nobody's own tree is patched or built in.

    Without its .git: DPDK takes a tree with one for a developer's, and compiles a tenth more.
    """
    new = f"rm -rf {name}.new\nmkdir {name}.new"
    if origin.git and origin.ref:
        url, ref = shlex.quote(origin.git), shlex.quote(origin.ref)
        return f"""\
{new}
GIT_TERMINAL_PROMPT=0
export GIT_TERMINAL_PROMPT
git -C {name}.new init -q
if ! git -C {name}.new fetch -q --depth 1 {url} {ref}; then
  echo 'not by itself: everything is fetched' >&2  # a commit that the server doesn't give away alone
  git -C {name}.new fetch -q {url} '+refs/*:refs/remotes/from/*'
  git -C {name}.new rev-parse -q --verify {ref}'^{{commit}}' >{name}.new/.git/FETCH_HEAD
fi
git -C {name}.new -c advice.detachedHead=false checkout -q FETCH_HEAD
git -C {name}.new rev-parse HEAD
rm -rf {name}.new/.git"""
    if origin.directory:
        where = shlex.quote(origin.directory)
        return f"""\
[ -d {where} ] || fail "there is no directory "{where}
{new}
{{ tar -C {where} --exclude=./.git -cf - . || echo torn >{name}.new/.torn; }} | tar -C {name}.new -xf -
[ ! -e {name}.new/.torn ] || fail "not all of "{where}" could be read\""""
    place = shlex.quote(origin.archive or "")
    file = f"{name}.archive" if (origin.archive or "").startswith("http") else place
    get = f"curl -fsSL --retry 3 -o {file} {place}\n" if file != place else f'[ -f {place} ] || fail "there is no file "{place}\n'
    check = f"echo {origin.sha256}'  '{file} | sha256sum -c -\n" if origin.sha256 else ""
    return f"{get}{check}{new}\ntar -C {name}.new --strip-components=1 -xf {file}"


def _shown(name: str, origin: Origin) -> tuple[str, ...]:
    if origin.git:
        return (f"git clone --depth 1 --branch {origin.ref} {origin.git} {name}",)
    return (f"cp -R {origin.directory} {name}",) if origin.directory else (f"tar -xf {origin.archive}",)
