"""Staff pages in a real browser: they read well, keep fresh, work by keyboard and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from sagas import board
from sagas.models import Intent
from sagas.verdicts import Unavailable
from tests.e2e import scenes
from tests.sagas import toys
from tests.sagas.conftest import toy  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Page, expect
else:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: run `make e2e`")
    Page, expect = api.Page, api.expect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Open = Callable[..., Page]
Picture = Callable[[Page, str], None]
LIST = "/admin/sagas/saga/"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_a_working_day(open_page: Open, scene: Any, picture: Picture, scheme: str) -> None:
    scenes.working_day(scene)
    parked, refused = toys.saga("536367"), toys.saga("536365")
    act = reverse("admin:sagas_saga_act", args=["turn_back"])
    pages = {
        "board": "/staff/",
        "list": f"{LIST}?state=unfinished",
        "list-all": LIST,
        "story-parked": f"{LIST}{parked.pk}/change/",
        "story-refused": f"{LIST}{refused.pk}/change/",
        "act": reverse("admin:sagas_saga_act", args=["resolve"]) + f"?saga={parked.pk}",
        "act-refused": f"{act}?saga={parked.pk}",
        "skip": reverse("admin:sagas_saga_act", args=["skip"]) + f"?saga={parked.pk}",
        "pauses": reverse("admin:sagas_pauses"),
        "readers": reverse("admin:sagas_readers"),
        "parked-events": "/admin/sagas/parkedevent/",
        "stream": reverse("admin:sagas_stream", args=[parked.pk]),
        "index": "/admin/",
    }

    page = open_page("/staff/", scheme=scheme)
    for name, address in pages.items():
        answer = page.goto(address)
        picture(page, f"{name}-{scheme}")
        assert answer is not None
        assert answer.status == 200, name
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{name} is too wide"
        )


def test_the_live_page_keeps_itself_fresh(open_page: Open, scene: Any) -> None:
    page = open_page("/staff/")
    expect(page.get_by_text("Nothing is unfinished.")).to_be_visible()

    toys.start_many(["A-1", "A-2"], amount_minor=1000, currency="GBP")

    expect(page.get_by_role("link", name="2 unfinished 20.00 GBP")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("row", name=re.compile("open case"))).to_contain_text("20.00 GBP")


def test_the_live_page_can_be_held_still(open_page: Open, scene: Any) -> None:
    page = open_page("/staff/")
    page.get_by_role("button", name="Hold still").click()

    toys.start("A-1")
    page.wait_for_timeout(4000)

    expect(page.get_by_text("Nothing is unfinished.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("link", name=re.compile("^1 unfinished"))).to_be_visible(timeout=15_000)


def test_the_live_page_keeps_the_focus_of_the_keyboard(open_page: Open, scene: Any) -> None:
    toys.start("A-1")
    board.forget()
    page = open_page("/staff/")
    link = page.get_by_role("link", name="open case")
    link.focus()

    toys.start("A-2")
    expect(page.get_by_role("link", name=re.compile("^2 unfinished"))).to_be_visible(timeout=15_000)

    expect(page.get_by_role("link", name="open case")).to_be_focused()


def test_without_scripts_the_live_page_is_whole(open_page: Open, scene: Any) -> None:
    toys.start("A-1", amount_minor=1000, currency="GBP")
    board.forget()

    page = open_page("/staff/", scripts=False)

    expect(page.get_by_role("link", name="1 unfinished 10.00 GBP")).to_be_visible()
    expect(page.get_by_role("link", name="Refresh")).to_be_visible()
    expect(page.get_by_role("button", name="Hold still")).to_be_hidden()


def test_an_operator_goes_from_the_live_page_to_a_parked_saga_and_retries_it(
    open_page: Open, scene: Any
) -> None:
    scene.always["hold_money"] = Unavailable("busy")
    toys.start("536365", amount_minor=1000, currency="GBP")
    toys.settle()
    board.forget()

    page = open_page("/staff/")
    page.get_by_role("link", name="hold money: busy after 4 tries").click()
    page.get_by_role("link", name="536365").click()
    page.get_by_role("link", name="Retry now").click()
    expect(page.get_by_text("Tries again now, with fresh tries: hold money.")).to_be_visible()
    page.get_by_label("Reason").fill("the bank is back")
    page.get_by_role("button", name="Retry now").click()

    expect(page.get_by_text("Retry now: asked for 536365.")).to_be_visible()
    expect(page.get_by_text("not taken up yet")).to_be_visible()
    assert Intent.objects.values_list("kind", "actor", "reason").get() == (
        "retry",
        "olga",
        "the bank is back",
    )


def test_many_are_chosen_in_the_list_and_paused_together(open_page: Open, scene: Any) -> None:
    toys.start_many(["A-1", "A-2", "A-3"])
    page = open_page(LIST)
    for reference in ("A-1", "A-3"):
        page.get_by_role("row", name=re.compile(reference)).get_by_role("checkbox").check()
    page.locator("select[name=action]").select_option(label="Pause")
    page.get_by_role("button", name="Go").click()

    expect(page.get_by_text("2 sagas")).to_be_visible()
    page.get_by_label("Reason").fill("stocktaking")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_url(f"**{LIST}")

    chosen = Intent.objects.order_by("saga__reference").values_list("saga__reference", "kind")
    assert list(chosen) == [("A-1", "pause"), ("A-3", "pause")]


def test_pages_live_under_a_strict_content_policy(open_page: Open, scene: Any) -> None:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    scenes.refused_after_retries(scene)
    page = open_page("/staff/", policy=policy)
    page.goto(f"{LIST}{toys.saga('536365').pk}/change/")
    page.goto("/staff/")
    toys.start("A-1")

    expect(page.get_by_role("link", name=re.compile("^1 unfinished"))).to_be_visible(timeout=15_000)


def test_pages_fit_a_telephone(open_page: Open, scene: Any, picture: Picture) -> None:
    scenes.refused_after_retries(scene)
    page = open_page("/staff/", width=390)
    for name, address in (("board", "/staff/"), ("story", f"{LIST}{toys.saga('536365').pk}/change/")):
        page.goto(address)
        picture(page, f"{name}-narrow")

        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
            f"{name} is too wide"
        )
