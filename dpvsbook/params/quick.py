"""The nodes of an ordinary YAML text in a sixth of the time: libyaml's events, put together here.

It only ever says yes: whatever is out of the ordinary (a tag, a directive, a second document, any error at all) is left to ruamel.yaml,
whose judgement and whose words count. libyaml's own composer is not used: it follows 2,000 nested lists until the stack is gone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

_CORE: Final = "tag:yaml.org,2002:"
_OTHERWISE_READ: Final = re.compile(r"""^%|\t|["']:\S|[{,]\s*:|[&*]\S*:""", re.MULTILINE)
"""Directives; and what the two take differently: tabs, a key in quotes with no space behind its colon, a key that
isn't there, an anchor with a colon."""

_DEEP: Final = 100
"""More than `tree` allows; libyaml's scanner takes minutes for 200,000 open brackets, so it is stopped here."""

_SPECIAL: Final = frozenset({"=", "<<", "!", "&", "*"})
_FORMS: Final = tuple(
    (f"{_CORE}{name}", re.compile(form))
    for name, form in {
        "null": r"~?|null|Null|NULL",
        "bool": r"true|True|TRUE|false|False|FALSE",
        "int": r"[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9][0-9_]*|(?<=[-+])_[0-9_]*|0x[0-9a-fA-F_]+)",
        "float": r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)|\.[0-9_]+(?:[eE][-+][0-9]+)?|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)",
    }.items()
)
_STR: Final = f"{_CORE}str"


@dataclass(slots=True, eq=False)
class ScalarNode:
    """As ruamel.yaml's, as far as `tree` looks at it."""

    tag: str
    value: Any
    start_mark: Any


class SequenceNode(ScalarNode):
    """`value`: a list of nodes."""

    __slots__ = ()


class MappingNode(ScalarNode):
    """`value`: a list of pairs of nodes."""

    __slots__ = ()


class _OutOfTheOrdinary(Exception):
    pass


def nodes(text: str) -> ScalarNode | None:
    """The root node, or None where ruamel.yaml is to have a look."""
    if _OTHERWISE_READ.search(text):
        return None
    try:
        from yaml import YAMLError  # type: ignore[import-untyped, unused-ignore]
        from yaml.cyaml import CParser  # type: ignore[import-untyped, unused-ignore]
    except ImportError:  # PyYAML was built without libyaml
        return None
    try:
        parser = CParser(text)
    except UnicodeEncodeError:  # half a surrogate pair
        return None
    try:
        return _compose(parser.get_event)
    except (YAMLError, _OutOfTheOrdinary):
        return None
    finally:
        parser.dispose()


def _compose(following: Any) -> ScalarNode | None:
    """Without recursion: `tree` says how deep is too deep."""
    from yaml import events

    anchors: dict[str, ScalarNode] = {}
    tags: dict[str, str] = {}
    root: ScalarNode | None = None
    open_nodes: list[tuple[ScalarNode, list[ScalarNode]]] = []
    while not isinstance(event := following(), events.StreamEndEvent):
        kind = type(event)
        if kind is events.ScalarEvent:
            if event.tag is not None:
                raise _OutOfTheOrdinary
            node = ScalarNode(_tag(event.value, tags) if event.implicit[0] else _STR, event.value, event.start_mark)
        elif kind is events.SequenceStartEvent or kind is events.MappingStartEvent:
            if event.tag is not None:
                raise _OutOfTheOrdinary
            made, name = (SequenceNode, "seq") if kind is events.SequenceStartEvent else (MappingNode, "map")
            node = made(f"{_CORE}{name}", [], event.start_mark)
        elif kind is events.AliasEvent:
            if event.anchor not in anchors:
                raise _OutOfTheOrdinary
            open_nodes[-1][1].append(anchors[event.anchor])
            continue
        elif kind is events.SequenceEndEvent or kind is events.MappingEndEvent:
            node, inside = open_nodes.pop()
            node.value += inside if kind is events.SequenceEndEvent else zip(inside[::2], inside[1::2], strict=True)
            continue
        elif kind is events.DocumentStartEvent and root is not None:
            raise _OutOfTheOrdinary
        else:
            continue
        if event.anchor is not None:
            if event.anchor in anchors:
                raise _OutOfTheOrdinary
            anchors[event.anchor] = node
        if open_nodes:
            open_nodes[-1][1].append(node)
        elif kind is events.ScalarEvent:  # a lone word is no params file
            raise _OutOfTheOrdinary
        else:
            root = node
        if kind is not events.ScalarEvent:
            open_nodes.append((node, []))
            if len(open_nodes) > _DEEP:
                raise _OutOfTheOrdinary
    return root


def _tag(text: str, known: dict[str, str]) -> str:
    """What a plain scalar is by YAML 1.2's core schema, as ruamel.yaml reads it (which has dates too; they are text to `tree`)."""
    found = known.get(text)
    if found is None:
        if text in _SPECIAL:
            raise _OutOfTheOrdinary
        found = known[text] = next((tag for tag, form in _FORMS if form.fullmatch(text)), _STR)
    return found
