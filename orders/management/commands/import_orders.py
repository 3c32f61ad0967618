"""Import a file of orders. Safe to kill at any moment and to run again."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from orders import queries
from orders.commands import create_shop
from orders.imports.alone import ImportRunning, alone
from orders.imports.display import shown
from orders.imports.formats import FORMATS
from orders.imports.records import BrokenFile
from orders.imports.report import ReportRefused, opened_report
from orders.imports.run import Outcome, Wish, dry_run, import_file, known_file
from orders.imports.stock import StockNotTold
from orders.imports.summary import lines_of
from orders.models import Shop
from orders.states import Fulfilment
from sagas.clock import database_now

DEFAULT_SHOP = "online-retail"


class Command(BaseCommand):
    help = (
        "Import a file of orders, credit notes and stock corrections. Run again after a kill it goes on where"
        " it was; run again when done it changes nothing. Every row is imported or reported with a reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, metavar="FILE", help="a CSV file, gzipped or not")
        parser.add_argument("--format", required=True, choices=sorted(FORMATS))
        parser.add_argument(
            "--shop",
            default="",
            metavar="SLUG",
            help=f"whose orders they are ({DEFAULT_SHOP}, made if needed)",
        )
        parser.add_argument("--dry-run", action="store_true", help="do everything but write")
        parser.add_argument("--limit", type=_positive, metavar="N", help="stop after so many documents")
        parser.add_argument(
            "--report", type=Path, metavar="CSV", help="write the rows left out, with reasons"
        )
        parser.add_argument(
            "--style",
            choices=sorted(Fulfilment.values),
            default=settings.WAYBILL.fulfilment_style,
            help="who leads the orders: the engine or nobody",
        )
        stock = parser.add_mutually_exclusive_group()
        stock.add_argument(
            "--without-stock", default="", metavar="SKU,...", help="SKUs that start with nothing"
        )
        stock.add_argument(
            "--scarce",
            default="",
            metavar="SEED",
            help="draw such SKUs, so that about 2 %% of the orders fail",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        began = time.monotonic()
        try:
            outcome = self._import(options)
        except BrokenFile as error:
            raise CommandError(f"{error.code}: {error.detail}") from error
        except (OperationalError, InterfaceError) as error:
            raise CommandError(f"The database failed: {error}. Run the same again to go on.") from error
        except ReportRefused as error:
            raise CommandError(f"The report cannot be written: {error}") from error
        except ImportRunning as error:
            raise CommandError("Another import for this shop is running.") from error
        except StockNotTold as error:
            raise CommandError(f"{error} did not take the opening stock in time. Run it again.") from error
        self._tell(outcome, dry=options["dry_run"], seconds=time.monotonic() - began)

    def _import(self, options: dict[str, Any]) -> Outcome:
        source = FORMATS[options["format"]](options["file"])
        wish = Wish(
            limit=options["limit"],
            scarce_seed=options["scarce"],
            without_stock=frozenset(_names(options["without_stock"])),
            style=options["style"],
        )
        shop = queries.shop_by_slug(options["shop"] or DEFAULT_SHOP)
        if shop is None and options["shop"]:
            raise CommandError(f"There is no shop {options['shop']}; make it with: manage.py create_shop")
        with opened_report(options["report"]) as report, shown(sys.stderr) as display:
            if options["dry_run"]:
                return dry_run(source, shop.pk if shop else None, wish, display, report)
            shop = shop or self._new_shop()
            with alone(shop.pk):
                file = known_file(options["file"], options["format"], shop.pk, now=database_now())
                return import_file(source, file, wish, display, report, clock=database_now)

    def _new_shop(self) -> Shop:
        shop, _ = create_shop("Online Retail", slug=DEFAULT_SHOP, now=database_now())
        self.stderr.write(f"Shop {shop.slug} is made; shop_token --new-for {shop.slug} gives it a token.")
        return shop

    def _tell(self, outcome: Outcome, *, dry: bool, seconds: float) -> None:
        for line in lines_of(outcome, dry=dry, seconds=seconds):
            self.stdout.write(line)
        if not outcome.tally.balanced:
            raise CommandError("Rows read are not rows imported + rows reported: this is a bug.")
        if outcome.broken is not None:
            raise CommandError(f"{outcome.broken.code}: {outcome.broken.detail}. What was read is imported.")


def _names(text: str) -> list[str]:
    return [name.strip().upper() for name in text.split(",") if name.strip()]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number
