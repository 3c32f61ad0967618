"""Whether a peer can run here: which packages it needs, and in which version they are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from benchmarks.side_by_side.contender import Missing


def version_of(
    package: str, *others: str, get: str = "`make bench` installs it from requirements/bench.lock"
) -> str:
    """The version of a package. Raises Missing when it, or one of the others, is not installed."""
    try:
        for other in others:
            version(other)
        return version(package)
    except PackageNotFoundError as error:
        raise Missing(f"The package {error.name} is not installed: {get}.") from None
