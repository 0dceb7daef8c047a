"""Checking a dpvs.conf before dpvs sees it: its form, every item, and the rules between them (reference A1; F01 to F12, F66 to F75)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from dpvsbook.conf import items, lcores, memory, ports, queues
from dpvsbook.conf.finding import Finding
from dpvsbook.conf.items import BLOCK, BOND, ITEM, WORKER
from dpvsbook.conf.lines import Lines
from dpvsbook.conf.machine import Machine
from dpvsbook.conf.model import Conf, read
from dpvsbook.conf.parse import Node, parse_lenient
from dpvsbook.conf.values import take
from dpvsbook.errors import DpvsbookError

ONCE_CLEARED = ("netif_defs", "worker_defs")
"""Blocks that dpvs empties when it reads their first line, so that a second one replaces the first."""

OTHERWISE = {"mode": "fdir_mode"} | dict.fromkeys(("max_burst_size", "daemon", "fdir", "ipc_msg", "unix_domain", "rt6_array_size"), "")
"""Keys of older versions and of the tutorial, and what they are called now ("": they are gone)."""


class BadConf(DpvsbookError):
    """A dpvs.conf that dpvs would not start with, or not as it says."""

    exit_code = 4


def validate(text: str, machine: Machine | None = None) -> tuple[Finding, ...]:
    """Every finding, by line. Never raises: a text that isn't a dpvs.conf is a list of findings."""
    host = machine or Machine()
    tree = parse_lenient(text)
    found = [Finding(p.line, "form", p.message, p.silently, p.fix) for p in tree.problems]
    found += _block("", tree.nodes, host)
    conf, lines = read(tree.nodes), Lines.of(tree.nodes)
    for rule in (*ports.RULES, *queues.RULES, *lcores.RULES, *memory.RULES):
        found += rule(conf, host, lines)
    return tuple(sorted(found, key=lambda finding: (finding.line, finding.severity, finding.rule, finding.message)))


def require(text: str, machine: Machine | None = None, *, source: str = "dpvs.conf") -> Conf:
    """The values of a file without errors; warnings pass. Raises `BadConf` with a line for each error."""
    errors = [finding for finding in validate(text, machine) if finding.severity == "error"]
    if errors:
        told = [f"{source}:{e.line}: {e.message} (dpvs {e.silently})" for e in errors]
        raise BadConf("\n".join(told), remedy=errors[0].fix)
    return read(parse_lenient(text).nodes)


def _block(path: str, nodes: tuple[Node, ...], host: Machine) -> Iterator[Finding]:
    """The findings of one block: unknown keys, values, repetitions, order."""
    seen: dict[str, Node] = {}
    for node in nodes:
        here = f"{path}.{node.key}" if path else node.key
        if node.key == "include" and node.nodes is None and len(node.args) == 1:
            yield Finding(
                node.line,
                "include",
                f"{node.args[0]} is read in here, and was not checked",
                "reads it as if it stood here",
                "Check it too, or put it here.",
                "warning",
            )
            continue
        if here in BLOCK:
            yield from _known_block(here, node, seen, host)
        elif here in ITEM:
            yield from _item(here, node, seen, host)
        else:
            yield _unknown(path, node)
        seen[f"{here} {node.name}" if here in BLOCK else here] = node
    if path == WORKER:
        yield from _worker_order(nodes)
    if path == BOND:
        yield from _bond_order(nodes)


