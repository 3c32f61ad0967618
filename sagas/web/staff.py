"""What the staff's pages of all apps share: who may come in, the frame, and an act that a person asks for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.decorators import user_passes_test
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from sagas.clock import database_now
from sagas.verdicts import Refused

#: Carries out an act of this person at this time. Raises Refused.
Act = Callable[[str, datetime], object]


def reason_field(*, most: int, rows: int) -> forms.CharField:
    """Why a person does something, in at most so many characters."""
    return forms.CharField(
        max_length=most,
        help_text="Kept with the act, together with your name. No personal data: it is never deleted.",
        widget=forms.Textarea(attrs={"rows": rows, "cols": 70}),
    )


class ReasonForm(forms.Form):
    """Every act has a reason."""

    reason = reason_field(most=500, rows=3)


def is_staff(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether somebody is signed in who belongs to the staff."""
    return bool(user.is_active and getattr(user, "is_staff", False))


#: A page for the staff alone; others are asked to sign in.
staff_only = user_passes_test(is_staff, login_url="admin:login")


def need(request: HttpRequest, *permissions: str) -> None:
    """Raise PermissionDenied unless the person has one of these."""
    if not any(request.user.has_perm(one) for one in permissions):
        raise PermissionDenied


def show_page(
    request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """A page in the frame of the staff's pages."""
    base = {**admin.site.each_context(request), "now": database_now(), "is_nav_sidebar_enabled": False}
    return TemplateResponse(request, template, {**base, **context}, status=status)


def attempt(request: HttpRequest, form: forms.Form, act: Act) -> tuple[int, str] | None:
    """Have an act carried out. None: it is done. Else the status and the words with which the page comes again."""
    if not form.is_valid():
        return 400, ""
    try:
        act(request.user.get_username(), database_now())
    except Refused as refused:
        return 409, refused.detail or refused.code
    return None
