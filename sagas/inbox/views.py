"""The door for providers: POST /webhooks/{kind}/{name}/. No session and no token: the signature is the proof."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from sagas.inbox import metrics
from sagas.inbox.receive import MOST_BYTES, receive
from sagas.inbox.signing import BadSignature
from sagas.inbox.sources import Source, Unreadable, find_source


@csrf_exempt
@require_POST
def take_in(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """200 when it is stored, or was before; 401 unsigned, 400 unreadable, 413 too long, 404 no such source.

    The answer says nothing of what became of it: that is not the sender's matter.
    """
    source = find_source(f"{kind}.{name}")
    if source is None:
        raise Http404
    body = _bounded_body(request)
    if body is None:
        metrics.count(source.name, "rejected")
        return _problem(413, "inbox.too_long", f"At most {MOST_BYTES} bytes are taken.")
    return _taken(source, body, request)


def _taken(source: Source, body: bytes, request: HttpRequest) -> HttpResponse:
    try:
        receive(source, body, request.headers, now=timezone.now())
    except BadSignature as error:
        return _problem(401, "inbox.bad_signature", error.code)
    except Unreadable as error:
        return _problem(400, "inbox.unreadable", str(error))
    return HttpResponse(status=200)


def _bounded_body(request: HttpRequest) -> bytes | None:
    """The raw body; None when it is longer than is taken, and then none of it is read.

    What is read ends at the declared length, whatever is sent behind it.
    """
    declared = request.META.get("CONTENT_LENGTH") or "0"
    if not declared.isdecimal() or int(declared) > MOST_BYTES:
        return None
    body: bytes = request.read()
    return body


def _problem(status: int, code: str, detail: str) -> JsonResponse:
    problem = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    return JsonResponse(problem, status=status, content_type="application/problem+json")
