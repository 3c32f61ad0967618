"""`manage.py staff_login`: one staff account with the password given in the environment."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand

from config import env


class Command(BaseCommand):
    help = "Create the superuser `staff`, or give it the password in WAYBILL_STAFF_PASSWORD. Safe to repeat."

    def handle(self, *_args: Any, **_options: Any) -> None:
        user, _ = User.objects.get_or_create(username="staff", defaults={"email": "staff@waybill.invalid"})
        user.is_staff = user.is_superuser = user.is_active = True
        user.set_password(env.text("WAYBILL_STAFF_PASSWORD"))
        user.save()
        self.stdout.write("The account `staff` has the password given.")
