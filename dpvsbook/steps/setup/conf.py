"""dpvs.conf: what a site has with the params over it, checked, written, and given to a running dpvs by SIGHUP."""

from __future__ import annotations

from dpvsbook.conf.diff import Difference, diff
from dpvsbook.conf.parse import parse_lenient
from dpvsbook.conf.validate import validate
from dpvsbook.conf.write import write
from dpvsbook.facts.setup import SetupState
from dpvsbook.hostplan import HostChange, HostPlan, Refusal
from dpvsbook.params import Director, Params
from dpvsbook.steps.setup.command import machine
from dpvsbook.steps.setup.common import conf_path, file_change, loaded_file, pid_file
from dpvsbook.steps.setup.wanted import existing_conf, wanted_conf


def plan_conf(params: Params, director: Director, state: SetupState) -> HostPlan:
    """dpvs.conf. Refused where it would not start, or not as it says; what each change needs is said before it happens."""
    path, file = conf_path(director), state.files.get(conf_path(director))
    old, new = existing_conf(director, state), wanted_conf(director, state)
    text = write(new, head=(f"director {director.name} of {params.name}",))
    findings = validate(text, machine(params, director, state))
    refused = [Refusal(path, f"{f.message}: dpvs {f.silently}", f.fix) for f in findings if f.severity == "error"]
    notes = [str(f) for f in findings if f.severity == "warning"]
    if file is not None:
        notes += [f"The file there: {f}" for f in validate(file.text, machine(params, director, state)) if f.severity == "error"]
    differences = diff(old, new) if old else ()
    same = old is not None and not differences and file is not None and not parse_lenient(file.text).problems
    changes: list[HostChange] = []
    if not same:  # the same values in somebody's own words stay as they are
        reason = (
            "there is none" if old is None else "; ".join(map(str, differences)) or "the same values, in a form that dpvs reads otherwise"
        )
        changes += file_change(state, path, text, reason)
    if not refused:
        changes += _reload(director, state, differences, changed=bool(changes))
        notes += _restart(state, differences)
    return HostPlan("conf", director.name, () if refused else tuple(changes), tuple(refused), tuple(notes))


def _reload(director: Director, state: SetupState, differences: tuple[Difference, ...], *, changed: bool) -> list[HostChange]:
    """SIGHUP to a running dpvs that has not read the file as it is, or will be, there. What needs a restart it passes by."""
    if state.dpvs is None or (state.dpvs.has_read and not changed):
        return []
    restart = tuple(dict.fromkeys((*state.dpvs.restart, *(d.what for d in differences if d.needs == "restart"))))
    taken = [d.what for d in differences if d.needs == "reload"]
    reason = f"dpvs takes {', '.join(taken)} without losing a connection" if taken else "dpvs has not read the file since it was changed"
    where = {"conf": conf_path(director), "pid_file": pid_file(director), "loaded": loaded_file(director)}
    return [
        HostChange("reload", f"dpvs {state.dpvs.pid}", {**where, "read": False}, {**where, "read": True, "restart": list(restart)}, reason)
    ]


def _restart(state: SetupState, differences: tuple[Difference, ...]) -> list[str]:
    """What a running dpvs takes by a restart only: said before it, and as long as it is so."""
    if state.dpvs is None:
        return []
    now = [d.what for d in differences if d.needs == "restart"]
    lost = "every connection and everything in its memory is lost then"
    notes = [f"Needs a restart of dpvs, which this does not do: {', '.join(now)}; {lost}"] if now else []
    if earlier := [what for what in state.dpvs.restart if what not in now]:
        notes.append(f"dpvs still runs without what an earlier change needs a restart for: {', '.join(earlier)}")
    return notes
