"""The report can be opened in a spreadsheet without running anything."""

from __future__ import annotations

import pytest

from orders.imports.report import neutral


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_cell_that_would_run_is_neutralised(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "536365", "charge_only", "a=b"])
def test_an_ordinary_cell_stays_as_it_is(cell: str) -> None:
    assert neutral(cell) == cell