def _known_block(path: str, node: Node, seen: dict[str, Node], host: Machine) -> Iterator[Finding]:
    block = BLOCK[path]
    if node.nodes is None:
        yield Finding(
            node.line,
            "form",
            f"{node.key} is a block, and has no braces",
            "takes the lines after it for its own",
            f"Write {node.key} {{ … }} on lines of their own.",
        )
        return
    if block.named and not node.name:
        yield Finding(node.line, "form", f"{node.key} has no name", "reads beyond the line", f"Name it: {node.key} NAME {{")
    if not block.named and node.args:
        yield Finding(node.line, "form", f"{node.key} takes no name: {' '.join(node.args)}", "skips it", "Take it away.", "warning")
    before = seen.get(f"{path} {node.name}")
    if before is not None and block.named:
        yield Finding(
            node.line, "twice", f"{node.key} {node.name} is there twice (line {before.line})", "counts both, and uses one", "Keep one."
        )
    elif before is not None:
        told = "empties it and takes the second alone" if path in ONCE_CLEARED else "takes both, the last value of each item"
        yield Finding(
            node.line,
            "twice",
            f"{node.key} is there twice (line {before.line})",
            told,
            "Make one of both.",
            "error" if path in ONCE_CLEARED else "warning",
        )
    yield from _block(path, node.nodes, host)


def _item(path: str, node: Node, seen: dict[str, Node], host: Machine) -> Iterator[Finding]:
    item = ITEM[path]
    if node.nodes is not None:
        yield Finding(
            node.line,
            "form",
            f"{node.key} is no block",
            "takes its closing brace for the end of the block around it",
            "Take the braces away.",
        )
        return
    taken = take(item, node.args)
    if taken.problem:
        yield Finding(node.line, "value", taken.problem, taken.silently, f"{item.name} takes {item.takes}.")
    if path in seen and path != f"{BOND}.slave":
        yield Finding(
            node.line, "twice", f"{item.name} is there twice (line {seen[path].line})", "takes the last one", "Keep one.", "warning"
        )
    if item.since and items.version(host.version) < items.version(item.since) and host.version.count(".") > 1:
        yield Finding(
            node.line,
            "version",
            f"{item.name} is there from {item.since} on, and this is for {host.version}",
            "skips it, with a line in its log",
            "Take it away, or upgrade.",
            "warning",
        )


def _unknown(path: str, node: Node) -> Finding:
    known = items.keys_in(path)
    where = f"in {path.rpartition('.')[2]}" if path else "in the file itself"
    near = difflib.get_close_matches(node.key, known, n=1, cutoff=0.6)
    elsewhere = sorted({items.parent(p) for p in (*ITEM, *BLOCK) if p.rpartition(".")[2] == node.key})
    if OTHERWISE.get(node.key) == "":
        fix = "No version of today has it: take it away."
    elif OTHERWISE.get(node.key) in known:
        fix = f"Did you mean {OTHERWISE[node.key]}?"
    elif near:
        fix = f"Did you mean {near[0]}?"
    elif elsewhere:
        fix = f"It belongs in {' or '.join(block or 'the file itself' for block in elsewhere)}."
    else:
        fix = f"Known here: {', '.join(known)}."
    silently = "skips the line, with a word in its log"
    if node.nodes is not None:
        around = f"the end of {path.rpartition('.')[2]}, so that what follows there is lost" if path else "nothing"
        silently = f"reads its lines as lines of the block around it, and takes its closing brace for {around}"
    return Finding(node.line, "unknown", f"{node.key} is not known {where}", silently, fix)


def _worker_order(nodes: tuple[Node, ...]) -> Iterator[Finding]:
    """What dpvs does with a line depends on those before it."""
    first = {node.key: node for node in reversed(nodes)}
    kind, cpu = first.get("type"), first.get("cpu_id")
    if kind is not None and cpu is not None and kind.args[:1] == ("kni",) and cpu.line < kind.line:
        yield Finding(
            cpu.line, "order", "cpu_id stands before type kni", "does not note which lcore has the KNI devices", "Put type before cpu_id."
        )


def _bond_order(nodes: tuple[Node, ...]) -> Iterator[Finding]:
    first = {node.key: node for node in reversed(nodes)}
    options, mode = first.get("options"), first.get("mode")
    if options is not None and (mode is None or mode.line > options.line):
        yield Finding(
            options.line,
            "order",
            "options stands before mode",
            "skips it: dedicated_queues is for mode 4, which it doesn't know yet",
            "Put mode first.",
        )


__all__ = ["BadConf", "Finding", "Machine", "require", "validate"]
