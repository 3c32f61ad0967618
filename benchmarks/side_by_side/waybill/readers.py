"""All readers of the log stand at its end, as in a shop that has been open for a while: nobody reads the history."""

from __future__ import annotations

import os

STAND = """
INSERT INTO sagas_checkpoint (subscription, shard, era, xid, position, state, error, moved_at)
SELECT u.name, u.shard, %s, %s, %s, 'running', '', waybill_now() FROM unnest(%s::text[], %s::int[]) AS u (name, shard)
    ON CONFLICT (subscription, shard) DO NOTHING
"""


def stand_at_the_end() -> None:
    """Make the checkpoints of every subscription this code has. Safe to repeat."""
    from sagas import feed
    from sagas.bus import subscriptions
    from sagas.sql import execute

    each = [(sub.name, shard) for sub in subscriptions() for shard in range(sub.shards)]
    execute(STAND, [*feed.end(), [name for name, _ in each], [shard for _, shard in each]])


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.side_by_side.waybill.settings")
    django.setup()
    stand_at_the_end()
