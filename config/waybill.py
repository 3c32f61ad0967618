"""Waybill's own settings: one frozen value, checked as a whole at start-up. Times are in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from math import ceil
from pathlib import Path

from config import env
from config.addresses import client_url
from config.embedded.state import State
from sagas.resilience.circuit import CircuitPolicy

STYLES = ("orchestration", "choreography")
CARRIERS = ("sandbox", "http")
GATEWAYS = ("sandbox", "stripe")
LIVE_KEYS = ("sk_live_", "rk_live_")
ROLES = ("web", "worker", "keep", "manage")


@dataclass(frozen=True, kw_only=True)
class CarrierSettings:
    """A carrier that speaks the protocol of docs/carriers.md."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def from_environment(cls) -> CarrierSettings:
        """Read everything, failing with the variable's name."""
        url = env.text("CARRIER_URL")
        if not url.startswith(("https://", "http://")):
            raise env.BadEnvironment("CARRIER_URL", f"must be an http address, not {url!r}")
        return cls(url=url, token=env.text("CARRIER_TOKEN"))


@dataclass(frozen=True, kw_only=True)
class StripeSettings:
    """An account at Stripe. Without a version its client asks for the one it was made for."""

    api_key: str = field(repr=False)
    api_base: str = "https://api.stripe.com"
    api_version: str = ""

    @property
    def live(self) -> bool:
        """Whether this key moves real money."""
        return self.api_key.startswith(LIVE_KEYS)

    @classmethod
    def from_environment(cls) -> StripeSettings:
        """Read everything, failing with the variable's name."""
        base = env.text("STRIPE_API_BASE", cls.api_base)
        if not base.startswith(("https://", "http://")):
            raise env.BadEnvironment("STRIPE_API_BASE", f"must be an http address, not {base!r}")
        found = cls(
            api_key=env.text("STRIPE_API_KEY"), api_base=base, api_version=env.text("STRIPE_API_VERSION", "")
        )
        if found.live and not base.startswith("https://"):
            raise env.BadEnvironment("STRIPE_API_BASE", "must be https: a live key is not sent in the clear")
        return found


