"""Rules about the `source` section: versions that belong together, and switches that a line has."""

from __future__ import annotations

from collections.abc import Iterator

from dpvsbook.params.build import DPDK_OF, PAIRS, dpdk_line, dpvs_line
from dpvsbook.params.model import Params
from dpvsbook.params.tree import Path, Problem

AT: Path = ("source",)


def pair(params: Params) -> Iterator[Problem]:
    """What the refs and the archives' names say; the trees themselves are asked again on the host, before anything is compiled."""
    source = params.source
    if source is None:
        return
    line = source.version or params.dpvs
    told = dpvs_line(source.dpvs.named)
    if told is not None and told != line:
        where = "source.version" if source.version else "dpvs"
        yield Problem((*AT, "dpvs", "ref" if source.dpvs.ref else "archive"), f"must be a DPVS {line}, as {where} says; it names {told}")
    told = dpdk_line(source.dpdk.named)
    if told is not None and told != DPDK_OF[line]:
        where = "ref" if source.dpdk.ref else "archive"
        yield Problem((*AT, "dpdk", where), f"must be DPDK {DPDK_OF[line]} for DPVS {line}; it names {told} ({PAIRS})")


def switches(params: Params) -> Iterator[Problem]:
    """What a line doesn't have."""
    source = params.source
    if source is None:
        return
    line = source.version or params.dpvs
    if line == "1.10":
        if source.kmods:
            yield Problem((*AT, "kmods"), "must be false with DPVS 1.10: DPDK 24.11 has no kernel module, KNI is virtio-user")
        yield from (
            Problem((*AT, "config", name), "must not be there: DPVS 1.10 has no such switch any more")
            for name in ("CONFIG_KNI_VIRTIO_USER", "CONFIG_IXGEB_PMD")
            if name in source.config
        )
    elif line == "1.8":
        yield from (
            Problem((*AT, "config", name), "must be CONFIG_MLX5 or CONFIG_PDUMP: DPVS 1.8 has no others")
            for name in source.config
            if name not in ("CONFIG_MLX5", "CONFIG_PDUMP")
        )
        if source.drivers:
            yield Problem((*AT, "drivers"), "must be all with DPVS 1.8: it links a fixed list of them")
        if source.cpu != "native":
            yield Problem((*AT, "cpu"), "must be native with DPVS 1.8: DPDK 18.11 is made for the CPU that compiles it")


RULES = (pair, switches)
