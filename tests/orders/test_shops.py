"""Shops and tokens: shown once, kept as a hash, found by their prefix, revoked for good."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from orders import commands, queries, tokens
from orders.commands.shops import ShopExists, ShopInvalid
from orders.models import ApiToken, Shop
from tests.orders.factories import NOW

pytestmark = pytest.mark.django_db


def test_a_shop_is_made_with_a_token_that_is_kept_only_as_a_hash() -> None:
    shop, token = commands.create_shop("Corner Shop", now=NOW)

    stored = ApiToken.objects.get()
    assert (shop.slug, stored.shop) == ("corner-shop", shop)
    assert token.startswith(f"wb_{stored.prefix}_")
    assert token not in (stored.prefix, stored.digest, stored.name)
    assert token.rpartition("_")[2] not in str(vars(stored))
    assert queries.authenticate_token(token) == shop


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda t: "Bearer " + t,
        lambda t: t[:-1],
        lambda t: t[:-1] + ("a" if t[-1] != "a" else "b"),
        lambda t: t.upper(),
        lambda t: t.replace("wb_", "xx_", 1),
        lambda t: t.rsplit("_", 1)[0] + "_",
        lambda t: t + "ü",
        lambda _: tokens.new_token().text,
    ],
)
def test_f78_anything_but_the_token_itself_opens_nothing(spoil) -> None:  # type: ignore[no-untyped-def]
    _, token = commands.create_shop("Corner Shop", now=NOW)

    assert queries.authenticate_token(spoil(token)) is None


def test_f83_tokens_rotate_without_a_gap() -> None:
    shop, old = commands.create_shop("Corner Shop", now=NOW)
    new = commands.create_token(shop, name="second", now=NOW)
    assert queries.authenticate_token(old) == queries.authenticate_token(new) == shop

    for _ in range(2):
        commands.revoke_token(old.split("_")[1], now=NOW)

    assert queries.authenticate_token(old) is None
    assert queries.authenticate_token(new) == shop


def test_two_shops_cannot_share_a_slug() -> None:
    commands.create_shop("Corner Shop", now=NOW)

    with pytest.raises(ShopExists):
        commands.create_shop("Corner  shop", now=NOW)

    assert (Shop.objects.count(), ApiToken.objects.count()) == (1, 1)


@pytest.mark.parametrize(("name", "slug"), [("", ""), ("   ", ""), ("A", "Not A Slug"), ("x" * 201, "x")])
def test_a_shop_needs_a_name_that_can_stand_in_a_url(name: str, slug: str) -> None:
    with pytest.raises(ShopInvalid):
        commands.create_shop(name, slug=slug, now=NOW)


def test_create_shop_prints_the_token_once_and_alone_on_stdout() -> None:
    out, err = StringIO(), StringIO()

    call_command("create_shop", "Corner Shop", "--slug", "corner", stdout=out, stderr=err)

    shop = queries.authenticate_token(out.getvalue().strip())
    assert shop is not None
    assert shop.slug == "corner"
    assert "not shown again" in err.getvalue()
    with pytest.raises(CommandError, match="shop_exists"):
        call_command("create_shop", "Corner Shop", "--slug", "corner", stdout=out, stderr=err)


def test_shop_token_rotates_from_the_command_line() -> None:
    _, old = commands.create_shop("Corner Shop", now=NOW)
    out = StringIO()

    call_command("shop_token", "--new-for", "corner-shop", stdout=out)
    call_command("shop_token", "--revoke", old.split("_")[1], stdout=StringIO())

    assert queries.authenticate_token(out.getvalue().strip()) is not None
    assert queries.authenticate_token(old) is None
    with pytest.raises(CommandError, match="no shop nowhere"):
        call_command("shop_token", "--new-for", "nowhere")
    with pytest.raises(CommandError, match="token_not_found"):
        call_command("shop_token", "--revoke", "none")
