"""record.json from its journal: pure, so that what a record says can be worked out again from what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from dpvsbook.records.journal import Journal, parse_time

# What became of a change. Nothing counts as there that wasn't read back.
PLANNED = "planned"  # a preview: it was never to be sent
NOT_SENT = "not sent"  # an error came before it
NOT_KNOWN = "not known"  # the connection or the run broke off while it was being sent
NOT_THERE = "not there"  # sent, and reading back showed that it isn't so
READ_BACK = "read back"  # sent, and seen


def assemble(header: Mapping[str, Any], journal: Journal) -> dict[str, Any]:
    """The document that record.json holds; the verdict is left to the caller."""
    document = dict(header)
    ended = next((event["t"] for event in reversed(journal.events) if event.get("t")), header["started"])
    document["ended"] = ended
    document["seconds"] = round((parse_time(ended) - parse_time(header["started"])).total_seconds(), 3)
    document["hosts"] = hosts(journal)
    document["steps"] = [_body(event) for event in journal.of("step")]
    document["changes"] = changes(journal, str(header.get("mode", "")))
    document["checks"] = [_body(event) for event in journal.of("check")]
    document["drift"] = drift(journal)
    document["commands"] = sum(1 for _ in journal.of("command"))
    undone = journal.last("undoes")
    if undone:
        document["undoes"] = undone.get("record")
    error = journal.last("error")
    document["error"] = _body(error) if error else None
    if journal.cut:
        document["journal_cut"] = True
    return document


def hosts(journal: Journal) -> dict[str, dict[str, Any]]:
    """What the "open" events say of each host: {"lb1": {"role": "director", "host_key": "SHA256:…", "dpvs": "1.10-2", …}}."""
    found: dict[str, dict[str, Any]] = {}
    for event in journal.of("open"):
        for row in event.get("hosts", ()):
            found.setdefault(str(row["host"]), {}).update({key: value for key, value in row.items() if key != "host"})
    return found


def drift(journal: Journal) -> list[dict[str, Any]]:
    """What is on the directors and not in the params, as the last plan of each step has it."""
    last = {(str(event.get("step", "")), str(event.get("director", ""))): event for event in journal.of("plan")}
    return [{"step": step, "director": director, **item} for (step, director), event in last.items() for item in event.get("drift", ())]


def changes(journal: Journal, mode: str) -> list[dict[str, Any]]:
    """Every change that was planned, with what became of it (`result`, see the constants), in order.

    "plan" {step, director, changes} starts a step on a director over; "applying" says that its changes are about to be sent; "apply" that
    they were, each of its changes with its result; "lost" that the connection broke off; "readback" {empty} what a later look showed.
    """
    done: list[dict[str, Any]] = []
    current: dict[tuple[str, str], list[dict[str, Any]]] = {}
    sending: set[tuple[str, str]] = set()
    for event in journal.of("plan", "applying", "apply", "lost", "readback"):
        where = str(event.get("step", "")), str(event.get("director", ""))
        group = current.setdefault(where, [])
        if event["kind"] == "plan":
            for item in group:  # planned again before anything was sent: the newer plan counts
                if item["result"] == PLANNED:
                    done.remove(item)
            current[where] = _new(where, event.get("changes", ()))
            done += current[where]
        elif event["kind"] == "applying":
            sending.add(where)
        elif event["kind"] in ("apply", "lost"):
            sending.discard(where)
            _settle(where, group, done, event)
        elif event.get("empty"):
            for item in group:
                if item["result"] in (NOT_THERE, NOT_KNOWN):
                    item["result"] = READ_BACK
    if mode != "preview":
        broke_off = _broke_off(journal)
        for item in done:
            if item["result"] == PLANNED:
                item["result"] = NOT_KNOWN if broke_off or (item["step"], item["director"]) in sending else NOT_SENT
    return done


def _settle(where: tuple[str, str], group: list[dict[str, Any]], done: list[dict[str, Any]], event: Mapping[str, Any]) -> None:
    """Puts the results of an "apply" or "lost" event to the planned changes; a change that wasn't planned is added."""
    known = {(item.get("kind"), item.get("key")): item for item in group}
    default = NOT_THERE if event["kind"] == "apply" else NOT_KNOWN  # until it is said to be read back
    for change in event.get("changes", ()):
        item = known.pop((change.get("kind"), change.get("key")), None)
        if item is None:
            (item,) = _new(where, [change])
            group.append(item)
            done.append(item)
        item |= {**change, "result": change.get("result", default)}
    for item in known.values():
        if event.get("changes"):  # it was planned again just before it was sent, without this one
            done.remove(item)
        else:
            item["result"] = default


def _new(where: tuple[str, str], found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"step": where[0], "director": where[1], **change, "result": PLANNED} for change in found]


def _broke_off(journal: Journal) -> bool:
    """Whether the run ended in the middle: its last plan has no outcome, and no error says that nothing was sent."""
    for event in reversed(journal.events):
        if event["kind"] in ("error", "apply", "lost", "step", "verdict"):
            return False
        if event["kind"] == "plan" and event.get("changes"):
            return True
    return False


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "kind"}
