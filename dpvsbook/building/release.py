"""The release of a DPVS tree."""

from __future__ import annotations

RELEASE = "echo $(sed -n 's/^export VERSION=//p' dpvs/src/VERSION).$(sed -n 's/^export RELEASE=//p' dpvs/src/VERSION)"
"""Shell that prints the release of ./dpvs as ipvsadm would say it: 1.10.2. The file is a script of DPVS's; it is read, not run."""
