"""How a payment is told to its shop."""

from __future__ import annotations

from rest_framework import serializers

from payments.gateways.base import DisputeReason
from payments.models import Dispute, Payment


class ActionOut(serializers.Serializer):  # type: ignore[type-arg]
    """The bank wants the customer to act: send them to `url`. After `until` the order is rejected."""

    url = serializers.CharField(help_text="Empty when the customer acts in the shop's own page.")
    until = serializers.DateTimeField()


class DisputeOut(serializers.ModelSerializer[Dispute]):
    """The customer's bank wants some of it back. Evidence is taken until `evidence_due_by`, at the provider."""

    reason = serializers.ChoiceField(choices=[str(reason) for reason in DisputeReason])
    inquiry = serializers.BooleanField(help_text="The bank only asks: no money has moved.")

    class Meta:
        model = Dispute
        fields = (
            "id", "provider_id", "state", "inquiry", "amount_minor", "currency", "reason", "evidence_due_by",
            "opened_at", "closed_at",
        )  # fmt: skip


class PaymentDetailOut(serializers.Serializer):  # type: ignore[type-arg]
    """The newest payment of an order, as it stands now."""

    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Payment.State.values)
    currency = serializers.CharField()
    amount_minor = serializers.IntegerField()
    authorized_minor = serializers.IntegerField()
    captured_minor = serializers.IntegerField()
    refunded_minor = serializers.IntegerField()
    code = serializers.CharField(help_text="Why it was declined, or could not be captured: the bank's word.")
    decline_class = serializers.CharField(
        help_text="What may help: retry_later, ask_customer or final. Empty unless it was turned down."
    )
    action = ActionOut(allow_null=True)
    disputes = DisputeOut(many=True)
