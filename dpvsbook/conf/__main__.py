"""`python -m dpvsbook.conf FILE [-- EAL arguments]`: what is wrong in a dpvs.conf. `… FILE NEW`: what the way from one to the other takes.

Ends with 0, or with 4 where there is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dpvsbook.conf.diff import diff, needs
from dpvsbook.conf.machine import Machine, Port, arguments
from dpvsbook.conf.model import read
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.conf.validate import validate
from dpvsbook.errors import DpvsbookError


def main(words: Sequence[str]) -> int:
    """Check one file, or compare two."""
    at = words.index("--") if "--" in words else len(words)
    files, given = list(words[:at]), list(words[at + 1 :])
    if not 1 <= len(files) <= 2:
        print(__doc__, file=sys.stderr)  # noqa: T201 - a command
        return 4
    try:
        texts = [Path(name).read_text(errors="replace") for name in files]
        eal = arguments(given)
    except (OSError, DpvsbookError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 4
    ports = None if eal.ports is None else tuple(Port(address) for address in eal.ports)
    found = validate(texts[-1], Machine(ports=ports, lcores=eal.lcores, main=eal.main))
    for finding in found:
        where = f"{files[-1]}:{finding.line}: {finding.severity}"
        print(f"{where}: {finding.message}\n    dpvs {finding.silently}. {finding.fix}")  # noqa: T201
    if len(texts) == 2:
        changes = diff(*(read(parse_lenient(text).nodes) for text in texts))
        for change in changes:
            print(change)  # noqa: T201
        print(f"needs: {needs(changes) or 'nothing'}")  # noqa: T201
    return 4 if any(finding.severity == "error" for finding in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
