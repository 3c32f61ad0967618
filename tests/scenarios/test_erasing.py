"""F81: somebody is erased after everything that can happen to orders, and nobody finds them anywhere again."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from config.logging import configure_logging
from orders.contract import OrderPlaced
from orders.models import Order
from sagas import log
from sagas.bus import subscription, unsubscribe
from sagas.erasure import find_people
from sagas.log import Recorded
from sagas.models import ParkedEvent, SagaStep
from sagas.personal import Person
from sagas.verdicts import Refused
from shipping.carriers.http import HttpCarrier
from tests import services
from tests.api.counter import ORDERS, Counter, an_order, problem
from tests.orders.imports.builders import Given, write
from tests.scenarios import needles
from tests.scenarios.fulfilment import Fulfilment

NAME, RECEIVER = "Zyphora Quellmuth", "Balthus Quellmuth"
EMAIL = "zyphora@quellmuth.example"
STREET, CITY, PHONE = "Xanthippengasse 4711", "Quorlingen", "+49 5555 987654"
CUSTOMER = "kunde-zyphora-77"
NEEDLES = ["zyphora", "quellmuth", "xanthippen", "quorlingen", "5555 987654"]
#: What the database is told of an erasure by the way: the feed and its readers move on.
MOVES_ON = ("sagas_person", "sagas_erasure", "sagas_event", "sagas_checkpoint")


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything this process logs."""
    out = io.StringIO()
    configure_logging(style="json", level="INFO")
    handlers = logging.getLogger().handlers
    for handler in handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(out)
    yield out
    configure_logging(style="json", level="WARNING")


@pytest.fixture
def counter(fulfilment: Fulfilment) -> Counter:
    """The shop's side of the API, with goods on its shelf."""
    counter = Counter.open("A Shop")
    fulfilment.shop_id = counter.shop.pk
    fulfilment.shelve(MUG=50)
    return counter


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A carrier that quotes the address: in what it refuses (R-quoted), and where its adapter fails (R-bug)."""
    book = HttpCarrier.book

    def quote(self: HttpCarrier, request: Any) -> Any:
        if request.reference == "R-bug":
            raise ValueError(f"cannot encode {dict(request.ship_to)}")
        if request.reference == "R-quoted":
            return Refused("shipping.address_invalid", f"no {STREET.upper()} in {CITY} for {RECEIVER}")
        return book(self, request)

    monkeypatch.setattr(HttpCarrier, "book", quote)


@pytest.fixture
def clumsy() -> Iterator[None]:
    """A reaction that fails on a person's row, which the database then quotes."""

    @subscription("tests.clumsy", of=(OrderPlaced,), kind="reaction")
    def stumble(*, events: Sequence[Recorded], now: datetime) -> None:
        for recorded in events:
            assert isinstance(recorded.event, OrderPlaced)
            Person.objects.filter(pk=recorded.event.person_id).update(erased_at=now)

    yield
    unsubscribe("tests.clumsy")


def document(reference: str, **changes: Any) -> dict[str, Any]:
    """An order of hers. No reference of an order says whose it is: that name is the shop's, and stays."""
    return an_order(
        external_reference=reference,
        lines=[{"sku": "MUG", "name": "A mug", "quantity": 1, "unit_price_minor": 500}],
        charges=[],
        expected_total_minor=500,
        customer={"reference": CUSTOMER, "name": NAME, "email": EMAIL},
        # To three doors of hers, so that three rows of a person have her name.
        ship_to={
            "country": "DE",
            "name": RECEIVER,
            "street": f"{STREET} {len(reference) % 3}",
            "city": CITY,
            "phone": PHONE,
        },
    ) | changes  # fmt: skip


def place(counter: Counter, *references: str) -> None:
    for reference in references:
        assert counter.post(ORDERS, document(reference), key=f"key-{reference}").status_code == 202


def go_through_everything(fulfilment: Fulfilment, counter: Counter) -> None:
    """One order for each way an order can go; all of them end."""
    fulfilment.given("payments.authorize_payment", "R-declined", refuses="insufficient_funds")
    fulfilment.given("shipping.book_shipment", "R-refused", refuses="address_invalid")
    fulfilment.given("shipping.book_shipment", "R-unknown", meets="do_then_drop")
    place(counter, "R-good", "R-declined", "R-refused", "R-unknown", "R-quoted", "R-bug", "R-returned")
    place(counter, "R-good")  # again, under the same key
    fulfilment.settle()
    fulfilment.act("turn_back", "R-bug")
    fulfilment.settle()
    fulfilment.hand_over()
    fulfilment.deliver()
    fulfilment.credit("R-returned", amount_minor=500, MUG=1)
    fulfilment.settle()


