"""Time travel in the admin: an order's page as it stood after one of its events (`?as_of=3`), to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from orders import history, queries
from orders.address_admin import AddressAdmin
from orders.models import Order
from orders.queries import StoryPart

AS_OF = "as_of"
#: So many versions stand as links beside the one that is shown, on each side.
BESIDE = 12


@dataclass(frozen=True, slots=True)
class Travel:
    """Which version a page shows, and which others there are."""

    shown: int
    story: Sequence[StoryPart]

    @property
    def newest(self) -> int:
        """The version of now."""
        return len(self.story)

    @property
    def past(self) -> bool:
        """Whether what is shown is not how the order stands now."""
        return self.shown < self.newest

    @property
    def event(self) -> StoryPart:
        """The event after which it stood like this."""
        return self.story[self.shown - 1]

    @property
    def near(self) -> Sequence[StoryPart]:
        """The versions to go to with one click."""
        return self.story[max(0, self.shown - 1 - BESIDE) : self.shown + BESIDE]


class TimeTravelAdmin(AddressAdmin):
    """An order's page that can be turned back to any version."""

    change_form_template = "admin/orders/order/as_of.html"

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Order | None:
        """The row as it is, or as it was at the version that is asked for."""
        order: Order | None = super().get_object(request, object_id, from_field)
        version = _asked(request)
        then = history.at_version(order.pk, version) if order and version else None
        if then is None:
            return order
        row = then.row()
        row.lines_then = then.lines  # type: ignore[attr-defined]
        return row

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page, with the versions to travel to."""
        travel = _travel(request, object_id)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "travel": travel})


def lines_of(order: Order) -> Any:
    """The lines of an order as its page shows it: of then, or of now."""
    then = getattr(order, "lines_then", None)
    return queries.lines_of(order.pk) if then is None else then


def link_to(version: int) -> SafeString:
    """The way to the order as it stood at a version."""
    return format_html('<a href="?{}={}" title="as it stood then">{}</a>', AS_OF, version, version)


def _travel(request: HttpRequest, object_id: str) -> Travel | None:
    try:
        story = queries.story_of(UUID(object_id))
    except ValueError:
        return None
    asked = _asked(request)
    return Travel(asked if 1 <= asked <= len(story) else len(story), story) if story else None


def _asked(request: HttpRequest) -> int:
    """The version in the address; 0 when there is none that makes sense."""
    asked = request.GET.get(AS_OF, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 10 else 0
