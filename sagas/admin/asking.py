"""What pages of the platform share: who may see them, and asking for a reason before an act."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.admin.sites import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from sagas.admin.acts import ReasonForm
from sagas.standing import words
from sagas.verdicts import Refused

Run = Callable[[str, str, datetime], None]  #: Actor, reason, now.


class PlatformPages:
    """Pages that are no list of one model."""

    def __init__(self, site: AdminSite) -> None:
        self.site = site

    def ask(self, request: HttpRequest, told: dict[str, Any], run: Run, *, back: str) -> HttpResponse:
        """Ask for a reason, then run the act and go back. `told` has title, explains, verb and target."""
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                run(request.user.get_username(), form.cleaned_data["reason"], timezone.now())
            except Refused as refused:
                form.add_error(None, refused.detail or refused.code)
            else:
                messages.success(request, f"{told['verb']}: {words(told['target'])}. Done.")
                return HttpResponseRedirect(reverse(back))
        context = {**told, "form": form, "back": reverse(back)}
        return self.page(request, "admin/sagas/ask.html", context, may="")

    def page(self, request: HttpRequest, template: str, context: dict[str, Any], *, may: str) -> HttpResponse:
        """One page. `may` is the permission without which it offers no acts."""
        allowed = bool(may) and request.user.has_perm(may)
        base = {**self.site.each_context(request), "may_operate": allowed, "now": timezone.now()}
        return TemplateResponse(request, template, {**base, **context})


def need(request: HttpRequest, permission: str) -> None:
    """Let nobody pass who may neither see nor change it. Raises PermissionDenied."""
    may_change = permission.replace("view_", "change_")
    if not request.user.has_perm(permission) and not request.user.has_perm(may_change):
        raise PermissionDenied
