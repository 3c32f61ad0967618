"""Requests that are done once, however often they are sent.

The answer is kept in the commit of the effect, so one cannot exist without the other. A lock on (client, key)
keeps twins apart; it dies with its connection, so no key stays in progress. Only what was done is kept: a
refused request left nothing behind, and may be corrected and sent again under its key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from rest_framework.request import Request
from rest_framework.response import Response

from sagas.crash import crash_point
from sagas.log import LAST
from sagas.sql import rows
from sagas.web.caller import caller_of
from sagas.web.problems import Problem
from sagas.web.reading import POSITION

LONGEST_KEY = 255
#: Printable ASCII without blanks, commas (two headers arrive joined by one) and quotes.
KEY = re.compile(rf"[!#-+\--~]{{1,{LONGEST_KEY}}}")
#: What belongs to the answer beside its body and its place in the feed.
KEPT_HEADERS = ("Location",)
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(%s)"
# A statement of its own, after the lock: it must see what a twin has committed before it let go.
LOOK = """
SELECT waybill_now(), k.fingerprint, k.status, k.headers, k.body
  FROM (VALUES (%s::uuid, %s)) AS asked (client_id, key) LEFT JOIN sagas_keptanswer k USING (client_id, key)
"""
# With where in the feed stands what was done, if an event tells of it.
KEEP = f"""
INSERT INTO sagas_keptanswer (client_id, key, fingerprint, status, headers, body, made_at)
SELECT %s, %s, %s, %s, %s::jsonb || coalesce(
         (SELECT jsonb_build_object('{POSITION}', concat_ws('.', era, xid, position)) FROM ({LAST}) AS last), '{{}}'),
       %s, %s
RETURNING headers ->> '{POSITION}'
"""  # noqa: S608 - constants


def once(request: Request, act: Callable[[datetime], Response]) -> Response:
    """The answer of `act(now)`, or the one it gave when this client first sent this key with this request.

    Safe to repeat. Raises Problem: 400 without a well-formed Idempotency-Key, 409 while a twin is at work,
    422 when the key was used for another request. Opens the transaction in which `act` must do all it does.
    """
    client_id, key, asked = caller_of(request).shop_id, idempotency_key(request), fingerprint(request)
    with transaction.atomic(durable=True):
        _lock(client_id, key)
        now, *kept = rows(LOOK, [client_id, key])[0]
        if kept[0] is not None:
            return _again(asked, *kept)
        response = act(now)
        _keep(client_id, key, asked, response, now)
        crash_point("api.before_commit")
    crash_point("api.after_commit")
    return response


def idempotency_key(request: Request) -> str:
    """The request's key. Raises Problem 400 if it is missing, malformed or given twice."""
    sent = request.headers.get("Idempotency-Key")
    if sent is None:
        raise Problem(400, "api.idempotency_key_missing", "This request needs an Idempotency-Key header.")
    # The draft standard writes a key between quotes; most clients do not.
    key = sent[1:-1] if len(sent) > 2 and sent[0] == sent[-1] == '"' else sent
    if not KEY.fullmatch(key):
        detail = (
            f"A key is one header of 1 to {LONGEST_KEY} visible ASCII characters, without comma or quote."
        )
        raise Problem(400, "api.idempotency_key_invalid", detail)
    return key


def fingerprint(request: Request) -> str:
    """What makes two requests the same: method, path and the document, however it was written down."""
    document = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{request.method} {request.path}\n{document}".encode()).hexdigest()


def _lock(client_id: UUID, key: str) -> None:
    digest = hashlib.sha256(f"{client_id}|{key}".encode()).digest()
    ((taken,),) = rows(TRY_LOCK, [int.from_bytes(digest[:8], "big", signed=True)])
    if not taken:
        detail = "A request with this key is being carried out. Ask again for its answer."
        raise Problem(409, "api.request_in_progress", detail, retry_after_seconds=1)


def _again(asked: str, fingerprint: str, status: int, headers: str, body: str) -> Response:
    if fingerprint != asked:
        raise Problem(422, "api.idempotency_key_reused", "This key was used for another request.")
    told = {**json.loads(headers), "Idempotency-Replayed": "true"}
    return Response(json.loads(body), status=status, headers=told)


def _keep(client_id: UUID, key: str, asked: str, response: Response, now: datetime) -> None:
    """Keep the answer, and say in it where in the feed stands what was done."""
    headers = {name: response[name] for name in KEPT_HEADERS if response.has_header(name)}
    answer = [response.status_code, json.dumps(headers), json.dumps(response.data), now]
    ((place,),) = rows(KEEP, [client_id, key, asked, *answer])
    if place is not None:
        response[POSITION] = place
