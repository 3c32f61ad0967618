"""From a path to numbered lines of bytes: gzip or plain, bounded memory, no guess about the content."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

from orders.imports.records import BrokenFile

LONGEST_LINE = 64 * 1024  #: The format's own longest row has 140 bytes.
GZIP_MAGIC = b"\x1f\x8b"


class RawLine(NamedTuple):
    """A line as it stands in the file. `number` counts from 1; `cut` says that it was too long to keep."""

    number: int
    content: bytes
    cut: bool = False


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a plain or gzipped file for reading. Raises BrokenFile when there is none to read."""
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise BrokenFile("file_not_found", f"{path} does not exist") from error
    except OSError as error:
        raise BrokenFile("file_unreadable", f"{path}: {error.strerror}") from error
    with file:
        if file.peek(2)[:2] == GZIP_MAGIC:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", unpacked)))
        else:
            yield file


def numbered_lines(file: BinaryIO) -> Iterator[RawLine]:
    """Yield every line. Raises BrokenFile at the place where the file cannot be read on.

    A line longer than LONGEST_LINE is given shortened: a file without line ends cannot fill the memory.
    """
    number = 0
    try:
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) <= LONGEST_LINE:
                yield RawLine(number, line)
            else:
                _skip_to_line_end(file, line)
                yield RawLine(number, line[:LONGEST_LINE], cut=True)
    except EOFError as error:
        raise BrokenFile("gzip_cut", f"the compressed file breaks off after line {number}") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise BrokenFile("gzip_damaged", f"damaged after line {number}: {error}") from error
    except OSError as error:
        raise BrokenFile("file_unreadable", f"reading stopped after line {number}: {error}") from error


def _skip_to_line_end(file: BinaryIO, start: bytes) -> None:
    rest = start
    while rest and not rest.endswith(b"\n"):
        rest = file.readline(LONGEST_LINE + 1)
