"""Fields that take exactly what they say: no number for a text, no text for a number, nothing unknown.

What is as it should be is taken at once. Anything else goes the framework's own long way, which says what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self

from django.http import QueryDict
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

#: No database and no label can hold these.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
MOST_UNKNOWN_NAMED = 10
UNKNOWN = ErrorDetail("There is no such field.", code="unknown_field")
BIGINT = 2**63 - 1


class StrictSerializer(serializers.Serializer[Any]):
    """Turns away every field it does not know, beside whatever else is wrong."""

    @classmethod
    def check(cls, document: Any) -> dict[str, Any]:
        """The values in a document. Raises ValidationError, naming every place that is wrong."""
        checked: dict[str, Any] = cls._checker().run_validation(document)
        return checked

    @classmethod
    @cache
    def _checker(cls) -> Self:
        """One for all documents and threads: to make the fields takes four times as long as to check with them."""
        return cls()

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return super().to_internal_value(data)
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, field in self.fields.items():
            try:
                values[name] = field.run_validation(data[name]) if name in data else _unsaid(field)
            except serializers.ValidationError as error:
                errors[name] = error.detail
            except serializers.SkipField:
                continue
        if not data.keys() <= self.fields.keys():
            unknown = sorted(data.keys() - self.fields.keys())[:MOST_UNKNOWN_NAMED]
            errors |= {str(name)[:100]: [UNKNOWN] for name in unknown}
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def run_validators(self, value: Any) -> None:
        if self.validators:
            super().run_validators(value)


def _unsaid(field: serializers.Field[Any, Any, Any, Any]) -> Any:
    """What a field is that was not sent. Raises SkipField if it then is not there at all."""
    if field.required or callable(field.default):
        return field.run_validation()
    if field.default is serializers.empty:
        raise serializers.SkipField
    return field.default


class QuerySerializer(StrictSerializer):
    """The parameters of a query string, each given at most once unless its field is a list."""

    @classmethod
    def read(cls, query: QueryDict) -> dict[str, Any]:
        """The checked parameters. Raises ValidationError, for unknown ones too."""
        known = cls().fields
        lists = {name for name, field in known.items() if isinstance(field, serializers.ListField)}
        twice = [name for name, values in query.lists() if len(values) > 1 and name not in lists]
        if twice:
            raise serializers.ValidationError({name: ["Given twice."] for name in twice[:MOST_UNKNOWN_NAMED]})
        serializer = cls(data={n: v if n in lists else v[0] for n, v in query.lists()})
        serializer.is_valid(raise_exception=True)
        found: dict[str, Any] = serializer.validated_data
        return found


class Text(serializers.CharField):
    """A text of printable characters, taken as it was sent."""

    default_error_messages = {"unprintable": "Control characters are not allowed."}

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)
        self._least, self._most = max(1, self.min_length or 0), self.max_length or 0

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if type(data) is str and self._least <= len(data) <= self._most and not UNPRINTABLE.search(data):
            return data
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if UNPRINTABLE.search(data):
            self.fail("unprintable")
        return super().to_internal_value(data)


class Email(serializers.EmailField):
    """An e-mail address, taken as it was sent."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Whole(serializers.IntegerField):
    """A JSON integer within a bigint: never a text, a float or a boolean."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("min_value", -BIGINT)
        options.setdefault("max_value", BIGINT)
        super().__init__(**options)
        self._within = range(options["min_value"], options["max_value"] + 1)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if type(data) is int and data in self._within:
            return data
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return data


class Moment(serializers.DateTimeField):
    """A time with its offset (RFC 3339), turned into UTC."""

    default_error_messages = {"zone": "A time needs its offset, as in 2026-01-05T09:00:00Z."}

    def to_internal_value(self, data: Any) -> datetime:
        try:
            found = parse_datetime(data) if isinstance(data, str) else None
        except ValueError:
            found = None
        if found is None:
            self.fail("invalid", format="2026-01-05T09:00:00Z")
        if found.tzinfo is None:
            self.fail("zone")
        try:
            return found.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")
