"""The staff page "Disputes": what customers' banks want back, by the date until which evidence is taken."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from payments import queries
from payments.models import Dispute
from sagas.clock import database_now
from sagas.money import money
from sagas.web.staff import need, show_page, staff_only

VIEW = "payments.view_dispute"


@require_safe
@never_cache
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """Open disputes, those first whose evidence is due first, and what was decided lately."""
    need(request, VIEW)
    now = database_now()
    context = {
        "title": "Disputes",
        "open": [(one, money(one.amount_minor, one.currency), queries.urgency(one, now=now))
                 for one in queries.open_disputes()],
        "closed": [(one, money(one.amount_minor, one.currency)) for one in queries.closed_disputes()],
    }  # fmt: skip
    return show_page(request, "staff/money/disputes.html", context)


@require_safe
@never_cache
@staff_only
def dispute(request: HttpRequest, dispute_id: UUID) -> HttpResponse:
    """One dispute: where it stands, by when to answer, and what it has done to the books."""
    need(request, VIEW)
    one = get_object_or_404(Dispute.objects.select_related("payment"), pk=dispute_id)
    context = {
        "title": f"Dispute {one.provider_id}", "one": one, "amount": money(one.amount_minor, one.currency),
        "taken": money(one.withdrawn_minor, one.currency),
        "fee": money(one.fee_minor, one.fee_currency) if one.fee_currency else "",
        "urgency": queries.urgency(one, now=database_now()),
    }  # fmt: skip
    return show_page(request, "staff/money/dispute.html", context)
