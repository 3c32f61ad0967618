"""`python -m config.sandbox`: the sandbox without Django, for quick starts."""

from __future__ import annotations

import argparse
import sqlite3
import sys

from config.sandbox.cli import add_arguments, run
from config.sandbox.profiles import BadRule


def main() -> int:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="sandbox", description=sys.modules["config.sandbox"].__doc__)
    add_arguments(parser)
    try:
        run(vars(parser.parse_args()))
    except (BadRule, OSError, sqlite3.Error) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
