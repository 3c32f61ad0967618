"""`manage.py audit`: do the books balance? Exit 1 on any breach."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from time import monotonic
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from config.audit import Finding, audit, passed
from config.audit.listing import Listing, ProviderSilent, fetch
from config.audit.read_models import read_models
from config.audit.replay import Progress

PROGRESS_SECONDS = 5


class Command(BaseCommand):
    help = (
        "Recompute invariants I1 to I12 from the rows and compare with the sandbox's own listing over HTTP."
        " Only reads, unless read models are to be built anew beside the live ones. Exit 1 if anything is"
        " breached or the provider could not be asked."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument(
            "--read-models",
            action="store_true",
            help="also fold the log anew and compare: takes a while (I12)",
        )
        parser.add_argument("--url", default="", help="the sandbox, if not the configured one")

    def handle(self, *_: Any, **options: Any) -> None:
        listing = self._listing(options["url"] or settings.WAYBILL.sandbox_url)
        findings = audit(listing, progress=self._progress())
        if options["read_models"]:
            findings += read_models(clock=timezone.now)
        if options["json"]:
            report = {"passed": passed(findings), "findings": [asdict(f) for f in findings]}
            self.stdout.write(json.dumps(report, indent=2))
        else:
            self._print(findings)
        if not passed(findings):
            sys.exit(1)

    def _listing(self, url: str) -> Listing | None:
        try:
            return fetch(url)
        except ProviderSilent as silent:
            self.stderr.write(f"The provider could not be asked: {silent}")
            return None

    def _progress(self) -> Progress:
        """Tell on stderr how far a long replay has come, every few seconds."""
        told = monotonic()

        def progress(orders: int) -> None:
            nonlocal told
            if monotonic() - told >= PROGRESS_SECONDS:
                told = monotonic()
                self.stderr.write(f"{orders:,} orders replayed")

        return progress

    def _print(self, findings: list[Finding]) -> None:
        self.stdout.write("Audit")
        for f in findings:
            mark = "skipped" if f.skipped else f"{f.breaches} breaches" if f.breaches else "ok"
            self.stdout.write(f"  {f.invariant:<4}{mark:<14}{f.promise}")
            for example in f.examples:
                self.stdout.write(f"        {example}")
        breaches = sum(f.breaches for f in findings)
        verdict = (
            "The books balance." if passed(findings) else f"The books do not balance: {breaches} breaches."
        )
        self.stdout.write(verdict)
