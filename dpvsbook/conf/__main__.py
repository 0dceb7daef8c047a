"""`python -m dpvsbook.conf FILE [-- EAL arguments]`: what is wrong in a dpvs.conf. `… FILE NEW`: what the way from one to the other takes.
`… FILE --params [-- EAL arguments]`: the director of a params file that has what this file has.

Ends with 0, or with 4 where there is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dpvsbook.conf.diff import diff, needs
from dpvsbook.conf.finding import Finding
from dpvsbook.conf.machine import Machine, Port, arguments
from dpvsbook.conf.model import read
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.conf.validate import validate
from dpvsbook.errors import DpvsbookError


def main(words: Sequence[str]) -> int:
    """Check one file, compare two, or read one back into params."""
    at = words.index("--") if "--" in words else len(words)
    files, given = [word for word in words[:at] if word != "--params"], list(words[at + 1 :])
    back = "--params" in words[:at]
    if not 1 <= len(files) <= (1 if back else 2):
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
    bad = any(finding.severity == "error" for finding in found)
    for line in _told(files[-1], found):
        print(line, file=sys.stderr if back else sys.stdout)
    if len(texts) == 2:
        changes = diff(*(read(parse_lenient(text).nodes) for text in texts))
        for change in changes:
            print(change)  # noqa: T201
        print(f"needs: {needs(changes) or 'nothing'}")  # noqa: T201
    elif back and not bad:
        from dpvsbook.conf.site import as_params  # what a check does not need it does not load

        print(as_params(texts[0], given, source=files[0]))  # noqa: T201
    return 4 if bad else 0


def _told(file: str, found: Sequence[Finding]) -> Iterator[str]:
    for finding in found:
        yield f"{file}:{finding.line}: {finding.severity}: {finding.message}\n    dpvs {finding.silently}. {finding.fix}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
