"""A lab to run it all on: `up` makes one from a params file, `find` gives a handle on the one that runs, `down` ends it.

Two backends: emulated (pure Python, no root, any OS) and netns (real DPVS on one Linux box)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dpvsbook.lab.emulated import Lab
    from dpvsbook.lab.netns import NetnsLab

STATE = Path(".lab")


def up(params_file: Path, *, backend: str = "emulated", state: Path = STATE, dpvs: Path | None = None) -> Lab | NetnsLab:
    """A lab in the background, which outlives this process. `dpvs`: netns only, the folder with dpvs, dpip and ipvsadm.

    Raises ParamsError; LabError where one runs from that folder already, or it can't be made."""
    if backend == "netns":
        from dpvsbook.lab.netns import NetnsLab

        return NetnsLab.up(params_file, state, dpvs)
    from dpvsbook.lab.emulated import Lab, LabError

    if backend != "emulated":
        raise LabError(f"no lab backend is called {backend!r}", remedy="There are: emulated, netns.")
    return Lab.up(params_file, state=state)


def find(state: Path = STATE) -> Lab | NetnsLab:
    """The lab that runs from a state folder. Raises LabError where none does."""
    if _is_netns(state):
        from dpvsbook.lab.netns import NetnsLab

        return NetnsLab.find(state)
    from dpvsbook.lab.emulated import Lab

    return Lab.find(state)


def down(state: Path = STATE, *, name: str = "") -> bool:
    """Ends the lab of a state folder, or what is left of the netns lab of a name; False where there was none."""
    if name or _is_netns(state):
        from dpvsbook.lab import netns

        return netns.down(state, name=name)
    from dpvsbook.lab.emulated import Lab

    return Lab.end(state)


def _is_netns(state: Path) -> bool:
    """Whether a netns lab was made from here: by its own note, or where that is lost, by the machine's."""
    from dpvsbook.lab.emulated import NETNS_STATE

    if (state / NETNS_STATE).exists() or not Path("/run/dpvsbook").is_dir():
        return (state / NETNS_STATE).exists()
    from dpvsbook.lab.netns import record

    return record.of_state(state.resolve()) is not None


def __getattr__(name: str) -> object:
    """`dpvsbook.lab.Lab` and `LabError`, imported when they are asked for."""
    if name in ("Lab", "LabError"):
        from dpvsbook.lab import emulated

        return getattr(emulated, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
