"""The description of the API (OpenAPI 3.1), made from the code."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from config.api.documents import MEDIA_TYPE
from sagas.web.fields import StrictSerializer

KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="One per intended act; the same with every repeat of it. Protects the act for seven days.",
)

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `type` leads to its explanation.",
    "required": ["type", "title", "status", "code", "detail", "instance", "correlation_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "correlation_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {name: {"type": "string"} for name in ("pointer", "code", "detail")},
            },
        },
    },
}

ALWAYS = {"400": "Unreadable", "401": "No valid token", "429": "Too many requests", "503": "Not now"}
WITH_ID = {"404": "Not there, or another shop's"}
WITH_BODY = {
    "409": "Refused as things stand",
    "413": "Too large",
    "415": "Not the media type that is taken",
}


class ApiSchema(AutoSchema):
    """One operation. Writes take an Idempotency-Key; a strict document has no fields but those described."""

    def get_override_parameters(self) -> list[Any]:
        """The header of views that use `once`."""
        needs_key = getattr(self.view, "idempotent", False) and self.method in ("POST", "PATCH")
        return [*super().get_override_parameters(), *([KEY] if needs_key else [])]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema


class ShopTokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the description names it."""

    target_class = "config.api.authentication.ShopToken"
    name = "shopToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        del auto_schema
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A shop's token; `manage.py create_shop` prints it once.",
        }


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Name the problems every operation may answer with."""
    components = result.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM
    for path, operations in result["paths"].items():
        for operation in operations.values():
            for status, why in _statuses(path, operation).items():
                operation["responses"].setdefault(status, _problem(why))
    return result


def _statuses(path: str, operation: dict[str, Any]) -> dict[str, str]:
    found = dict(ALWAYS)
    found |= WITH_ID if "{" in path else {}
    found |= WITH_BODY if "requestBody" in operation else {}
    names = {p["name"] for p in operation.get("parameters", ())}
    found |= {"412": "Not at the version that was seen"} if "If-Match" in names else {}
    takes = "requestBody" in operation or any(p["in"] == "query" for p in operation.get("parameters", ()))
    return found | ({"422": "Not as described"} if takes else {})


def _problem(why: str) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": why, "content": content}
