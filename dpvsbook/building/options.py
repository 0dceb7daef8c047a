"""How DPDK is configured, by line: 24.11 is told which drivers to build, 20.11 only which not to (versions.md, 5)."""

from __future__ import annotations

from dpvsbook.params.build import Line, Source

NEEDED: dict[Line, tuple[str, ...]] = {
    # DPVS itself calls into these: bonding, its KNI (virtio-user; rte_kni in 1.9), the packet capture's ring and pcap.
    "1.10": ("bus/pci", "bus/vdev", "mempool/ring", "net/bonding", "net/pcap", "net/ring", "net/vhost", "net/virtio"),
    "1.9": ("bus/pci", "bus/vdev", "mempool/ring", "net/bonding", "net/kni", "net/pcap", "net/ring", "net/vhost", "net/virtio"),
    "1.8": (),
}


def drivers(source: Source, line: Line) -> tuple[str, ...]:
    """Every driver to build, () for all."""
    if not source.drivers:
        return ()
    common = {f"common/{name.partition('/')[2]}" for name in source.drivers if name in ("net/mlx5", "net/qat", "net/cnxk", "net/iavf")}
    more = {"bus/auxiliary"} if "net/mlx5" in source.drivers and line == "1.10" else set()
    return tuple(sorted({*source.drivers, *NEEDED[line], *common, *more}))


def meson(source: Source, line: Line) -> tuple[str, ...]:
    """meson's options, less `-Ddisable_drivers` of 20.11: what else there is, only the tree says (see `complement`)."""
    wanted = drivers(source, line)
    found = ["-Ddefault_library=static", "-Dtests=false", f"-Denable_kmods={str(source.kmods).lower()}"]
    if line == "1.10":
        found += [f"-Dplatform={'native' if source.cpu == 'native' else 'generic'}", "-Denable_apps=pdump,proc-info"]
        found += [f"-Dcpu_instruction_set={source.cpu}"] if source.cpu not in ("native", "generic") else []
        found += [f"-Denable_drivers={','.join(wanted)}"] if wanted else []
    else:
        found += [f"-Dmachine={'default' if source.cpu == 'generic' else source.cpu}"]
    return tuple(found)


def complement(source: Source, line: Line) -> str:
    """A piece of shell that sets `disabled` to every driver of a 20.11 tree (in ./dpdk) but the wanted ones."""
    wanted = drivers(source, line)
    if line != "1.9" or not wanted:
        return "disabled="
    return f"""\
keep=' {" ".join(wanted)} '
disabled=
for folder in dpdk/drivers/*/*/; do
  name=${{folder#dpdk/drivers/}}; name=${{name%/}}
  [ -e "$folder/meson.build" ] || continue
  case "$keep" in *" $name "*) ;; *) disabled="$disabled,$name" ;; esac
done
disabled=${{disabled#,}}"""
