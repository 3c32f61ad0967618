"""F23: two holds of one payment are no difference while it is renewed, and one as soon as that has ended."""

from __future__ import annotations

from payments.gateways.base import IntentStatus
from payments.reconciliation.rows import Case
from tests.payments.reconciliation.desk import Desk
from tests.payments.renewing import begin_renewal, hold_anew, let_go


def test_f23_two_holds_are_no_difference_while_one_is_renewed(desk: Desk) -> None:
    begin_renewal(desk.till)
    hold_anew(desk.till)

    desk.run()
    let_go(desk.till)
    desk.run()

    assert Case.objects.count() == 0


def test_f23_a_spare_hold_that_is_still_there_after_the_renewal_is_a_double_one(desk: Desk) -> None:
    begin_renewal(desk.till)
    hold_anew(desk.till)
    let_go(desk.till)
    desk.gateway.alter("pi_1", status=IntentStatus.AUTHORIZED, capturable_minor=1000, expires_at=None)

    desk.run()

    assert list(Case.objects.values_list("kind", "object_id")) == [("duplicate_hold", "pi_1")]