@dataclass(frozen=True, kw_only=True)
class WaybillSettings:
    """How the engine works and whom it talks to."""

    role: str
    state: Path
    redis_url: str
    sandbox_url: str
    payment_gateway: str
    carrier: str
    carrier_account: CarrierSettings | None = None  #: Only when the carrier is not the sandbox.
    stripe: StripeSettings | None = None  #: Only when the gateway is Stripe.
    #: How long a customer may take to prove who they are, and where they are sent back to.
    payment_action_seconds: float = 3_600.0
    payment_return_url: str = ""
    #: How long a person may take to correct an address that the carrier does not find.
    address_correction_seconds: float = 259_200.0
    #: Whether a hold may be captured several times, as far as the card allows it.
    payment_multicapture: bool = True
    #: How long a bank holds money where the gateway does not say, and after which share of it a hold is renewed.
    authorization_life_seconds: float = 7 * 86_400.0
    renew_after_percent: int = 80
    #: Who leads an order when nobody says: the engine (orchestration) or no one (choreography).
    fulfilment_style: str = "orchestration"

    #: Days: for so long after its delivery an order may be returned; so long a return waits for its goods before it is
    #: withdrawn; after so many a return that is not inspected calls a person, again and again.
    return_window_days: int = 30
    return_receipt_days: int = 30
    return_inspection_days: int = 7

    #: What providers of payments sign their webhooks with: during a rotation both secrets. Never shown.
    payment_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    carrier_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)  #: The same of carriers.

    #: Most steps one claim takes; a claim of up to `small_claim` holds hot rows through a whole run of local steps.
    claim_limit: int = 250
    small_claim: int = 50
    #: Whether neighbouring local steps share a commit. Without it every step has its own.
    runs: bool = True
    #: A worker gives up the turn after this long and rings again.
    turn_seconds: float = 20.0
    #: A claim of external steps holds them this long; one call may take `call_timeout_seconds`.
    lease_seconds: float = 60.0
    external_claim_limit: int = 128
    call_timeout_seconds: float = 5.0
    call_concurrency: int = 32
    #: Fewer calls at once to one provider, of each process; calls a second to one provider, of all processes.
    provider_concurrency: Mapping[str, int] = field(default_factory=dict)
    provider_rates: Mapping[str, int] = field(default_factory=dict)
    #: When the circuit of a step opens, and how it closes.
    circuit: CircuitPolicy = field(default_factory=CircuitPolicy)
    #: Answers are recorded in slices: after this long or this many, whichever comes first.
    record_every_seconds: float = 0.05
    record_slice: int = 128
    #: Requests a shop may send to the API: so many per second for long, so many at once.
    api_rate: float = 100
    api_burst: int = 500
    #: Orders a shop may send in bulk, counted likewise. The burst holds the largest request several times over.
    bulk_rate: float = 500
    bulk_burst: int = 10_000
    #: Outgoing webhooks: one call, calls of one process, calls at one endpoint; what is allowed beside https to public
    #: addresses; the keys that secrets are derived from, newest first (none: the secret key).
    webhook_timeout_seconds: float = 10.0
    webhook_concurrency: int = 32
    webhook_endpoint_concurrency: int = 4
    webhook_http: bool = False
    webhook_ports: tuple[str, ...] = ("443", "8443")
    webhook_inside: tuple[str, ...] = ()
    webhook_keys: tuple[str, ...] = field(default=(), repr=False)
    #: When yesterday is reconciled every day, as HH:MM in UTC; empty: only when somebody asks. And what was agreed
    #: with the provider, as `GBP=1.4%+0.20 JPY=3.6%`; empty: fees are booked and not judged.
    reconcile_at: str = ""
    settlement_fees: str = ""
    #: The largest amount one person may refund alone, in minor units: by currency, and of all others.
    refund_limits: Mapping[str, int] = field(default_factory=dict)
    refund_limit: int = 50_000
    #: How long a read with `after` waits for the read side.
    read_wait_seconds: float = 2.0

    def __post_init__(self) -> None:
        longest = ceil(self.external_claim_limit / self.call_concurrency) * self.call_timeout_seconds
        if longest >= self.lease_seconds / 2:
            raise env.BadEnvironment(
                "WAYBILL_LEASE_SECONDS",
                f"must be above {2 * longest:g}: a full claim of external steps may take {longest:g} s, "
                "and a lease must outlive it twice over",
            )
        if not all(
            port == "any" or (port.isdecimal() and 0 < int(port) < 65_536) for port in self.webhook_ports
        ):
            raise env.BadEnvironment("WAYBILL_WEBHOOK_PORTS", "must be ports, or the word any")
        try:
            [ip_network(text) for text in self.webhook_inside]
        except ValueError as error:
            raise env.BadEnvironment("WAYBILL_WEBHOOK_INSIDE", f"must be networks: {error}") from None

    def concurrency_of(self, provider: str) -> int:
        """How many calls a process may have out at once to one provider."""
        return min(self.call_concurrency, self.provider_concurrency.get(provider, self.call_concurrency))

    @classmethod
    def from_environment(cls) -> WaybillSettings:
        """Read everything, failing with the variable's name."""
        state = State.current()
        noted = state.noted()
        carrier = env.choice("CARRIER", CARRIERS[0], among=CARRIERS)
        gateway = env.choice("PAYMENT_GATEWAY", GATEWAYS[0], among=GATEWAYS)
        return cls(
            role=env.choice("WAYBILL_ROLE", "manage", among=ROLES),
            state=state.root,
            redis_url=client_url(env.text("REDIS_URL", state.redis_url)),
            sandbox_url=env.text(
                "WAYBILL_SANDBOX_URL", str(noted.get("sandbox_url", "http://127.0.0.1:8090"))
            ),
            carrier=carrier,
            carrier_account=CarrierSettings.from_environment() if carrier == "http" else None,
            payment_gateway=gateway,
            stripe=StripeSettings.from_environment() if gateway == "stripe" else None,
            fulfilment_style=env.choice("FULFILMENT_STYLE", STYLES[0], among=STYLES),
            payment_action_seconds=env.seconds("PAYMENT_ACTION_SECONDS", 3_600),
            address_correction_seconds=env.seconds("ADDRESS_CORRECTION_SECONDS", 259_200),
            payment_return_url=env.text("PAYMENT_RETURN_URL", ""),
            payment_multicapture=env.flag("PAYMENT_MULTICAPTURE", default=True),
            authorization_life_seconds=env.seconds("AUTHORIZATION_LIFE_SECONDS", 7 * 86_400),
            renew_after_percent=env.integer("RENEW_AFTER_PERCENT", 80, least=1),
            return_window_days=env.integer("RETURN_WINDOW_DAYS", 30),
            return_receipt_days=env.integer("RETURN_RECEIPT_DAYS", 30, least=1),
            return_inspection_days=env.integer("RETURN_INSPECTION_DAYS", 7, least=1),
            payment_webhook_secrets=env.secrets("PAYMENT_WEBHOOK_SECRETS", state.noted_webhook_secret()),
            carrier_webhook_secrets=env.secrets("CARRIER_WEBHOOK_SECRETS", state.noted_webhook_secret()),
            claim_limit=env.integer("WAYBILL_CLAIM_LIMIT", 250, least=1),
            runs=env.flag("WAYBILL_RUNS", default=True),
            lease_seconds=env.seconds("WAYBILL_LEASE_SECONDS", 60),
            external_claim_limit=env.integer("WAYBILL_EXTERNAL_CLAIM_LIMIT", 128, least=1),
            call_timeout_seconds=env.seconds("WAYBILL_CALL_TIMEOUT_SECONDS", 5),
            call_concurrency=env.integer("WAYBILL_CALL_CONCURRENCY", 32, least=1),
            provider_concurrency=env.numbers("WAYBILL_PROVIDER_CONCURRENCY"),
            provider_rates=env.numbers("WAYBILL_PROVIDER_RATES"),
            circuit=circuit_policy(),
            api_rate=env.integer("WAYBILL_API_RATE", 100, least=1),
            api_burst=env.integer("WAYBILL_API_BURST", 500, least=1),
            bulk_rate=env.integer("WAYBILL_BULK_RATE", 500, least=1),
            bulk_burst=env.integer("WAYBILL_BULK_BURST", 10_000, least=2_000),
            reconcile_at=env.text("RECONCILE_AT", ""),
            settlement_fees=env.text("SETTLEMENT_FEES", ""),
            refund_limits=env.amounts("REFUND_LIMITS"),
            refund_limit=env.integer("REFUND_LIMIT", 50_000),
            read_wait_seconds=env.seconds("WAYBILL_READ_WAIT_SECONDS", 2.0),
            webhook_timeout_seconds=env.seconds("WAYBILL_WEBHOOK_TIMEOUT_SECONDS", 10),
            webhook_concurrency=env.integer("WAYBILL_WEBHOOK_CONCURRENCY", 32, least=1),
            webhook_endpoint_concurrency=env.integer("WAYBILL_WEBHOOK_ENDPOINT_CONCURRENCY", 4, least=1),
            webhook_http=env.flag("WAYBILL_WEBHOOK_HTTP", default=False),
            webhook_ports=tuple(env.names("WAYBILL_WEBHOOK_PORTS", ("443", "8443"))),
            webhook_inside=tuple(env.names("WAYBILL_WEBHOOK_INSIDE")),
            webhook_keys=tuple(env.names("WAYBILL_WEBHOOK_KEYS")),
        )


