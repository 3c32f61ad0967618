"""A run goes page by page, may be killed anywhere, and is alone."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from payments.reconciliation import cases
from payments.reconciliation.alone import AlreadyRunning, alone
from payments.reconciliation.rows import Case, ReconciliationRun, SeenObject
from payments.reconciliation.run import ProviderSilent
from tests.payments.reconciliation.desk import Desk

NAMES = [f"A-{n}" for n in range(7)]


@pytest.fixture
def many(desk: Desk) -> Desk:
    """Seven captured payments with a refund each; two of the payments differ."""
    for name in NAMES:
        desk.till.captured(name)
        desk.till.refund(f"{name}/C-1", refund=100)
    for name in (NAMES[1], NAMES[5]):
        desk.gateway.alter(desk.payment(name).provider_id, captured_minor=900)
    desk.clock.forward(hours=1)
    return desk


def test_lists_of_several_pages_are_compared_to_their_ends(many: Desk) -> None:
    run = many.run(page=2)

    assert len(many.gateway.listed) == 4
    assert (run.compared, run.matched, run.differences) == (14, 12, 2)
    assert run.totals["GBP"] == {"held": [0, 0], "captured": [7000, 6800], "refunded": [700, 700]}
    assert many.kinds() == ["amount_differs"] * 2
    assert SeenObject.objects.count() == 0


@pytest.mark.parametrize("pages", range(10))
def test_a_run_killed_anywhere_goes_on_where_it_was(many: Desk, pages: int) -> None:
    first = many.reconciler(page=2)
    for _ in range(pages):
        first.step()
    listed = len(many.gateway.listed)

    second = many.reconciler(page=2)
    while not second.finished:
        second.step()

    assert second.run.pk == first.run.pk
    assert len(many.gateway.listed) == 4 >= listed
    assert (second.run.compared, second.run.matched, second.run.differences) == (14, 12, 2)
    assert second.run.totals["GBP"]["captured"] == [7000, 6800]
    assert ReconciliationRun.objects.count() == 1
    assert many.kinds() == ["amount_differs"] * 2


def test_a_page_that_fails_half_way_leaves_nothing_of_itself(
    many: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    leading = many.reconciler(page=3)

    def dies(*_: object, **__: object) -> int:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(cases, "close_gone", dies)
        with pytest.raises(RuntimeError):
            leading.step()
    assert Case.objects.count() == SeenObject.objects.count() == 0

    again = many.reconciler(page=3)
    while not again.finished:
        again.step()
    assert (again.run.compared, again.run.differences) == (14, 2)


def test_a_provider_that_falls_silent_stops_the_run_and_the_next_goes_on(many: Desk) -> None:
    many.gateway.silent_after = 2
    leading = many.reconciler(page=2)
    leading.step()
    leading.step()
    with pytest.raises(ProviderSilent, match="connection refused"):
        leading.step()
    stopped = ReconciliationRun.objects.get()
    many.gateway.silent_after = None

    again = many.reconciler(page=2)
    while not again.finished:
        again.step()

    assert (stopped.result, stopped.phase, stopped.compared) == ("stopped", "intents", 4)
    assert stopped.trouble == "payments.down connection refused"
    assert (again.run.pk, again.run.compared, again.run.result) == (stopped.pk, 14, "differences")
    assert again.run.trouble == ""


def test_new_payments_do_not_move_the_place_where_a_run_goes_on(many: Desk) -> None:
    leading = many.reconciler(page=2)
    leading.step()
    many.till.captured("NEW")
    while not leading.finished:
        leading.step()

    assert leading.run.differences == 2
    assert leading.run.in_flight == 0
    assert leading.run.compared == 15, "what came meanwhile was asked for by its id"


@pytest.mark.django_db(transaction=True)
def test_two_reconciliations_do_not_run_at_once() -> None:
    refused: list[bool] = []

    def other() -> None:
        try:
            with alone():
                refused.append(False)
        except AlreadyRunning:
            refused.append(True)
        finally:
            connection.close()

    with alone():
        second = threading.Thread(target=other)
        second.start()
        second.join(timeout=20)
    third = threading.Thread(target=other)
    third.start()
    third.join(timeout=20)

    assert refused == [True, False]
