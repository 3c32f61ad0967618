"""Waybill's database and nothing else of its web: no middleware, and the framework as it comes."""

from config.settings import *  # noqa: F403 - the same database, pool and logging

ROOT_URLCONF = "benchmarks.load.bare.urls"
MIDDLEWARE = []
REST_FRAMEWORK = {}
