"""What dpvs makes of the words behind an item, and how a value is written."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dpvsbook.conf.items import Item, Value

_PLAIN = re.compile(r"""[^\s"{}<!#][^\s"{}]*""")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,14}")


@dataclass(frozen=True, slots=True)
class Taken:
    """What dpvs makes of a value: `value` (None: the default). Where that isn't what stands there, `problem` and `silently` say so."""

    value: Value | None
    problem: str = ""
    silently: str = ""


def atoi(text: str) -> int:
    """The number that C makes of a word: its leading digits, 0 where there are none."""
    found = re.match(r"[+-]?\d+", text)
    return int(found[0]) if found else 0


def take(item: Item, args: tuple[str, ...]) -> Taken:
    """What dpvs makes of an item's arguments, and what is wrong with them."""
    if item.form == "flag":
        if args:
            return Taken(True, f"{item.name} is a flag, and {' '.join(args)!r} is not looked at", "turns it on, whatever follows")
        return Taken(True)
    if not args:
        return Taken(None, f"{item.name} has no value: it takes {item.takes}", "aborts with an assertion, or reads beyond the line")
    if item.form == "ints":
        return _ints(item, args)
    taken = _one(item, args[0])
    if len(args) > 1 and not taken.problem:
        return Taken(taken.value, f"{item.name} takes one value, and there are {len(args)}: {' '.join(args)}", f"takes {args[0]} only")
    return taken


def _wrong(item: Item, text: str, value: Value | None = None, silently: str = "") -> Taken:
    default = "no default" if item.default is None else show(item, item.default)
    said = silently or item.bad or (f"takes the default, {default}" if item.default is not None else "takes it as it stands")
    return Taken(value, f"{item.name} {text} is not valid: it takes {item.takes}", said)


def _one(item: Item, text: str) -> Taken:
    if item.form == "int":
        number = atoi(text)
        inside = number >= (item.low or 0) and (item.high is None or number <= item.high)
        if re.fullmatch(r"\d+", text):
            return Taken(number) if inside else _wrong(item, text)
        strict = item.name in ("cpu_id", "isol_rxq_ring_sz")
        return _wrong(item, text, number, f"takes {number}") if inside and number and not strict else _wrong(item, text)
    if item.form == "switch":
        return Taken(text.lower() == "on") if text.lower() in ("on", "off") else _wrong(item, text)
    if item.form == "word":
        plain = text.lower() if item.any_case else text
        return Taken(plain) if plain in item.words else _wrong(item, text)
    if item.form == "words":
        if all(word in item.words for word in text.split("|")):
            return Taken(text)
        return _wrong(item, text, None, "skips the words that it doesn't know" if "|" in text[1:] else "")
    if item.form == "hex":
        return Taken(None) if not text else Taken(text.lower()) if re.fullmatch(r"[0-9A-Fa-f]{32}", text) else _wrong(item, text)
    if item.form == "options":
        found = re.fullmatch(r"dedicated_queues=(on|off|enable|disable)", text, re.IGNORECASE)
        on = found is not None and found[1].lower() in ("on", "enable")
        return Taken(f"dedicated_queues={'on' if on else 'off'}") if found else _wrong(item, text)
    if item.form == "name":
        return Taken(text) if _NAME.fullmatch(text) else _wrong(item, text)
    return Taken(text) if text.startswith("/") and _PLAIN.fullmatch(text) else _wrong(item, text, text)


def _ints(item: Item, args: tuple[str, ...]) -> Taken:
    low, high = item.low or 0, item.high if item.high is not None else 2**31 - 1
    bad = [text for text in args if not re.fullmatch(r"\d+", text) or not low <= int(text) <= high]
    value = tuple(number if low <= (number := atoi(text)) <= high else 0 for text in args)
    return _wrong(item, " ".join(bad), value) if bad else Taken(value)


def show(item: Item, value: Value) -> str:
    """A value as it stands in the file; a flag has none."""
    if item.form == "flag":
        return ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return " ".join(str(part) for part in value) if isinstance(value, tuple) else str(value)
