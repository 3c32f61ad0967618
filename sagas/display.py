"""Small pieces of HTML that the admin and the staff page share. No inline style, no script."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sagas.models import Saga
from sagas.standing import Segment

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))

#: The style of a state or hold.
LOOKS = {
    "pending": "quiet",
    "running": "busy",
    "compensating": "undo",
    "completed": "ok",
    "compensated": "given",
    "waiting": "wait",
    "paused": "wait",
    "parked": "alarm",
    "stopped": "alarm",
    "building": "busy",
    "swapped": "ok",
}


def span(length: timedelta) -> str:
    """A length of time in its two largest units: `2 h 5 min`, `41 s`, `120 ms`."""
    seconds = abs(length.total_seconds())
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole, parts = int(seconds), []
    for size, unit in _UNITS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[: 1 if seconds < 60 or parts[0].endswith(" d") else 2])


def when(at: datetime | None, now: datetime) -> SafeString | str:
    """How long ago or how soon, with the exact moment behind it."""
    if at is None:
        return ""
    told = f"in {span(at - now)}" if at > now else f"{span(now - at)} ago"
    return _time(at, "just now" if abs(at - now) < timedelta(seconds=1) else told)


def age(at: datetime | None, now: datetime) -> SafeString | str:
    """For how long, with the exact moment behind it."""
    return _time(at, span(now - at)) if at is not None else ""


def clock(at: datetime | None) -> SafeString | str:
    """The moment itself, in UTC."""
    return _time(at, f"{at.astimezone(UTC):%d %b %H:%M:%S}") if at is not None else ""


def _time(at: datetime, told: str) -> SafeString:
    exact = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(timespec="milliseconds"),
        f"{exact:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        told,
    )


def badge(word: str, look: str = "", title: str = "") -> SafeString:
    """A word in the colour of what it means. The word says it too: colour is never all."""
    return format_html(
        '<span class="wb-badge wb-{}" title="{}">{}</span>', look or LOOKS.get(word, "quiet"), title, word
    )


def badges(saga: Saga) -> SafeString:
    """State and hold of a saga: two things that never mix."""
    parts = [badge(saga.state)]
    if saga.hold != Saga.Hold.NONE:
        parts.append(badge(saga.hold, title=saga.hold_reason))
    return format_html_join(" ", "{}", ((part,) for part in parts))


def bar(segments: Sequence[Segment]) -> SafeString:
    """The bar over the steps of a saga, readable without seeing it."""
    done = sum(1 for s in segments if s.look in ("done", "skipped"))
    told = "; ".join(s.words for s in segments if s.look not in ("done", "todo"))
    label = f"{done} of {len(segments)} steps done" + (f"; {told}" if told else "")
    cells = format_html_join(
        "", '<i class="wb-seg wb-seg-{}" title="{}"></i>', ((s.look, s.words) for s in segments)
    )
    return format_html(
        '<span class="wb-progress"><span class="wb-bar" role="img" aria-label="{}">{}</span>'
        '<span class="wb-count" aria-hidden="true">{}/{}</span></span>',
        label,
        cells,
        done,
        len(segments),
    )


def pretty(value: Any) -> str:
    """JSON as people read it."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str)
