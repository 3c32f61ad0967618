"""The base of every app's admin pages: to look, not to touch. A row is changed by a command with a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.utils.functional import cached_property

#: How far staff can leaf through a list. Who looks for more searches.
DEEPEST_ROW = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages without counting ten million rows: the count stops at a bound."""

    @cached_property
    def count(self) -> int:
        objects: Any = self.object_list
        return len(objects.values_list("pk", flat=True)[:DEEPEST_ROW])


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Shows; adds, changes and deletes nothing."""

    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50
    actions = None

    def has_add_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_change_permission(self, *_: Any, **__: Any) -> bool:
        return False

    def has_delete_permission(self, *_: Any, **__: Any) -> bool:
        return False