def circuit_policy() -> CircuitPolicy:
    """The rules of every circuit, from the environment."""
    usual = CircuitPolicy()
    return CircuitPolicy(
        failure_threshold=env.integer("WAYBILL_CIRCUIT_FAILURES", usual.failure_threshold, least=1),
        monitoring_period=env.seconds("WAYBILL_CIRCUIT_PERIOD_SECONDS", usual.monitoring_period),
        failure_rate=env.integer("WAYBILL_CIRCUIT_FAILURE_PERCENT", round(usual.failure_rate * 100), least=1)
        / 100,
        minimum_volume=env.integer("WAYBILL_CIRCUIT_MINIMUM_VOLUME", usual.minimum_volume, least=1),
        recovery_timeout=env.seconds("WAYBILL_CIRCUIT_RECOVERY_SECONDS", usual.recovery_timeout),
        probes=env.integer("WAYBILL_CIRCUIT_PROBES", usual.probes, least=1),
        successes_to_close=env.integer("WAYBILL_CIRCUIT_SUCCESSES", usual.successes_to_close, least=1),
        ramp_seconds=env.seconds("WAYBILL_CIRCUIT_RAMP_SECONDS", usual.ramp_seconds),
        ramp_from=env.integer("WAYBILL_CIRCUIT_RAMP_FROM", round(usual.ramp_from), least=1),
        ramp_to=env.integer("WAYBILL_CIRCUIT_RAMP_TO", round(usual.ramp_to), least=1),
    )
