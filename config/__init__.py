"""Wires the apps together: settings, Celery, URLs, logging, telemetry and the embedded services."""

from __future__ import annotations

from config.celery import app as celery_app

__all__ = ("celery_app",)
