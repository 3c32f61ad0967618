"""The staff page: one live picture, whole without JavaScript."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from sagas import board
from sagas.money import money
from sagas.web.staff import is_staff, staff_only

#: The parts of the page, in its order. Each is a template and is sent anew when it changes.
SECTIONS = ("totals", "attention", "steps", "failures", "throughput", "readers")
HOURS = "hours"
DEFAULT_HOURS = 24


@require_safe
@never_cache
@staff_only
def page(request: HttpRequest) -> HttpResponse:
    """Everything at once. A script refreshes its sections; without scripts the browser reloads the page."""
    context = {
        **admin.site.each_context(request),
        **_picture(_hours(request)),
        "title": "Live",
        "is_nav_sidebar_enabled": False,
        "sections": SECTIONS,
    }
    return TemplateResponse(request, "staff/board.html", context)


@require_safe
@never_cache
def live(request: HttpRequest) -> JsonResponse:
    """The figures, and each section as it stands now. 403 once the session has ended."""
    if not is_staff(request.user):
        return JsonResponse({"error": "sign_in"}, status=403)
    picture = _picture(_hours(request))
    sections = {name: render_to_string(f"staff/{name}.html", picture) for name in SECTIONS}
    return JsonResponse(
        {"at": picture["now"].isoformat(), "figures": _figures(picture), "sections": sections}
    )


def _picture(hours: int) -> dict[str, Any]:
    seen = board.now()
    return {
        "now": seen.at,
        "seen": seen,
        "totals": board.totals(seen),
        "definitions": board.by_definition(seen),
        "failures": board.failures(hours),
        "hours": hours,
        "windows": board.WINDOWS,
        "bars": board.chart(seen.minutes),
        "chart": (board.CHART_WIDTH, board.CHART_HEIGHT),
        "per_second": board.per_second(seen.minutes),
        "completed": sum(minute.completed for minute in seen.minutes),
        "compensated": sum(minute.compensated for minute in seen.minutes),
        "busiest": max((minute.count for minute in seen.minutes), default=0),
        "lagging": [r for r in seen.readers if r.waiting or r.stopped],
    }


def _figures(picture: dict[str, Any]) -> dict[str, Any]:
    """The numbers themselves, for whoever reads this without the page."""
    seen: board.Now = picture["seen"]
    return {
        "unfinished": {name: group.count for name, group in picture["totals"].items()},
        "steps": {group.name: dict(group.states) for group in seen.steps},
        "failures": {
            f"{f.cause}:{f.code}": {"count": f.count, "money": [money(m, c) for c, m in f.money.items()]}
            for f in picture["failures"]
        },
        "finished_last_hour": {"completed": picture["completed"], "compensated": picture["compensated"]},
        "per_second": round(picture["per_second"], 3),
        "readers": {f"{r.subscription}/{r.shard}": r.waiting for r in seen.readers},
    }


def _hours(request: HttpRequest) -> int:
    text = request.GET.get(HOURS, "")
    return int(text) if text.isdecimal() and int(text) in board.WINDOWS else DEFAULT_HOURS
