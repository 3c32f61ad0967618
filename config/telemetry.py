"""Errors to Sentry, numbers to Prometheus. Neither is needed to run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec

import sentry_sdk
from django.apps import apps
from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    generate_latest,
    multiprocess,
    start_http_server,
)
from prometheus_client.registry import Collector
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint

from sagas.quoting import all_unquoted


def start_sentry(dsn: str, *, role: str) -> None:
    """Report bugs when a DSN is given. Business refusals are answers, not errors, and never come here."""
    if not dsn:
        return
    sentry_sdk.init(
        dsn=dsn,
        integrations=[DjangoIntegration(), CeleryIntegration()],
        environment=os.environ.get("SENTRY_ENVIRONMENT", "production"),
        # Nobody can be erased there, so nobody is sent there: no bodies, no variables, no rows that errors quote.
        max_request_body_size="never",
        include_local_variables=False,
        before_send=only_bugs,
        before_breadcrumb=without_rows,
        traces_sample_rate=0.0,
    )
    sentry_sdk.set_tag("role", role)


def only_bugs(event: Event, hint: Hint) -> Event | None:
    """Drop what is an answer: a refusal, a wait, a lost race. Everything else is a bug, told without personal data."""
    from sagas.verdicts import Verdict

    raised = hint.get("exc_info", (None, None, None))[1]
    if isinstance(raised, Verdict):
        return None
    if request := event.get("request"):
        request.pop("query_string", None)
    told: Event = all_unquoted(event)
    return told


def without_rows(crumb: Breadcrumb, _hint: BreadcrumbHint) -> Breadcrumb:
    """What led to a bug, without the rows that database errors quote."""
    told: Breadcrumb = all_unquoted(crumb)
    return told


def metrics(_request: HttpRequest) -> HttpResponse:
    """Everything Prometheus may know: the counters of all processes, and what the rows say now."""
    registry = all_processes() if os.environ.get("PROMETHEUS_MULTIPROC_DIR") else REGISTRY
    rows = CollectorRegistry()
    for collector in row_collectors():
        rows.register(collector)
    return HttpResponse(generate_latest(registry) + generate_latest(rows), content_type=CONTENT_TYPE_LATEST)


def serve_metrics(port: int) -> None:
    """Answer Prometheus from a process that is no web server: a worker in its own container."""
    start_http_server(port, registry=all_processes())


def all_processes() -> CollectorRegistry:
    """The sums over the files that web and workers write below the state folder."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return registry


def row_collectors() -> Iterable[Collector]:
    """Collectors that read rows: each app may offer `ROW_COLLECTORS` in its gauges.py."""
    for app in apps.get_app_configs():
        name = f"{app.name}.gauges"
        if not app.name.startswith(("django.", "rest_framework")) and find_spec(name) is not None:
            yield from getattr(import_module(name), "ROW_COLLECTORS", ())
