"""A real Chromium on the machine drives the pages. Without one these tests are skipped, and say why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from sagas import board
from tests.sagas import toys

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PASSWORD = "correct horse battery"

#: Playwright drives pages from an event loop's thread, where Django would refuse to ask the database.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium as it is on PATH, headless."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: run `make e2e`")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium on PATH (Debian: apt-get install --no-install-recommends chromium)")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture
def scene(toy: toys.Script) -> Iterator[toys.Script]:
    """The toy business, no picture of another test, and an operator who can sign in."""
    board.forget()
    User.objects.create_superuser("olga", "olga@waybill.invalid", PASSWORD)
    yield toy
    board.forget()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Browser, live_server: Any, scene: toys.Script) -> Iterator[Open]:
    """`open_page("/staff/", scheme="dark", scripts=False)`: the page, signed in. Its errors fail the test."""
    opened: list[tuple[Any, list[str]]] = []

    def start(
        address: str, *, scheme: Any = "light", scripts: bool = True, width: int = 1360, policy: str = ""
    ) -> Page:
        context = browser.new_context(
            base_url=live_server.url,
            color_scheme=scheme,
            java_script_enabled=scripts,
            viewport={"width": width, "height": 900},
        )
        page, errors = context.new_page(), []
        if policy:
            page.route("**/*", lambda route: _under(policy, route))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: _only_ours(asked.url, live_server.url, errors))
        opened.append((context, errors))
        _sign_in(page, address)
        return page

    yield start
    for context, _ in opened:
        context.close()
    assert [error for _, errors in opened for error in errors] == []


def _sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("Username").fill("olga")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{address}")


def _under(policy: str, route: Any) -> None:
    """Let the answer through with a content security policy."""
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "content-security-policy": policy})


def _only_ours(url: str, ours: str, errors: list[str]) -> None:
    if not url.startswith((ours, "data:")):
        errors.append(f"asked a foreign address: {url}")


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keep a picture of a page in the folder WAYBILL_PICTURES, if one is named."""
    folder = os.environ.get("WAYBILL_PICTURES")

    def take(page: Page, name: str) -> None:
        if folder:
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return take
