"""What the build needs of a distribution, as it calls it. The lists were found by building (Debian 12), RHEL's follow upstream's README."""

from __future__ import annotations

from typing import Literal

from dpvsbook.params.build import Line, Source

Manager = Literal["apt", "dnf"]

# fmt: off
_APT = (
    "build-essential", "pkg-config", "meson", "ninja-build", "python3-pyelftools", "autoconf", "automake", "patch", "tar",
    "xz-utils", "libnuma-dev", "libnl-3-dev", "libnl-genl-3-dev", "libnl-route-3-dev", "libpopt-dev", "libssl-dev",
    "libpcap-dev",
    "libsystemd-dev",  # libpcap-dev brings libdbus-1-dev along, and the static link then wants -lsystemd
)
_DNF = (
    "gcc", "make", "pkgconf-pkg-config", "meson", "ninja-build", "python3-pyelftools", "autoconf", "automake", "patch", "tar",
    "xz", "numactl-devel", "libnl3-devel", "popt-devel", "openssl-devel", "libpcap-devel", "systemd-devel",
)
# fmt: on

TOOLS = ("gcc", "make", "pkg-config", "meson", "ninja", "autoreconf", "patch", "tar")
"""What must be there on a host that has neither apt nor dnf."""


def packages(manager: Manager, source: Source, line: Line, kernel: str) -> tuple[str, ...]:
    """The packages to install. `kernel` is the running one's release: rte_kni.ko is built for it."""
    found = list(_APT if manager == "apt" else _DNF)
    if line == "1.8":  # DPDK 18.11 is built by make
        found = [name for name in found if name not in ("meson", "ninja-build", "python3-pyelftools")]
    if source.dpvs.git or source.dpdk.git:
        found.append("git")
    if any((origin.archive or "").startswith("http") for origin in (source.dpvs, source.dpdk)):
        found.append("curl")
    if source.kmods:
        found.append(f"linux-headers-{kernel}" if manager == "apt" else f"kernel-devel-{kernel}")
    if source.config.get("CONFIG_DPVS_AGENT") == "y":
        found.append("golang")
    return tuple(found)


def tools(source: Source, line: Line) -> tuple[str, ...]:
    """The programs that the build runs: `look` says which are missing."""
    found = [name for name in TOOLS if line != "1.8" or name not in ("meson", "ninja")]
    if source.dpvs.git or source.dpdk.git:
        found.append("git")
    if any((origin.archive or "").startswith("http") for origin in (source.dpvs, source.dpdk)):
        found.append("curl")
    return tuple(found)


def install(manager: Manager, wanted: tuple[str, ...]) -> str:
    """A script that installs what is missing. On RHEL the -devel packages are in a repository that is off by default."""
    names = " ".join(wanted)
    if manager == "apt":
        return f"""\
export DEBIAN_FRONTEND=noninteractive
missing=
for name in {names}; do
  dpkg-query -W -f '${{db:Status-Abbrev}}' "$name" 2>/dev/null | grep -q '^ii' || missing="$missing $name"
done
[ -n "$missing" ] || exit 0
apt-get -qq update
apt-get -y --no-install-recommends install $missing"""
    return f"""\
missing=
for name in {names}; do
  rpm -q --whatprovides "$name" >/dev/null 2>&1 || missing="$missing $name"
done
[ -n "$missing" ] || exit 0
extra=$(dnf -q repolist --all 2>/dev/null | awk 'tolower($1) ~ /^(crb|powertools|codeready-builder-for-.*-rpms)$/ {{ print $1; exit }}')
dnf -y install ${{extra:+--enablerepo="$extra"}} $missing"""
