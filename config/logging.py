"""One JSON line per fact, with the correlation id of the request or task it belongs to."""

from __future__ import annotations

import logging.config
from typing import Any

import structlog
from django.http import HttpRequest
from structlog.types import EventDict, Processor, WrappedLogger

from sagas.quoting import all_unquoted


def configure_logging(*, style: str, level: str) -> None:
    """Send structlog's and the standard library's records through one chain. `style` is json or console."""
    logging.config.dictConfig(_standard_library(style, level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: what is not shown is not prepared either
            *shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def shared_processors() -> list[Processor]:
    """What every record gets, whoever wrote it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        one_correlation_id,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.UnicodeDecoder(),
    ]


def one_correlation_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A request's own id is its correlation id unless the caller brought one."""
    if "correlation_id" not in event and "request_id" in event:
        event["correlation_id"] = event["request_id"]
    return event


def nothing_personal(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """No log line tells whom somebody searched for, or what is in the row that a database error shows."""
    if isinstance(request := event.get("request"), HttpRequest):
        event["request"] = f"{request.method} {request.path}"
    elif isinstance(request, str):
        event["request"] = request.partition("?")[0]
    return {name: all_unquoted(value) for name, value in event.items()}


def _standard_library(style: str, level: str) -> dict[str, Any]:
    renderers: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
        if style == "console"
        else [structlog.processors.JSONRenderer()]
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "waybill": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    nothing_personal,
                    *renderers,
                ],
                "foreign_pre_chain": shared_processors(),
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "waybill"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One line per task start and end is enough to follow an order; Celery's own say it again.
            "celery.app.trace": {"level": "ERROR"},
            "celery.worker.strategy": {"level": "WARNING"},
            "django_structlog.celery.receivers": {"level": "WARNING"},
            "django.db.backends": {"level": "INFO"},
            "stripe": {"level": "WARNING"},  # it tells every call twice; the metrics and our own lines do
            "urllib3": {"level": "ERROR"},
        },
    }
