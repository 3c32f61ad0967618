"""Where a webhook may go: outside, and nowhere else.

An address is taken apart strictly, its name is looked up, and every address it stands for is looked at. Whoever sends
connects to exactly one of those, without asking again, so that a name that changes its address meanwhile leads nowhere.
"""

from __future__ import annotations

import os
import re
import socket
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillLooking
from dataclasses import dataclass, field
from functools import cache, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

from sagas.verdicts import Refused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
#: As socket.getaddrinfo.
Lookup = Callable[..., Sequence[tuple[Any, ...]]]

LONGEST = 2_000
LOOKUP_SECONDS = 3.0
SPELLING = re.compile(r"(https?)://([^/?#\\]+)([/?][\x21\x22\x24-\x5b\x5d-\x7e]*)?", re.IGNORECASE)
AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# Everything that is not for the public (IANA's registries of special addresses). Named here in full, since what a
# library calls global changes from one version to the next.
NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # Teredo and its neighbours, documentation, 6to4, AS112. What is outside of 2000::/3 is never public:
        # loopback, mapped and translated IPv4, private, link-local and multicast are there.
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip
PUBLIC_V6 = IPv6Network("2000::/3")


class UrlRefused(Refused):
    """A webhook may not go there. Answered with 422 by the API."""

    code = "webhooks.url_refused"


class UrlUnknown(UrlRefused):
    """The name leads nowhere now. It may later."""

    code = "webhooks.url_unknown"


@dataclass(frozen=True)
class Rules:
    """What an installation allows beside https to public addresses. `ports` None: any."""

    http: bool = False
    ports: frozenset[int] | None = frozenset({443, 8443})
    inside: tuple[Network, ...] = ()


@dataclass(frozen=True)
class Target:
    """An address taken apart. `host` is lower case, in ASCII, without a trailing dot."""

    scheme: str
    host: str
    port: int
    path: str = "/"
    literal: Address | None = field(default=None)

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        usual = 443 if self.scheme == "https" else 80
        return host if self.port == usual else f"{host}:{self.port}"


@cache
def _rules(http: bool, ports: tuple[str, ...], inside: tuple[str, ...]) -> Rules:
    allowed = None if "any" in ports else frozenset(map(int, ports))
    return Rules(http, allowed, tuple(ip_network(text) for text in inside))


def rules() -> Rules:
    """Those of this installation."""
    w = settings.WAYBILL
    return _rules(w.webhook_http, w.webhook_ports, w.webhook_inside)


def parse(url: str, allowed: Rules) -> Target:
    """Take an address apart. Raises UrlRefused for whatever two readers could understand differently."""
    found = SPELLING.fullmatch(url) if len(url) <= LONGEST and url.isprintable() else None
    if found is None:
        raise UrlRefused(
            detail="Not an https address of at most 2000 printable characters without a fragment."
        )
    scheme, authority, path = found[1].lower(), found[2], found[3] or "/"
    if scheme == "http" and not allowed.http:
        raise UrlRefused(detail="Only https is taken.")
    if "@" in authority:
        raise UrlRefused(detail="An address with a user or a password is not taken.")
    parted = AUTHORITY.fullmatch(authority)
    if parted is None:
        raise UrlRefused(detail="The host cannot be read.")
    port = int(parted[2] or (443 if scheme == "https" else 80))
    if not 0 < port < 65_536 or (allowed.ports is not None and port not in allowed.ports):
        raise UrlRefused(detail=f"Port {port} is not allowed.")
    host, literal = _host(parted[1], allowed)
    return Target(scheme, host, port, path if path[0] == "/" else f"/{path}", literal)


def _host(text: str, allowed: Rules) -> tuple[str, Address | None]:
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            raise UrlRefused(detail="Not an IPv6 address.") from None
        return str(address), address
    host = _ascii(text).removesuffix(".")
    labels = host.split(".")
    if NUMBER.fullmatch(labels[-1]):
        try:
            return host, IPv4Address(host)
        except ValueError:
            raise UrlRefused(detail="Not an IPv4 address in its usual form.") from None
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise UrlRefused(detail="Not a host name.")
    if len(labels) < 2 and not allowed.inside:
        raise UrlRefused(detail="Not a full host name.")
    return host, None


def _ascii(text: str) -> str:
    """Digits and letters may be written in many ways: all of them are read as those they look like."""
    if text.isascii():
        return text.lower()
    try:
        return unicodedata.normalize("NFKC", text).encode("idna").decode().lower()
    except UnicodeError:
        raise UrlRefused(detail="Not an international host name.") from None


def is_public(address: Address) -> bool:
    """Whether an address is out in the open: neither here, nor near, nor set apart for anything."""
    if isinstance(address, IPv6Address) and address not in PUBLIC_V6:
        return False
    return not any(address in network for network in NOT_PUBLIC if network.version == address.version)


def resolve(target: Target, allowed: Rules, *, lookup: Lookup = socket.getaddrinfo) -> list[Address]:
    """Every address of a target. Raises UrlRefused if one of them is inside, UrlUnknown if there is none."""
    found = [target.literal] if target.literal else _looked_up(target, lookup)
    for address in found:
        if not is_public(address) and not _allowed_inside(address, allowed):
            raise UrlRefused(detail="The address leads inside.")
    return found


def _allowed_inside(address: Address, allowed: Rules) -> bool:
    return any(address in network for network in allowed.inside if network.version == address.version)


def _looked_up(target: Target, lookup: Lookup) -> list[Address]:
    try:
        answers = lookup(target.host, target.port, type=socket.SOCK_STREAM)
        found = [ip_address(answer[4][0]) for answer in answers]
    except (OSError, UnicodeError, ValueError):
        found = []
    if not found:
        raise UrlUnknown(detail="The host name has no address.")
    if any(isinstance(address, IPv6Address) and address.scope_id for address in found):
        raise UrlRefused(detail="The address leads inside.")
    return list(dict.fromkeys(found))


def check_url(url: str) -> None:
    """Whether an endpoint may stand there. Takes a few seconds at most, outside any transaction. Raises UrlRefused."""
    allowed = rules()
    target = parse(url, allowed)
    looking = _lookups(os.getpid()).submit(resolve, target, allowed)
    try:
        looking.result(timeout=LOOKUP_SECONDS)
    except StillLooking:
        raise UrlUnknown(detail="The host name was not found in time.") from None


@lru_cache(maxsize=1)
def _lookups(pid: int) -> ThreadPoolExecutor:
    del pid  # a pool does not survive a fork
    return ThreadPoolExecutor(4, thread_name_prefix="lookup")