def send_what_is_refused(counter: Counter) -> None:
    """Orders of hers that are never taken: nothing of them may be left but an answer."""
    bad_mail = {"reference": CUSTOMER, "name": NAME, "email": f"{EMAIL}@@"}
    answers = [
        counter.post(ORDERS, document("R-x1", customer=bad_mail)),
        counter.post(ORDERS, document("R-x2", expected_total_minor=499)),
        counter.post(ORDERS, document("R-x3", ship_to={"country": "DE", "street": f"{STREET}\0"})),
        counter.post(ORDERS, document("R-x4"), key="key-R-good"),
        counter.post(ORDERS, str(document("R-x5")).encode()),
        counter.post(ORDERS, document("R-good"), key="another"),
    ]
    assert [problem(answer)[0] for answer in answers] == [422, 422, 422, 422, 400, 409]


@pytest.mark.usefixtures("talkative", "clumsy")
def test_f81_an_erased_customer_is_found_in_no_row_no_log_and_no_file(
    fulfilment: Fulfilment, counter: Counter, logged: io.StringIO
) -> None:
    go_through_everything(fulfilment, counter)
    send_what_is_refused(counter)
    counter.get(ORDERS, {"external_reference": EMAIL})
    counter.get("/nowhere", {"q": EMAIL})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    digests = list(
        {reference.rpartition("/")[2] for reference in Person.objects.values_list("reference", flat=True)}
    )
    before, stories = needles.everything_but(*MOVES_ON), {o.pk: log.read(o.pk) for o in Order.objects.all()}
    known = needles.in_the_database(NEEDLES)

    out = io.StringIO()
    call_command(
        "erase_person", "--shop", str(counter.shop.pk), "--reference", CUSTOMER,
        "--actor", "olga", "--reason", "letter 12 of this year", stdout=out,
    )  # fmt: skip

    assert known == {"sagas_person": NEEDLES}
    assert sorted(line.partition(": ")[2] for line in out.getvalue().splitlines()) == [
        "orders: 2, open: 0; erased",
        "orders: 2, open: 0; erased",
        "orders: 3, open: 0; erased",
    ]
    assert needles.in_the_database([*NEEDLES, *digests]) == {}
    assert needles.in_redis([*NEEDLES, *digests]) == []
    assert needles.in_texts([*NEEDLES, *digests, out.getvalue()], [logged.getvalue()]) == []
    assert needles.in_files([*NEEDLES, *digests], services.current().state.logs) == []
    assert needles.everything_but(*MOVES_ON) == before
    assert {o.pk: log.read(o.pk) for o in Order.objects.all()} == stories
    # What was looked through is what was meant to be.
    assert Order.objects.filter(state__in=("completed", "rejected", "cancelled")).count() == 7
    assert r"CarrierBroke: ValueError: cannot encode {'name': '\u2026'" in logged.getvalue()
    assert SagaStep.objects.filter(code="shipping.address_invalid", detail="no … … in … for …").count() == 1
    assert ParkedEvent.objects.filter(error__contains="sagas_person_erased_is_empty").count() == 7
    assert needles.in_files(["sagas_person_erased_is_empty"], services.current().state.logs)


def test_f81_open_orders_first_finish_with_their_address(fulfilment: Fulfilment, counter: Counter) -> None:
    place(counter, "R-1")
    fulfilment.settle(without=["shipping.book_shipment"])

    call_command(
        "erase_person",
        "--email",
        EMAIL.upper(),
        "--actor",
        "olga",
        "--reason",
        "letter 13",
        stdout=io.StringIO(),
    )
    fulfilment.settle()
    place(counter, "R-2")
    waiting = needles.in_the_database(NEEDLES)
    fulfilment.hand_over()
    fulfilment.deliver()

    assert waiting == {"sagas_person": NEEDLES}
    label = fulfilment.sandbox.control("GET", "/sandbox/effects?reference=R-1")
    assert label["labels"] == 1
    first, second = Order.objects.order_by("id")
    assert (first.state, Person.objects.get(pk=first.person_id).name) == ("completed", "")
    assert Person.objects.get(pk=second.person_id).name == NAME


def test_f81_an_imported_customer_is_left_in_no_report(transactional_db: None, tmp_path: Path) -> None:
    customer = "7700112233"
    shop_file, report = tmp_path / "orders.csv", tmp_path / "report.csv"
    write(
        shop_file,
        Given(customer=f"{customer}.0"),
        Given(customer=f"{customer}.0", invoice="536366", price="nonsense"),
    )
    call_command(
        "import_orders", str(shop_file), "--format", "online-retail", "--report", str(report),
        stdout=io.StringIO(), skip_checks=True,
    )  # fmt: skip
    shop_id = Order.objects.get().shop_id
    Order.objects.update(state="completed")

    call_command(
        "erase_person", "--shop", str(shop_id), "--reference", customer, "--actor", "olga",
        "--reason", "letter 14", stdout=io.StringIO(),
    )  # fmt: skip

    assert find_people(shop_id=shop_id, reference=customer) == []
    assert needles.in_the_database([customer]) == {}
    assert "536366" in report.read_text()
    assert customer not in report.read_text()
