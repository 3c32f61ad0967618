"""The command line of the sandbox, shared by `manage.py sandbox` and `python -m config.sandbox`."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.embedded.state import state_root
from config.sandbox.desk import DAY_SECONDS
from config.sandbox.profiles import BadRule, load_profile
from config.sandbox.server import Options, serve
from config.sandbox.webhooks import Door


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free port; the address is printed")
    parser.add_argument(
        "--database",
        type=Path,
        default=state_root() / "sandbox.sqlite3",
        help="the file of its durable record; by default in the state folder",
    )
    parser.add_argument("--seed", type=int, default=1, help="decides which references meet trouble")
    parser.add_argument("--profile", default="demo", help="demo, quiet, or a JSON file of rules")
    parser.add_argument(
        "--key-ttl", type=float, default=DAY_SECONDS, help="seconds until idempotency keys are forgotten"
    )
    parser.add_argument(
        "--webhooks",
        default="",
        help="the address the gateway's events are sent to, signed with the first of PAYMENT_WEBHOOK_SECRETS;"
        " without it none are sent",
    )
    parser.add_argument(
        "--tracking",
        default="",
        help="the address the carrier's scans are sent to, signed with the first of CARRIER_WEBHOOK_SECRETS",
    )


def run(values: Mapping[str, Any]) -> None:
    """Serve until stopped. Raises BadRule for a bad profile and OSError for a port or file it cannot have."""
    Path(values["database"]).parent.mkdir(parents=True, exist_ok=True)
    options = Options(
        host=values["host"], port=values["port"], database=values["database"], seed=values["seed"],
        profile=load_profile(values["profile"]), key_seconds=values["key_ttl"],
        webhooks=door(values["webhooks"]), tracking=carrier_door(values["tracking"]),
    )  # fmt: skip
    asyncio.run(serve(options))


def door(url: str) -> Door | None:
    """Where events go; None without an address. Raises BadRule when there is no secret to sign them with."""
    secret = _secret("--webhooks", url, "PAYMENT_WEBHOOK_SECRETS")
    return Door(url, secret) if url else None


def carrier_door(url: str) -> Door | None:
    """The same for the carrier's scans."""
    secret = _secret("--tracking", url, "CARRIER_WEBHOOK_SECRETS")
    return Door(url, secret, "Carrier-Signature", "Sandbox-Carrier/1.0") if url else None


def _secret(option: str, url: str, name: str) -> str:
    secrets = os.environ.get(name, "").replace(",", " ").split()
    if url and not secrets:
        raise BadRule(f"{option} needs a secret in {name}")
    return secrets[0] if secrets else ""
