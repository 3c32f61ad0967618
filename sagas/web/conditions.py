"""Preconditions of a write (RFC 9110, section 13): only if it still stands at the version the client has seen."""

from __future__ import annotations

import re

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from sagas.web.problems import Problem

#: What a write that minds If-Match describes.
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description='The ETag of what the client has seen, as in `"3"`. Of anything else: 412, and nothing is done.',
)

TAG = r'(?:W/)?"[\x21\x23-\x7e]*"'
TAGS = re.compile(rf"\s*{TAG}\s*(?:,\s*{TAG}\s*)*")
#: A tag begins with the object's version; what follows tells representations of one version apart.
VERSION = re.compile(r'(W/)?"([1-9][0-9]{0,9})(?:-[0-9a-f]+)?"')


def versions_matched(request: Request) -> frozenset[int] | None:
    """The versions an If-Match header names; None without one, or with `*`. Raises Problem 400.

    A weak tag matches nothing, as RFC 9110 has it, and neither does a tag that is no version.
    """
    sent = request.headers.get("If-Match")
    if sent is None or sent.strip() == "*":
        return None
    if not TAGS.fullmatch(sent):
        raise Problem(400, "api.if_match_invalid", 'If-Match takes entity tags as in "3", or *.')
    return frozenset(int(version) for weak, version in VERSION.findall(sent) if not weak)
