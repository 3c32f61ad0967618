"""The list of sagas: pages by key, never a count of the table, and a page in a handful of queries."""

# ruff: noqa: ARG002 - the signatures are Django's

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sagas import queries
from sagas.models import Saga
from sagas.standing import segments, standing

#: Pages by key: `before` leads to older sagas, `after` back to newer ones.
BEFORE, AFTER = "before", "after"
#: An act on "all that match" takes at most so many, the newest.
MOST_AT_ONCE = 1_000


class SagaChangeList(ChangeList):
    """A page of sagas before or after a key."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.at = {name: _id(request.GET.get(name)) for name in (BEFORE, AFTER)}
        self.newer_url = self.older_url = ""
        super().__init__(request, *args, **kwargs)
        for name in (BEFORE, AFTER):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """What filters, without where the page begins."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in self.at}

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Another filter begins again at the newest."""
        return super().get_query_string(new_params, [*(remove or ()), BEFORE, AFTER])

    def get_results(self, request: HttpRequest) -> None:
        """One page, its neighbours, and how many match up to a bound."""
        before, after = self.at[BEFORE], self.at[AFTER]
        found, more = _page(self.queryset, before, after, self.list_per_page)
        older, newer = (True, more) if after is not None else (more, before is not None)
        self._neighbours(found, older=older, newer=newer)
        self.result_list = list(found)
        self.result_count = (
            self._bounded_count(len(found)) if self.older_url or self.newer_url else len(found)
        )
        self.paginator = Paginator(found, self.list_per_page)
        # Equal, so that the search form claims no number: it would be a bound, not a count.
        self.show_full_result_count, self.full_result_count = False, self.result_count
        self.show_admin_actions, self.can_show_all, self.multi_page = True, False, False
        annotate(found)

    def _bounded_count(self, least: int) -> int:
        counted = len(self.queryset.values_list("pk", flat=True)[:MOST_AT_ONCE])
        return max(counted, least)

    def _neighbours(self, found: list[Saga], *, older: bool, newer: bool) -> None:
        if found and older:
            self.older_url = self._url({BEFORE: found[-1].pk})
        if found and newer:
            self.newer_url = self._url({AFTER: found[0].pk})

    def _url(self, at: dict[str, UUID]) -> str:
        kept = {name: value for name, value in self.filter_params.items() if name not in self.at}
        return f"?{urlencode({**kept, **at}, doseq=True)}"


def _page(
    found: QuerySet[Saga], before: UUID | None, after: UUID | None, size: int
) -> tuple[list[Saga], bool]:
    """The sagas of one page, newest first, and whether there are more in the direction of reading."""
    if after is not None:
        page = list(found.filter(pk__gt=after).order_by("pk")[: size + 1])
        return page[:size][::-1], len(page) > size
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found[: size + 1])
    return page[:size], len(page) > size


def annotate(found: list[Saga]) -> None:
    """Give each saga of a page its bar and what it waits for: three queries, however many sagas."""
    ids = [saga.pk for saga in found]
    steps, asked, pauses = queries.steps_of(ids), queries.open_intents(ids), queries.pauses()
    now = timezone.now()
    for saga in found:
        mine = steps.get(saga.pk, [])
        shown: Any = saga
        shown.bar = segments(saga, mine)
        shown.waits = standing(saga, mine, asked=asked.get(saga.pk, ()), pauses=pauses)
        shown.seen_at = now


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise IncorrectLookupParameters(error) from error
