"""Django's settings. Only the environment differs between a laptop and production, and it is read here."""

from __future__ import annotations

import logging
import os
from typing import Any

from django.core.management.utils import get_random_secret_key

from config import env
from config.addresses import broker_url, database_settings
from config.embedded.state import BASE_DIR, State
from config.logging import configure_logging
from config.telemetry import start_sentry
from config.waybill import WaybillSettings

WAYBILL = WaybillSettings.from_environment()
STATE = State.current()

# --- the basics ---------------------------------------------------------------------------------------------

DEBUG = env.flag("WAYBILL_DEBUG", default=False)
SECRET_KEY = env.text("WAYBILL_SECRET_KEY", STATE.noted_secret() or get_random_secret_key())
ALLOWED_HOSTS = env.names("WAYBILL_HOSTS", ("127.0.0.1", "localhost", "[::1]"))
CSRF_TRUSTED_ORIGINS = env.names("WAYBILL_TRUSTED_ORIGINS")

INSTALLED_APPS = [
    "config",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_structlog",
    "sagas",
    "orders",
    "payments",
    "inventory",
    "shipping",
    "sagas.webhooks",
]

MIDDLEWARE = [
    "config.api.correlation.CorrelationMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.browsers.Sessions",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "config.browsers.Users",
    "django_structlog.middlewares.RequestMiddleware",
    "config.browsers.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- the database -------------------------------------------------------------------------------------------

#: Limits by role, in milliseconds. The feed waits for the oldest writing transaction, so none may linger.
STATEMENT_TIMEOUT = {"web": 15_000, "worker": 60_000, "keep": 60_000, "manage": 0}
LOCK_TIMEOUT = {"web": 5_000, "worker": 30_000, "keep": 10_000, "manage": 30_000}
IDLE_IN_TRANSACTION_TIMEOUT = {"web": 15_000, "worker": 60_000, "keep": 60_000, "manage": 120_000}


#: A worker finds every row by key or by a partial index. A plan that is kept must say so from the start: made while
#: tables were nearly empty, it would read them whole until they are analyzed.
BY_KEY = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}


def _database(url: str, role: str, **limits: object) -> dict[str, Any]:
    """The web keeps a pool, since requests come and go; a worker keeps one connection for life."""
    database = database_settings(url)
    limits |= {
        "statement_timeout": STATEMENT_TIMEOUT[role],
        "lock_timeout": LOCK_TIMEOUT[role],
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT[role],
    }
    if role == "worker":
        limits |= BY_KEY
    database["OPTIONS"] |= {
        "application_name": f"waybill-{role}",
        "connect_timeout": 10,
        "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
    }
    if role == "web":
        size = env.integer("WAYBILL_POOL_SIZE", 10, least=1)
        database["OPTIONS"]["pool"] = {"min_size": 1, "max_size": size, "timeout": 5}
    if role in {"worker", "keep"}:
        database["CONN_MAX_AGE"] = None
    return database


def _replica(url: str, role: str) -> dict[str, Any]:
    """The same, but it only reads, and gives up soon: the primary answers in its place."""
    database = _database(url, role, default_transaction_read_only="on")
    database["OPTIONS"] |= {"connect_timeout": 2}
    database["TEST"] = {"MIRROR": "default"}
    if "pool" in database["OPTIONS"]:
        database["OPTIONS"]["pool"] |= {"min_size": 0, "timeout": 1}
    return database


DATABASES = {"default": _database(env.text("DATABASE_URL", STATE.database_url), WAYBILL.role)}
if REPLICA_URL := env.text("DATABASE_REPLICA_URL", ""):
    DATABASES["replica"] = _replica(REPLICA_URL, WAYBILL.role)

# --- tasks: a message is a doorbell, so it is cheap to lose and must never block ----------------------------

CELERY_BROKER_URL = broker_url(WAYBILL.redis_url)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # A message taken by a worker that died comes back after this long: it must exceed the longest task, else
    # one message runs twice at once. The sweep over the rows does not wait for it.
    "visibility_timeout": 300,
    # With kombu's defaults of 10 and 10 a lost message waits up to 100 s more.
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 30,
    # A dead broker costs a publisher a moment, not a hung request.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TASK_PUBLISH_RETRY = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.2,
}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_DEFAULT_QUEUE = "sagas"
#: A worker keeps its database connection over so many tasks: practically for life.
CELERY_DB_REUSE_MAX = 1_000_000_000

# --- the web ------------------------------------------------------------------------------------------------

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
#: An image collects its files here once; without it they are served from where they lie.
STATIC_ROOT = env.text("WAYBILL_STATIC_ROOT", "") or None
WHITENOISE_USE_FINDERS = STATIC_ROOT is None

LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/staff/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
#: Set behind TLS: cookies travel encrypted only, and the proxy's word for https is believed.
BEHIND_TLS = env.flag("WAYBILL_BEHIND_TLS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.ApiSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["sagas.web.bodies.StrictJson"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["config.api.authentication.ShopToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["config.api.throttling.ShopThrottle"],
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "config.api.errors.answer",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Waybill",
    "DESCRIPTION": "Orders in, goods and money out, or everything given back. Every error is a problem"
    " document (RFC 9457) with a stable code; all of them are explained at /api/problems/. Send"
    " X-Correlation-Id to find a request again in logs, stories and at the providers; every answer names it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.schema.add_problems",
    ],
    "ENUM_NAME_OVERRIDES": {
        "OrderState": "orders.states.State",
        "FulfilmentStyle": "orders.states.Fulfilment",
        "SagaState": "sagas.models.Saga.State",
        "SagaHold": "sagas.models.Saga.Hold",
        "SagaCause": "sagas.models.Saga.Cause",
        "StepState": "sagas.models.SagaStep.State",
        "WebhookDeliveryState": "sagas.webhooks.models.WebhookDelivery.State",
        "WebhookEndpointState": "sagas.webhooks.models.WebhookEndpoint.State",
        "StepDirection": "sagas.models.SagaStep.Direction",
        "LineKind": "orders.api.serializers.LINE_KIND_CHOICES",
        "ChargeKind": "orders.api.serializers.CHARGE_KIND_CHOICES",
        "MovementKind": "inventory.api.serializers.KIND_CHOICES",
    },
    # The page's scripts come from a package, so that it works without the internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# --- telemetry ----------------------------------------------------------------------------------------------

LOGGING_CONFIG = None
configure_logging(
    style=env.choice("WAYBILL_LOG_STYLE", "json", among=("json", "console")),
    level=env.choice("WAYBILL_LOG_LEVEL", "INFO", among=("DEBUG", "INFO", "WARNING", "ERROR")),
)
DJANGO_STRUCTLOG_CELERY_ENABLED = True
#: A line when a request has ended says all that one at its start would, and what came of it.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True
DJANGO_STRUCTLOG_TRUST_UPSTREAM_CORRELATION_ID = True
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False
PROMETHEUS_EXPORT_MIGRATIONS = False
start_sentry(os.environ.get("SENTRY_DSN", ""), role=WAYBILL.role)
