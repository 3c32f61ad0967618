"""A worker process of a peer: `python -m benchmarks.side_by_side.peers MODULE CONNINFO NUMBER` calls its `work`."""

from __future__ import annotations

import sys
from importlib import import_module

if __name__ == "__main__":
    import_module(sys.argv[1]).work(*sys.argv[2:])
