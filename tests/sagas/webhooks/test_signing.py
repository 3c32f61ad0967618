"""Signatures as shops verify them, by the example of the documentation, and secrets that follow from keys."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from standardwebhooks import Webhook, WebhookVerificationError

from config.embedded.state import BASE_DIR
from sagas.webhooks.signing import NoKey, Secret, newest_key, signed_headers

ENDPOINT = UUID("019b8d2f-5c01-7c33-8d5e-6f7081920303")
DELIVERY = UUID("019b8d2f-5c01-7c33-8d5e-6f7081920304")
BODY = b'{"id": "x"}'


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, webhook_keys=("new", "old")))


def secret(number: int = 1) -> Secret:
    return Secret(ENDPOINT, number, newest_key())


def signed(*secrets: Secret, at: datetime | None = None) -> dict[str, str]:
    return signed_headers(DELIVERY, BODY, secrets, at=at or datetime.now(UTC))


def test_the_example_of_the_documentation_takes_what_is_ours_and_nothing_else() -> None:
    page = (BASE_DIR / "docs" / "webhooks.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], names)
    verify = names["verify"]
    text = secret().text()
    old = datetime.now(UTC) - timedelta(seconds=301)

    assert verify(text, signed(secret()), BODY)
    assert verify(text, signed(secret(2), secret()), BODY)
    assert not verify(text, signed(secret(2)), BODY)
    assert not verify(text, signed(secret()), BODY + b" ")
    assert not verify(text, signed(secret()) | {"webhook-id": str(ENDPOINT)}, BODY)
    assert not verify(text, signed(secret(), at=old), BODY)


def test_another_library_agrees_on_every_flipped_byte() -> None:
    headers = signed(secret())
    library = Webhook(secret().text())
    library.verify(BODY, headers)

    for place in range(len(BODY)):
        altered = bytearray(BODY)
        altered[place] ^= 1
        with pytest.raises(WebhookVerificationError):
            library.verify(bytes(altered), headers)


def test_secrets_differ_by_endpoint_number_and_key_and_stay_what_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = secret()
    texts = {before.text(), secret(2).text(), Secret(DELIVERY, 1, newest_key()).text()}
    kept = before.text()
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, webhook_keys=("newer", "new")))

    assert len(texts | {secret().text()}) == 4
    assert before.text() == kept
    monkeypatch.setattr(settings, "WAYBILL", replace(settings.WAYBILL, webhook_keys=("newer",)))
    with pytest.raises(NoKey):
        before.text()


def test_neither_keys_nor_secrets_are_in_what_is_printed() -> None:
    assert "webhook_keys" not in repr(settings.WAYBILL)
    assert secret().text().removeprefix("whsec_") not in repr(secret())
