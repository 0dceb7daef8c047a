"""The look at a director as a host: the files of its setup, and its dpvs, if one runs."""

from __future__ import annotations

from collections.abc import Iterable

from dpvsbook.facts.setup_look import script
from dpvsbook.params import Director
from dpvsbook.steps.setup.common import MODULES_AT_BOOT, PAGES_AT_BOOT, conf_path, loaded_file, pid_file, restore_path
from dpvsbook.steps.setup.units import unit_names, unit_paths


def look(director: Director, more: Iterable[str] = ()) -> str:
    """The script. `more`: files to read beside the setup's own."""
    own = (conf_path(director), PAGES_AT_BOOT, MODULES_AT_BOOT, restore_path(director), *unit_paths(director))
    dpvs = (pid_file(director), conf_path(director), loaded_file(director))
    return script(dict.fromkeys((*own, *more)), dpvs, unit_names(director))
