"""The saga of the workload: four steps, of which the last may refuse."""

from __future__ import annotations

from benchmarks.side_by_side.waybill import contract
from sagas.definition import SagaDefinition, compensatable, pivot

SELL = SagaDefinition(
    contract.SELL,
    version=1,
    steps=[
        compensatable(contract.AUTHORIZE),
        compensatable(contract.RESERVE),
        compensatable(contract.BOOK),
        pivot(contract.CONFIRM),
    ],
)
