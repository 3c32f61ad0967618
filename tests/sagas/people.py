"""Staff accounts and a browser's client for them."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.test import Client


def operator() -> Client:
    """Signed in as somebody who may look and act."""
    user = User.objects.create_superuser("olga", "olga@waybill.invalid")
    return _signed_in(user)


def onlooker() -> Client:
    """Signed in as staff who may look and nothing else."""
    user = User.objects.create_user("otto", "otto@waybill.invalid", is_staff=True)
    codes = (
        "view_saga", "view_parkedevent", "view_pause", "view_checkpoint", "view_storedevent", "view_incomingwebhook",
        "view_forcedcircuit",
    )  # fmt: skip
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="sagas", codename__in=codes))
    return _signed_in(user)


def customer() -> Client:
    """Signed in, but no staff."""
    return _signed_in(User.objects.create_user("carl", "carl@waybill.invalid"))


def _signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client
