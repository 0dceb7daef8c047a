"""`python -m dpvsbook.lab PARAMS STATE`: a lab in the foreground, until SIGTERM, SIGINT or a request on its control socket."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from dpvsbook.errors import DpvsbookError
from dpvsbook.lab import topology
from dpvsbook.lab.machines import WAIT
from dpvsbook.lab.running import RunningLab


async def serve(lab: RunningLab) -> None:
    task = asyncio.create_task(lab.serve())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lab.stop)
    await task


def main() -> int:
    try:
        lab = RunningLab(topology.read(Path(sys.argv[1])), Path(sys.argv[2]), wait=float(os.environ.get("DPVSBOOK_LAB_WAIT", WAIT)))
    except DpvsbookError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    asyncio.run(serve(lab))
    return 0


if __name__ == "__main__":
    sys.exit(main())
