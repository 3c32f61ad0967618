"""A small Django project of its own, with Celery: the shop as most teams would build it first."""
