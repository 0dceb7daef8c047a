"""Checks of a build: F15 to F18."""

from __future__ import annotations

import re

from dpvsbook.checks.seen import Outcome, Seen, listed
from dpvsbook.params.build import DPDK_OF, Line

PKG_CONFIG = (0, 29, 2)
NEW_KERNEL = (5, 15)
"""Of Ubuntu 22.04: DPDK 20.11's kernel modules don't compile for it."""


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def pkg_config(seen: Seen) -> Outcome:
    """F15: a pkg-config that is new enough, and finds libdpdk."""
    look = seen.look
    if not look.pkg_config:
        return None, "pkg-config isn't there (the build installs it)"
    if _numbers(look.pkg_config) < PKG_CONFIG:
        return False, f"pkg-config is {look.pkg_config}"
    if look.pc and not look.libdpdk:
        return False, f"pkg-config {look.pkg_config} doesn't take {look.pc}"
    if not look.libdpdk:
        return None, f"pkg-config {look.pkg_config} is new enough; libdpdk isn't built yet"
    return True, f"pkg-config {look.pkg_config} finds libdpdk {look.libdpdk}{f' by {look.pc}' if look.pc else ''}"


def _named(seen: Seen) -> Line:
    """The line of DPVS that is built: another than the running one where the params say so."""
    source = seen.params.source
    return (source.version if source else None) or seen.params.dpvs


def pair(seen: Seen) -> Outcome:
    """F16: DPVS and DPDK that belong together, with DPVS's patches in DPDK."""
    look, wrong = seen.look, []
    line = re.sub(r"^(\d+\.\d+).*", r"\1", look.dpvs)
    named = _named(seen)
    wanted = {str(name): dpdk for name, dpdk in DPDK_OF.items()}.get(line or named)
    if not look.dpvs and not look.dpdk and not look.libdpdk:
        return None, "no sources of DPVS and no DPDK are there yet"
    if look.dpvs and line != named:
        wrong.append(f"the sources are DPVS {look.dpvs}, the params say {named}")
    for title, version in (("DPDK", look.dpdk), ("libdpdk", look.libdpdk)):
        if version and wanted and not f"{version}.".startswith(f"{wanted}."):
            wrong.append(f"{title} is {version}, DPVS {line or named} goes with {wanted}")
    lacking = [name for name, there in look.patches.items() if not there]
    if lacking:
        wrong.append(f"DPDK {look.dpdk} lacks {len(lacking)} of {len(look.patches)} patches: {listed(lacking[:3])}")
    shown = f"DPVS {look.dpvs or named}, DPDK {look.dpdk or look.libdpdk or 'not there yet'}"
    return not wrong, "; ".join(wrong) or f"{shown}{f', with its {len(look.patches)} patches' if look.patches else ''}"


def libnl(seen: Seen) -> Outcome:
    """F17: a keepalived that knows libnl, without which it ignores IPv6."""
    if seen.look.keepalived is None:
        return None, "there is no keepalived beside dpvs"
    options = next((line for line in seen.look.keepalived.splitlines() if line.startswith("System options")), "")
    if not options:
        first = (seen.look.keepalived.splitlines() or ["nothing"])[0]
        return None, f"keepalived -v names no options: {first}"
    there = re.search(r"\bLIBNL\d?\b", options)
    return there is not None, f"its options have {there[0]}" if there else "its options have no LIBNL"


def kernel_modules(seen: Seen) -> Outcome:
    """F18: DPDK 20.11's kernel modules and a kernel that is too new for them."""
    if _named(seen) == "1.10":
        return True, f"DPDK {DPDK_OF['1.10']} needs no module of its own"
    if not seen.look.kernel:
        return None, "the kernel's release can't be read"
    wanted = seen.params.source is not None and bool(seen.params.source.kmods)
    new = _numbers(seen.look.kernel) >= NEW_KERNEL
    return not (wanted and new), f"kernel {seen.look.kernel}, kmods {'on' if wanted else 'off'}"
