"""A run of reconciliation looks at a window: what was active in it is compared, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from payments.reconciliation.rows import Case
from tests.payments.reconciliation.desk import Desk, around


def test_a_window_leaves_out_what_was_not_active_in_it(desk: Desk) -> None:
    for name in ("EARLY", "WITHIN", "LATE"):
        desk.till.captured(name)
        desk.gateway.alter(desk.payment(name).provider_id, amount_minor=1200)
        desk.clock.forward(days=5)

    run = desk.run(around(desk.payment("WITHIN").made_at, hours=12))

    assert run.compared == 1
    assert Case.objects.get().reference == "WITHIN"


def test_what_was_made_before_the_window_and_captured_in_it_is_compared(desk: Desk) -> None:
    desk.till.authorize("OLD")
    for day in range(4):
        desk.clock.forward(days=5)
        desk.till.captured(f"DAILY-{day}")
    desk.clock.forward(days=5)
    desk.till.captured("NEW")
    desk.till.capture("OLD")
    old = desk.payment("OLD").provider_id
    desk.gateway.alter(old, captured_minor=999)

    run = desk.run(around(desk.clock.now, hours=12), page=2)

    assert len(desk.gateway.listed) < 4, "the list was read to its end"
    assert desk.gateway.looked_up == [old]
    assert (run.compared, Case.objects.get().object_id) == (2, old)


def test_a_case_of_an_older_window_closes_when_the_next_run_looks_again(desk: Desk) -> None:
    desk.till.captured("A-1")
    ident = desk.payment("A-1").provider_id
    desk.gateway.alter(ident, captured_minor=999)
    first = desk.clock.now
    desk.run(around(first, hours=12))
    desk.clock.forward(days=9)

    unchanged = desk.run(around(desk.clock.now, hours=12))
    desk.gateway.alter(ident, captured_minor=1000)
    mended = desk.run(around(desk.clock.now + timedelta(hours=1), hours=12))

    assert (unchanged.result, mended.result) == ("differences", "clean")
    assert unchanged.totals == {}
    assert Case.objects.get().state == "closed"
