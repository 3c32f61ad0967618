"""The composition, checked without a container engine."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import jsonschema
import pytest

from config.embedded.stack import QUEUES, worker_command
from config.embedded.state import BASE_DIR
from config.waybill import ROLES
from scripts.compose_services import Service, compose, on_this_machine, our_services

VALUES = {"WAYBILL_SECRET_KEY": "secret"}


def by_name() -> dict[str, Service]:
    return {service.name: service for service in our_services(VALUES)}


def test_the_file_follows_the_compose_specification() -> None:
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"

    jsonschema.validate(compose(), json.loads(schema.read_text()))


def test_every_queue_has_exactly_one_worker_of_its_own() -> None:
    workers = [service.command for service in our_services(VALUES) if service.is_worker]

    assert sorted(command[command.index("--queues") + 1] for command in workers) == sorted(QUEUES)


def test_a_worker_is_told_the_same_as_in_an_embedded_run() -> None:
    quiet = {word for word in worker_command("any", QUEUES, 2) if word.startswith("--without-")}

    assert all(quiet <= set(service.command) for service in our_services(VALUES) if service.is_worker)


def test_every_service_has_a_role_and_its_addresses() -> None:
    services = by_name()

    assert {service.environment["WAYBILL_ROLE"] for service in services.values()} == set(ROLES)
    assert all(
        service.environment["DATABASE_URL"] == "postgresql://waybill:waybill@database:5432/waybill"
        for service in services.values()
    )


def test_nothing_starts_before_the_schema_is_there() -> None:
    services = compose()["services"]

    for name in set(by_name()) - {"migrate", "sandbox"}:
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}, (
            name
        )


def test_a_secret_that_is_not_set_stops_it() -> None:
    with pytest.raises(LookupError, match="WAYBILL_SECRET_KEY: set it"):
        our_services({})


def test_a_command_is_moved_to_this_machine() -> None:
    web = on_this_machine(
        by_name()["web"],
        replacing={"0.0.0.0:8000": "127.0.0.1:1234"},
        environment={"REDIS_URL": "unix:///run/v.sock"},
    )

    assert web.command[:4] == ("gunicorn", "config.wsgi:application", "--bind", "127.0.0.1:1234")
    assert web.environment["REDIS_URL"] == "unix:///run/v.sock"


def test_the_image_holds_every_package_and_folder_the_code_needs() -> None:
    copied = set(re.findall(r"^COPY (\w[\w.]*) ", (BASE_DIR / "Dockerfile").read_text(), re.MULTILINE))

    assert copied == {
        "manage.py", "config", "sagas", "orders", "payments", "inventory", "shipping", "templates", "static",
    }  # fmt: skip
    assert all((BASE_DIR / name).exists() for name in copied - {"templates"})
