"""record.json from its journal: pure, so that what a record says can be worked out again from what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dpvsbook.records.journal import Journal, parse_time

# What became of a change. Nothing is "verified" unless a read-back without it in the remaining plan says so.
PLANNED = "planned"
UNKNOWN = "unknown"  # it was being sent when the journal ends
SENT = "sent, not verified"
VERIFIED = "verified"
MISSING = "sent, not there when read back"


def assemble(header: Mapping[str, Any], journal: Journal) -> dict[str, Any]:
    """The document that record.json holds; the verdict is left to the caller."""
    document = dict(header)
    ended = next((event["t"] for event in reversed(journal.events) if event.get("t")), header["started"])
    document["ended"] = ended
    document["seconds"] = round((parse_time(ended) - parse_time(header["started"])).total_seconds(), 3)
    document["hosts"] = hosts(journal)
    document["steps"] = [_body(event) for event in journal.of("step")]
    document["changes"] = changes(journal)
    document["checks"] = [_body(event) for event in journal.of("check")]
    document["drift"] = [_body(event) for event in journal.of("drift")]
    document["commands"] = sum(1 for _ in journal.of("command"))
    error = journal.last("error")
    document["error"] = _body(error) if error else None
    if journal.cut:
        document["journal_cut"] = True
    return document


def hosts(journal: Journal) -> dict[str, dict[str, Any]]:
    """What the "open" events say of each host: {"lb1": {"host_key": "SHA256:…", "version": "1.10-2", …}}.

    An event either names one host ({host: "lb1", host_key: …}) or has them all ({hosts: {"lb1": {…}}, …}).
    """
    found: dict[str, dict[str, Any]] = {}
    for event in journal.of("open"):
        data = _body(event)
        if isinstance(data.get("hosts"), Mapping):
            for name, facts in data["hosts"].items():
                found.setdefault(name, {}).update(facts if isinstance(facts, Mapping) else {"detail": facts})
        elif "host" in data:
            name = str(data.pop("host"))
            found.setdefault(name, {}).update(data)
    return found


def changes(journal: Journal) -> list[dict[str, Any]]:
    """Every change that was planned, with what became of it (`result`), in order.

    "plan" starts a step on a director over; "applying" and "apply" say that it was (being) sent; "readback" says what is there now:
    {step, director, empty: bool, remaining: [key, …]} (without `remaining`, none of a non-empty one counts as there).
    """
    done: list[dict[str, Any]] = []
    current: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in journal.of("plan", "applying", "apply", "readback"):
        step, director = str(event.get("step", "")), str(event.get("director", ""))
        group = current.get((step, director), [])
        if event["kind"] == "plan":
            for item in group:  # planned again before anything was sent: the newer plan counts
                if item["result"] == PLANNED:
                    done.remove(item)
            group = [{"step": step, "director": director, **change, "result": PLANNED} for change in event.get("changes", ())]
            done += group
            current[step, director] = group
        elif event["kind"] == "applying":
            _settle(group, {PLANNED}, UNKNOWN)
        elif event["kind"] == "apply":
            _settle(group, {PLANNED, UNKNOWN}, SENT)
        else:
            remaining = event.get("remaining")
            for item in group:
                there = bool(event.get("empty")) or (remaining is not None and item.get("key", item.get("target")) not in remaining)
                if item["result"] in (SENT, UNKNOWN):
                    item["result"] = VERIFIED if there else MISSING
    return done


def _settle(group: list[dict[str, Any]], old: set[str], new: str) -> None:
    for item in group:
        if item["result"] in old:
            item["result"] = new


def _body(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "kind"}
