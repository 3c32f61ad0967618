"""Where a shop looks up what became of its orders."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from sagas import queries
from sagas.api.serializers import SagaDetailOut, SagaOut, SagaPageOut, SagaQuery, StepOut
from sagas.web.pages import cursor_after, id_in, page
from sagas.web.problems import not_found
from sagas.web.views import ApiView


class Sagas(ApiView):
    """The shop's sagas."""

    @extend_schema(
        operation_id="list_sagas", tags=["sagas"], parameters=[SagaQuery], responses=SagaPageOut,
        summary="List sagas, newest first",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        """One page of the shop's sagas. Pages stay true while new sagas begin."""
        asked = SagaQuery.read(request.query_params)
        limit, before, reference = asked.pop("limit"), id_in(asked.pop("cursor")), asked.pop("reference")
        wanted = queries.list_sagas(**asked, key=reference, shop_ids=[self.shop_id])
        found = list((wanted.filter(id__lt=before) if before else wanted).defer("context")[: limit + 1])
        more = cursor_after(str(found[limit - 1].pk)) if len(found) > limit else None
        return page(request, SagaOut(found[:limit], many=True).data, more)


class SagaDetail(ApiView):
    """One saga of the shop."""

    @extend_schema(
        operation_id="get_saga", tags=["sagas"], responses=SagaDetailOut, summary="A saga with its story"
    )
    def get(self, request: Request, saga_id: UUID) -> Response:
        """The saga, what it did step by step, and what it gave back."""
        del request
        saga = queries.list_sagas(shop_ids=[self.shop_id]).filter(pk=saga_id).first()
        if saga is None:
            raise not_found()
        steps = queries.steps_in_order(saga.pk)
        told = {"story": [queries.tell(step) for step in steps], "steps": StepOut(steps, many=True).data}
        return Response({**SagaOut(saga).data, **told})
