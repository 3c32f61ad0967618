"""The peers of `make bench`: engines and habits that do the same work, each in its best style.

Nothing a peer needs besides is imported before it is asked for, so that this package can be imported without.
"""

from __future__ import annotations

from benchmarks.side_by_side.contender import Contender
from benchmarks.side_by_side.peers.absurd import Absurd
from benchmarks.side_by_side.peers.dbos import Dbos
from benchmarks.side_by_side.peers.on_celery import Canvas, DjangoCelery
from benchmarks.side_by_side.peers.restate import Restate
from benchmarks.side_by_side.peers.temporal import Temporal

PEERS: tuple[type[Contender], ...] = (DjangoCelery, Canvas, Dbos, Absurd, Restate, Temporal)

__all__ = ["PEERS"]
