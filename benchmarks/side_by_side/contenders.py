"""Everyone who is measured, in the order of the report."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.side_by_side.contender import Contender
from benchmarks.side_by_side.limits import LIMITS
from benchmarks.side_by_side.peers import PEERS
from benchmarks.side_by_side.waybill.contender import StepByStep, WaybillContender

ALL: tuple[type[Contender], ...] = (WaybillContender, StepByStep, *PEERS, *LIMITS)


class Unknown(Exception):
    """Nobody has that name. The message says who there is."""


def named(names: Sequence[str]) -> tuple[type[Contender], ...]:
    """Those with these names; everyone when none is given. Raises Unknown."""
    known = {kind.name: kind for kind in ALL}
    if strange := [name for name in names if name not in known]:
        raise Unknown(f"No contender is called {', '.join(strange)}. There are: {', '.join(known)}.")
    return tuple(known[name] for name in known if not names or name in names)
