"""A place for the small files these tests write, and the sample, read once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from orders.imports.online_retail import OnlineRetailFile
from orders.imports.online_retail.rows import BadRow, Row, read_rows
from orders.imports.records import Record
from orders.imports.survey import Survey

SAMPLE = Path(__file__).parents[3] / "samples" / "online-retail.csv.gz"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a small file may be written."""
    return tmp_path / "orders.csv"


@dataclass(frozen=True)
class Sample:
    """The whole sample, as rows and as records."""

    file: OnlineRetailFile
    rows: list[Row]
    records: list[Record]
    survey: Survey


@pytest.fixture(scope="session")
def sample() -> Sample:
    """The sample of the repository, read once for all tests."""
    file, survey = OnlineRetailFile(SAMPLE), Survey()
    records = list(file.records())
    for record in records:
        survey.add(record)
    rows = [row for row in read_rows(SAMPLE) if not isinstance(row, BadRow)]
    return Sample(file, rows, records, survey)
