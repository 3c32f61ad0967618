"""The saga engine: claims due steps in batches, runs their handlers, and records what the rules decide."""

from sagas.engine.anew import Anew
from sagas.engine.intents import cancel_sagas
from sagas.engine.start import StartSaga, start_sagas

__all__ = ["Anew", "StartSaga", "cancel_sagas", "start_sagas"]
