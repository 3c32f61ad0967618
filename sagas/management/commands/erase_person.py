"""Erase people: name, e-mail, address and the shop's name for them. Orders and amounts stay, without a name.

Who has open orders is erased when the last has ended. Actor and reason stay in the log for ever: never write
a name, an address or anything else about the person into them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from sagas import erasure
from sagas.personal import Erasure
from sagas.verdicts import Refused

#: The help says what the module says: that reasons are kept for ever.
HELP = __doc__

#: What is said of a fate, foreseen and done.
SAID = {
    "erased": ("would be erased", "erased"),
    "waiting": ("would be erased when those have ended", "will be erased when those have ended"),
    "erased before": ("was erased before", "was erased before"),
}


class Command(BaseCommand):
    """Exit code 1 when nobody was found, or actor or reason is missing. Safe to repeat."""

    help = HELP

    def create_parser(self, *args: Any, **options: Any) -> Any:
        return super().create_parser(*args, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        whom = parser.add_mutually_exclusive_group(required=True)
        whom.add_argument("--reference", help="The shop's own reference of the customer; needs --shop.")
        whom.add_argument("--email", help="An e-mail address, whatever its case.")
        whom.add_argument("--id", dest="ids", metavar="PERSON", nargs="+", type=UUID, help="Ids of people.")
        whom.add_argument("--waiting", action="store_true", help="Only list who waits for open orders.")
        parser.add_argument("--shop", metavar="SHOP", type=UUID, help="Id of the shop.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen; change nothing.")
        parser.add_argument("--actor", default="", help="Who does it. Kept for ever.")
        parser.add_argument("--reason", default="", help="Why, without saying whom. Kept for ever.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["waiting"]:
            self._list_waiting()
            return
        ids = _whom(options)
        told = erasure.foresee(ids) if options["dry_run"] else self._erase(ids, options)
        if not told:
            raise CommandError(
                "Nobody is kept under that. Who waits to be erased is found by e-mail or id only."
            )
        self._tell(told, dry_run=options["dry_run"])

    def _erase(self, ids: list[UUID], options: dict[str, Any]) -> list[erasure.Erased]:
        try:
            return erasure.erase_people(
                ids, actor=options["actor"], reason=options["reason"], now=timezone.now()
            )
        except Refused as refused:
            raise CommandError("An erasure needs --actor and --reason.") from refused

    def _tell(self, told: Iterable[erasure.Erased], *, dry_run: bool) -> None:
        for one in told:
            uses = "".join(f"{what}: {use.all}, open: {use.open}; " for what, use in one.uses.items())
            self.stdout.write(f"{one.person_id}: {uses}{SAID[one.fate][0 if dry_run else 1]}")

    def _list_waiting(self) -> None:
        for wish in Erasure.objects.order_by("asked_at", "person_id").iterator():
            self.stdout.write(
                f"{wish.person_id}: asked by {wish.actor} at {wish.asked_at:%Y-%m-%d %H:%M:%S} UTC"
            )


def _whom(options: dict[str, Any]) -> list[UUID]:
    if options["ids"]:
        return list(options["ids"])
    try:
        return erasure.find_people(
            shop_id=options["shop"], reference=options["reference"] or "", email=options["email"] or ""
        )
    except ValueError as error:
        raise CommandError(
            "A reference needs --shop, and neither it nor an e-mail address may be empty."
        ) from error
