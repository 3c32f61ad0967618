"""The loops of the `keep` process, one file each. Any number may run; each pass is a bounded batch on the rows."""

from sagas.keeping import deadlines, intents, relay, rescue, retention, sweep

__all__ = ["deadlines", "intents", "relay", "rescue", "retention", "sweep"]
