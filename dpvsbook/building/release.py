"""The release of a source tree."""

from __future__ import annotations

RELEASE = "echo $(sed -n 's/^export VERSION=//p' dpvs/src/VERSION).$(sed -n 's/^export RELEASE=//p' dpvs/src/VERSION)"
"""Shell that prints the release of ./dpvs as ipvsadm would say it: 1.10.2. The file is a script of DPVS's; it is read, not run."""

DPDK_VERSION = """\
dpdk_version() {
  if [ -f "$1/VERSION" ]; then head -n 1 "$1/VERSION"; return; fi
  awk '$2 ~ /^RTE_VER_/ { v[$2] = $3 } END { if ("RTE_VER_YEAR" in v) \
    printf "%d.%02d.%d\\n", v["RTE_VER_YEAR"], v["RTE_VER_MONTH"], v["RTE_VER_MINOR"] }' \
    "$1/lib/librte_eal/common/include/rte_version.h" 2>/dev/null
}"""
"""A shell function that prints the release of the DPDK tree in a folder: 24.11.3; nothing where it is none. 18.11 has no file for it."""
