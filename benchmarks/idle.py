"""Nothing to do: one connection and one round trip, against `true` over a new connection of the same library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks import labs
from benchmarks.distance import away
from benchmarks.measure import Row, in_turn, row, seconds

AWAY = 0.01
"""Seconds to a director in another city, one way: on loopback the whole exchange takes less than reading nine lists does."""


def measure(rounds: int = 15) -> Iterator[Row]:
    """open_book in apply mode and all steps, where everything is there already."""
    from dpvsbook import params, steps
    from dpvsbook.book import open_book
    from dpvsbook.hosts import Command, Host, Target

    with labs.up(1) as (lab, file, folder):
        ssh = params.load(file).directors[0].ssh
        labs.empty(lab)

        config = Path(lab.ssh_config)

        def ours() -> None:
            book = open_book(file, "apply", ssh_config=config, outputs=folder / "outputs")
            steps.converge(book)
            book.close()
            trips.append(book.sites["lb1"].host.round_trips)

        def theirs() -> None:
            with Host("lb1", Target.resolve("lb1", ssh, ssh_config=config)) as host:
                host.run([Command(("true",))])

        trips: list[int] = []
        ours()
        trips.clear()
        pairs = in_turn(lambda: seconds(ours), lambda: seconds(theirs), rounds=rounds)
        with away(config, folder, AWAY) as config:
            far = in_turn(lambda: seconds(ours), lambda: seconds(theirs), rounds=5)
    if set(trips) != {1}:
        raise SystemExit(f"round trips where nothing is to be done: {trips}, not one each")
    yield row("nothing to do: open, look, four empty plans / ssh true, same library", pairs, at_most=1.3, note="one round trip")
    yield row(f"the same, of a director that is {2000 * AWAY:g} ms away and back", far, at_most=1.3, note="one round trip")
