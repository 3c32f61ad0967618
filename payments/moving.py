"""Rows that go from state to state, and only along a table of moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models

from sagas.sql import rows
from sagas.verdicts import IllegalMove, LostRace

MOVE_ALL = """
UPDATE {table} AS t SET state = %s, moved_at = %s
  FROM (SELECT id FROM {table} WHERE id = ANY(%s::uuid[]) AND state = ANY(%s::text[])
         ORDER BY id FOR NO KEY UPDATE) AS due
 WHERE t.id = due.id
RETURNING t.id
"""


class Moving(models.Model):
    """A row whose `state` changes only along its table of MOVES."""

    MOVES: ClassVar[Mapping[str, Iterable[str]]] = {}

    state = models.CharField(max_length=14)
    moved_at = models.DateTimeField()

    class Meta:
        abstract = True

    @classmethod
    def may_move(cls, origin: str, to: str) -> bool:
        """Whether the table has that move."""
        return to in cls.MOVES.get(origin, ())

    def move(self, to: str, *, at: datetime) -> None:
        """Change state once. Raises IllegalMove, or LostRace when another worker moved first."""
        if not self.may_move(self.state, to):
            raise IllegalMove(detail=f"{self}: {self.state} to {to}")
        if not type(self)._default_manager.filter(pk=self.pk, state=self.state).update(state=to, moved_at=at):
            raise LostRace(detail=f"{self} had left {self.state}")
        self.state, self.moved_at = to, at

    @classmethod
    def move_all(cls, ids: Iterable[UUID], to: str, at: datetime) -> set[UUID]:
        """Move those of `ids` that may go to `to`, in one statement, and tell which did. Locks by id."""
        origins = [origin for origin in cls.MOVES if cls.may_move(origin, to)]
        moved = rows(MOVE_ALL.format(table=cls._meta.db_table), [to, at, list(ids), origins])
        return {ident for (ident,) in moved}
