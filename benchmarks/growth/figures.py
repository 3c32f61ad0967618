"""Two sizes beside each other, and whether the larger one is worse by more than it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: The larger may be worse by so much.
MOST_GROWTH = 1.10
#: Times less apart than this are equal: a shared machine does not measure finer.
FLOOR_MS = 0.2


@dataclass(frozen=True)
class Compared:
    """One figure at both sizes. `floor` is the least difference that means anything."""

    what: str
    unit: str
    small: float
    large: float
    floor: float = 0.0
    more_is_better: bool = False

    @property
    def growth(self) -> float:
        """How much worse the larger one is, as a factor; below 1 it is better."""
        if abs(self.large - self.small) < self.floor:
            return 1.0
        return self.small / self.large if self.more_is_better else self.large / self.small

    @property
    def within(self) -> bool:
        """Whether it may grow so much."""
        return self.growth <= MOST_GROWTH


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The line through these points by least squares: how much the second rises with the first. 0 for fewer than 2."""
    if len(points) < 2:
        return 0.0
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
