"""docs/events says what the contracts say, and every version of every event ever written can be read."""

from __future__ import annotations

import json
import shutil
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from config.events import catalogue, golden
from config.events.catalogue import Catalogue
from config.events.schemas import published
from sagas.bus import subscriptions


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the catalogue and the golden files, to be damaged."""
    docs = shutil.copytree(catalogue.FOLDER, tmp_path / "docs")
    files = shutil.copytree(golden.FOLDER, tmp_path / "golden")
    damaged = lambda: Catalogue(docs, files)  # noqa: E731
    monkeypatch.setattr("config.management.commands.event_catalogue.Catalogue", damaged)
    monkeypatch.setattr(golden, "FOLDER", files)
    return tmp_path


def check() -> str:
    out = StringIO()
    try:
        call_command("event_catalogue", "--check", stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}"
    return out.getvalue()


def test_the_catalogue_is_what_the_contracts_say() -> None:
    assert check() == "docs/events is up to date.\n"


def test_every_event_has_a_golden_file_that_is_read_as_it_says() -> None:
    files = {name: list(golden.files_of(name)) for name in published()}

    assert len(files) > 40
    assert {
        name: v for name, v in files.items() if v != list(range(1, published()[name].schema_version + 1))
    } == {}
    assert [problem for cls in published().values() for problem in golden.misread(cls)] == []


def test_drift_is_shown_and_mended(copy: Path) -> None:
    page = copy / "docs" / "README.md"
    page.write_text(page.read_text().replace("`inventory.allocation`", "`nobody`"))

    told = check()
    call_command("event_catalogue", stdout=StringIO())

    assert "+++ the code" in told
    assert told.endswith("docs/events is not what the code does: manage.py event_catalogue")
    assert page.read_text() == (catalogue.FOLDER / "README.md").read_text()
    assert check() == "docs/events is up to date.\n"


def test_a_file_of_nobody_is_drift(copy: Path) -> None:
    (copy / "docs" / "notes.txt").write_text("mine\n")

    assert "--- docs/events/notes.txt" in check()


def test_an_event_without_its_golden_file_is_told_and_nothing_is_written(copy: Path) -> None:
    (copy / "golden" / "orders" / "OrderPlaced.v1.json").unlink()
    (copy / "docs" / "README.md").write_text("")

    with pytest.raises(CommandError, match=r"orders\.OrderPlaced has no golden file of version 1"):
        call_command("event_catalogue", stdout=StringIO())

    assert (copy / "docs" / "README.md").read_text() == ""


def test_a_golden_file_that_was_changed_is_told(copy: Path) -> None:
    file = copy / "golden" / "payments" / "PaymentCaptured.v1.json"
    file.write_text(file.read_text().replace("3300", "3301"))

    assert "payments.PaymentCaptured version 1: its golden file was changed" in check()


def test_an_incompatible_change_is_told_and_cannot_be_written(copy: Path) -> None:
    file = copy / "docs" / "orders.OrderRejected.v1.json"
    schema = json.loads(file.read_text())
    schema["properties"]["blame"] = {"type": "string"}
    file.write_text(json.dumps(schema))

    with pytest.raises(CommandError, match=r"orders\.OrderRejected version 1: blame was removed"):
        call_command("event_catalogue", stdout=StringIO())


def test_a_published_event_that_no_code_knows_is_told(copy: Path) -> None:
    shutil.copy(copy / "docs" / "orders.OrderPlaced.v1.json", copy / "docs" / "orders.OrderDreamt.v1.json")

    assert "orders.OrderDreamt was published, and no code reads it any more" in check()


def test_a_golden_file_is_written_once(copy: Path) -> None:
    with pytest.raises(CommandError, match=r"OrderConfirmed\.v1\.json is there, and frozen"):
        call_command("golden_event", "orders.OrderConfirmed")
    with pytest.raises(CommandError, match=r"No contract has an event orders\.Dreamt"):
        call_command("golden_event", "orders.Dreamt")


def test_a_first_golden_file_needs_every_field(copy: Path) -> None:
    file = copy / "golden" / "orders" / "OrderRejected.v1.json"
    before = json.loads(file.read_text())
    file.unlink()

    with pytest.raises(CommandError, match="Nothing was written: TypeError"):
        call_command("golden_event", "orders.OrderRejected", "--set", '{"code": "x"}')
    call_command(
        "golden_event", "orders.OrderRejected", "--set", json.dumps(before["data"]), stdout=StringIO()
    )

    assert json.loads(file.read_text()) == before


def test_every_reference_of_the_asyncapi_description_leads_somewhere() -> None:
    document = yaml.safe_load((catalogue.FOLDER / "asyncapi.yaml").read_text())

    found = list(references(document))

    assert len(found) > 100
    assert [ref for ref in found if not resolves(document, ref)] == []


def test_the_asyncapi_description_names_every_publisher_and_every_reader() -> None:
    document = yaml.safe_load((catalogue.FOLDER / "asyncapi.yaml").read_text())
    operations = document["operations"]

    assert document["asyncapi"] == "3.0.0"
    assert {name for name, o in operations.items() if o["action"] == "send"} == {
        f"{app}.publish" for app in ("inventory", "orders", "payments", "sagas", "shipping", "webhooks")
    }
    readers = {name.rpartition(".from_")[0] for name, o in operations.items() if o["action"] == "receive"}
    assert readers == {sub.name for sub in subscriptions()}


def references(node: Any) -> Any:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def resolves(document: Any, ref: str) -> bool:
    if not ref.startswith("#/"):
        return (catalogue.FOLDER / ref).is_file()
    for part in ref[2:].split("/"):
        if part not in document:
            return False
        document = document[part]
    return True
