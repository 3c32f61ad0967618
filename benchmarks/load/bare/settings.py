"""Waybill's database and nothing else of its web: no middleware, no authentication, no throttle."""

from config.settings import *  # noqa: F403 - the same database, pool and logging

ROOT_URLCONF = "benchmarks.load.bare.urls"
MIDDLEWARE = []
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
