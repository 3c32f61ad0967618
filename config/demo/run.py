"""The demonstration's course: import, fulfil, cancel, hand over, deliver, return, then the books.

Every part may be killed and run again: each looks at the rows and does what is left.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config.demo.figures import Counts, counts
from config.demo.show import Show, progress_line
from config.embedded.stack import MANAGE, Stack
from config.embedded.state import BASE_DIR
from orders.commands import create_shop
from sagas import feed
from sagas.bus import Subscription, subscriptions
from sagas.clock import database_now
from sagas.log import Token
from sagas.sql import rows

SAMPLE = BASE_DIR / "samples" / "online-retail.csv.gz"
SHOP = "online-retail"
#: Orders in the sample; only the progress line uses it.
SAMPLE_ORDERS = 2_172
#: Nothing moved for so long: something is stuck, and the run says what.
STALL_SECONDS = 90.0
LOOK_SECONDS = 0.25

POSITIONS = "SELECT subscription, shard, era, xid, position FROM sagas_checkpoint WHERE state = 'running'"
WAITING_CANCELLATIONS = """
SELECT count(*) FROM orders_creditnote n WHERE n.state = 'waiting' AND n.kind = 'cancellation'
   AND NOT EXISTS (SELECT FROM sagas_saga s WHERE s.subject_id = n.order_id AND s.hold = 'parked')
"""
WAITING_NOTES = """
SELECT count(*) FROM orders_creditnote n WHERE n.state = 'waiting'
   AND NOT EXISTS (SELECT FROM sagas_saga s WHERE s.subject_id = n.order_id AND s.hold = 'parked')
"""
LAST_EVENT = "SELECT era, xid, position FROM sagas_event ORDER BY era DESC, xid DESC, position DESC LIMIT 1"
OPEN_STEPS = """
SELECT t.name, t.verdict, count(*) FROM sagas_step t JOIN sagas_saga s ON s.id = t.saga_id
 WHERE t.finished_at IS NULL AND s.hold <> 'parked' GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 10
"""


class Stalled(Exception):
    """Nothing moves any more and not everything is final. The message says what is left."""


@dataclass
class Course:
    """One demonstration on a running stack."""

    stack: Stack
    show: Show
    seed: str
    style: str
    file: Path = SAMPLE
    started: float = 0.0

    def run(self) -> None:
        """Do everything that is left."""
        self.started = time.monotonic()
        self._create_shop()
        self._import_and_fulfil()
        self._until("cancellations before hand-over", lambda: rows(WAITING_CANCELLATIONS)[0][0] == 0)
        self.show.phase("Handing over to the carrier and delivering")
        self.stack.manage("pick_up", "--all")
        self._until("hand-over", lambda: True)
        self.stack.manage("deliver", "--all")
        self._until("delivery", lambda: True)
        self.show.phase("Taking goods back")
        self._until("returns", lambda: rows(WAITING_NOTES)[0][0] == 0)
        self.show.still()

    def _create_shop(self) -> None:
        if not rows("SELECT 1 FROM orders_shop WHERE slug = %s", [SHOP]):
            create_shop("Online Retail", slug=SHOP, now=database_now())

    def _import_and_fulfil(self) -> None:
        self.show.phase(f"Importing {self.file.name} and fulfilling its orders")
        report = self.stack.state.root / "import-report.csv"
        child = self._start(
            "import_orders", str(self.file), "--format", "online-retail", "--shop", SHOP,
            "--scarce", self.seed, "--style", self.style, "--report", str(report),
        )  # fmt: skip
        try:
            while child.poll() is None:
                self._look()
        finally:
            if child.poll() is None:
                child.terminate()
        if child.returncode:
            raise Stalled(f"The import failed; see {self._log('import_orders')}")
        self._until("fulfilment", lambda: True)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with self._log(arguments[0]).open("ab") as log:
            return subprocess.Popen(
                [*MANAGE, *arguments],
                cwd=BASE_DIR,
                env=os.environ | self.stack.env | {"WAYBILL_ROLE": "manage"},
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )

    def _log(self, name: str) -> Path:
        return self.stack.state.logs / f"{name}.log"

    def _until(self, what: str, also: Callable[[], bool]) -> None:
        """Watch until everything is quiet and `also` holds. Raises Stalled when nothing moves for long."""
        last, since = None, time.monotonic()
        while True:
            now = self._look()
            if now.unfinished == 0 and also() and at_rest():
                return
            mark = (now, rows(LAST_EVENT))
            if mark != last:
                last, since = mark, time.monotonic()
            elif time.monotonic() - since > STALL_SECONDS:
                raise Stalled(f"{what}: nothing moved for {STALL_SECONDS:.0f} s. Left: {rows(OPEN_STEPS)}")

    def _look(self) -> Counts:
        time.sleep(LOOK_SECONDS)
        now = counts()
        seconds = time.monotonic() - self.started
        self.show.progress(progress_line(now, orders_in_all=SAMPLE_ORDERS, seconds=seconds))
        return now


def lagging() -> list[str]:
    """Subscriptions with events still to be delivered."""
    return _lagging(subscriptions())


def at_rest() -> bool:
    """Whether nothing is still to be delivered, but to readers that look only now and then."""
    return not _lagging([sub for sub in subscriptions() if not sub.every])


def _lagging(wanted: Sequence[Subscription]) -> list[str]:
    at = {(name, shard): Token(e, x, p) for name, shard, e, x, p in rows(POSITIONS)}
    start = Token(0, 0, 0)
    each = [(sub, shard, at.get((sub.name, shard), start)) for sub in wanted for shard in range(sub.shards)]
    last = feed.newest(min(token for _, _, token in each))
    return [sub.task(shard) for sub, shard, token in each if token < _last_for(sub, last, start)]


def _last_for(sub: Subscription, last: Mapping[tuple[str, bool], Token], start: Token) -> Token:
    """Where the last event stands that a subscription wants."""
    return max(
        (token for (type_, led), token in last.items() if type_ in sub.types and not (led and sub.unled)),
        default=start,
    )
