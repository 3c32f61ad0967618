#!/usr/bin/env python
"""Django's command line, with one promise more: when nothing is running it says so and how to start it."""

from __future__ import annotations

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except OperationalError:
        from config.embedded.discovery import why_unreachable

        if reason := why_unreachable():
            sys.exit(reason)
        raise


if __name__ == "__main__":
    main()
