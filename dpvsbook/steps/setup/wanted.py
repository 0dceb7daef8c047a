"""The dpvs.conf that a host shall have."""

from __future__ import annotations

from dpvsbook.conf.desired import desired
from dpvsbook.conf.model import Conf, read
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.facts.setup import SetupState
from dpvsbook.params import Director
from dpvsbook.steps.setup.common import conf_path


def existing_conf(director: Director, state: SetupState) -> Conf | None:
    """What the site has, read back; None where it has no file."""
    file = state.files.get(conf_path(director))
    return read(parse_lenient(file.text).nodes) if file else None


def wanted_conf(director: Director, state: SetupState) -> Conf:
    """The site's own settings with the params' over them. A first file has KNI off where the host can't have it."""
    can = state.vhost_net or "modprobe" in state.tools
    return desired(director, existing_conf(director, state), kni=None if can or state.files.get(conf_path(director)) else False)
