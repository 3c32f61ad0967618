"""The calls of the flow and nothing else: what Waybill asks of gateway and carrier for an order, by its own client."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID, uuid4

from benchmarks.full_flow.goods import CARD, COUNTRY, CURRENCY, address_of, name_of
from benchmarks.full_flow.side import part_of
from benchmarks.side_by_side import workload
from benchmarks.side_by_side.workload import Wanted
from sagas.resilience.http import HttpClient

INTENTS, SHIPMENTS = "/v1/payment_intents", "/carrier/v1/shipments"


@dataclass(frozen=True, kw_only=True)
class Task:
    """So many orders of one name, to one sandbox, so many calls at once in each process."""

    url: str
    name: str
    orders: int
    shop_id: UUID
    concurrency: int


class Caller:
    """Two clients, as a worker process has them."""

    def __init__(self, task: Task) -> None:
        self.shop_id = task.shop_id
        self.gateway, self.carrier = (
            HttpClient(
                task.url, provider=provider, pool_size=task.concurrency,
                headers={"Authorization": "Bearer sk_sandbox"},
            )
            for provider in ("gateway", "carrier")
        )  # fmt: skip

    def fulfil(self, order: Wanted) -> None:
        """Create and confirm the payment, buy the label, take the money. Raises RuntimeError for any no."""
        key = uuid4()
        metadata = {"order_id": order.id, "shop_id": self.shop_id, "reference": order.reference, "key": key}
        intent = self._pay("create", INTENTS, key, {
            "amount": order.total_minor, "currency": CURRENCY.lower(), "capture_method": "manual",
            "payment_method": CARD, "metadata": metadata,
        })  # fmt: skip
        self._pay("confirm", f"{INTENTS}/{intent}/confirm", key, {})
        self._book(order)
        self._pay("capture", f"{INTENTS}/{intent}/capture", key, {"amount_to_capture": order.total_minor})

    def _pay(self, act: str, path: str, key: UUID, fields: dict[str, object]) -> str:
        answer = self.gateway.post_form(path, fields, operation=act, key=f"{key}:{act}")
        if not answer.ok:
            raise RuntimeError(f"{act}: {answer.status} {answer.json}")
        return str(answer.json["id"])

    def _book(self, order: Wanted) -> None:
        key = uuid4()
        body = {
            "reference": order.reference,
            "ship_to": {"name": name_of(order), **address_of(order), "country": COUNTRY},
            "units": sum(line.quantity for line in order.lines), "parcels": 1, "service": "standard",
            "metadata": {"key": str(key)},
        }  # fmt: skip
        answer = self.carrier.post_json(SHIPMENTS, body, operation="book", key=f"{key}:book")
        if not answer.ok:
            raise RuntimeError(f"book: {answer.status} {answer.json}")


def prepare(task: Task, part: int, of: int) -> Callable[[], None]:
    """Threads and every so-many-th order: see `side.run`."""
    mine = part_of(workload.orders(task.name, task.orders), part, of)
    caller, threads = Caller(task), ThreadPoolExecutor(task.concurrency)

    def go() -> None:
        for _ in threads.map(caller.fulfil, mine):
            pass  # an order that failed raises here

    return go
