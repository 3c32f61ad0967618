"""A business of local steps only, to see how batches form: nothing of it waits for anybody outside."""

from __future__ import annotations

from sagas.definition import SagaDefinition, compensatable, pivot, retriable
from sagas.steps import compensation, local_step
from tests.sagas.toys import QUICK, _local

local_step("sagas.write_list", undo="sagas.tear_list", retry=QUICK)(_local("write_list"))
compensation("sagas.tear_list", retry=QUICK)(_local("tear_list"))
local_step("sagas.fill_bag", undo="sagas.empty_bag", retry=QUICK, hot=True)(_local("fill_bag"))
compensation("sagas.empty_bag", retry=QUICK, hot=True)(_local("empty_bag"))
local_step("sagas.pay", retry=QUICK)(_local("pay"))
local_step("sagas.go_home", retry=QUICK)(_local("go_home"))

ERRAND = SagaDefinition(
    "sagas.errand",
    version=1,
    steps=[
        compensatable("sagas.write_list"),
        compensatable("sagas.fill_bag"),
        pivot("sagas.pay"),
        retriable("sagas.go_home"),
    ],
)
