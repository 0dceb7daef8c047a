"""The rules between the values of a params file. Each yields what is broken, with the path of where it is to be mended."""

from __future__ import annotations

from collections.abc import Iterator

from dpvsbook.params import rules_build, rules_cluster, rules_sections, rules_services
from dpvsbook.params.model import Params
from dpvsbook.params.tree import Problem


def broken(params: Params) -> Iterator[Problem]:
    """Everything that is wrong between the values."""
    for part in (rules_cluster, rules_services, rules_sections, rules_build):
        for rule in part.RULES:
            yield from rule(params)
