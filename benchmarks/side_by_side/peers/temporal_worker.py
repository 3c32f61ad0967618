"""One of Temporal's workers. The server's address is in SHOP_TEMPORAL."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.side_by_side.peers.hands import READY
from benchmarks.side_by_side.peers.temporal import QUEUE, WORKFLOW
from benchmarks.side_by_side.peers.transactions import (
    Act,
    OwnTransactions,
    forward_or_back_awaited,
    own_transactions,
)
from benchmarks.side_by_side.single import STEPS

THREADS = 8
STEP_TIMEOUT = timedelta(seconds=60)


@workflow.defn(name=WORKFLOW, sandboxed=False)
class Sell:
    """The shop's work for one order. The server replays this code, so it may only decide."""

    @workflow.run
    async def sell(self, order_id: str) -> None:
        """One step after the other, or all given back."""

        async def run(act: Act) -> bool:
            accepted: bool = await workflow.execute_local_activity(
                act.__name__, order_id, result_type=bool, start_to_close_timeout=STEP_TIMEOUT
            )
            return accepted

        await forward_or_back_awaited(run)


def work(conninfo: str, _number: str) -> None:
    """Work until standard input ends."""
    with own_transactions(conninfo, THREADS) as shop, ThreadPoolExecutor(THREADS) as pool:
        asyncio.run(_serve(shop, pool))


async def _serve(shop: OwnTransactions, pool: ThreadPoolExecutor) -> None:
    worker = Worker(
        await Client.connect(os.environ["SHOP_TEMPORAL"]),
        task_queue=QUEUE,
        workflows=[Sell],
        activities=[_activity(shop, act) for pair in STEPS for act in pair if act],
        activity_executor=pool,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        print(READY, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def _activity(shop: OwnTransactions, act: Act) -> Callable[[str], Any]:
    """A step as Temporal wants it."""

    def run(order_id: str) -> bool:
        return shop.accepted(act, order_id)

    defined: Callable[[str], Any] = activity.defn(name=act.__name__)(run)
    return defined
