"""F77: a webhook goes outside or nowhere. A table of addresses, and names that change their mind."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from sagas.resilience.connections import tls_context
from sagas.webhooks.addresses import Rules, UrlRefused, UrlUnknown, check_url, is_public, parse, resolve
from sagas.webhooks.call import Line
from tests.sagas.webhooks.receiver import Receiver

OUTSIDE = "93.184.216.34"

#: Addresses that are not out in the open, in every way that a name or a literal may give them.
INSIDE_V4 = [
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "10.0.0.0",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.0.1.1",
    "127.1.2.3",
    "127.255.255.255",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.20.10.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.1.254",
    "192.168.255.255",
    "192.175.48.1",
    "192.52.193.1",
    "192.31.196.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "250.1.2.3",
    "255.255.255.255",
]
INSIDE_V6 = [
    "::",
    "::1",
    "::2",
    "::7f00:1",
    "::127.0.0.1",
    "::10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:192.168.0.1",
    "::ffff:93.184.216.34",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::93.184.216.34",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:db8::1",
    "2001:db8:ffff::1",
    "2002:7f00:1::1",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::1",
    "2002:c0a8:101::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00::1",
    "fd00:ec2::254",
    "fdff:ffff::1",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "ff00::1",
    "ff01::1",
    "ff02::1",
    "ff02::fb",
    "ff05::2",
    "ff0e::1",
    "ffff::1",
]

#: What two readers could understand differently, or what is never right. Refused before any name is looked up.
MISSPELT = [
    # other schemes, or none
    "", "example.com", "//example.com/", "/hooks", "http://example.com/", "HTTP://example.com/", "ftp://example.com/",
    "file:///etc/passwd", "gopher://example.com:70/_x", "dict://example.com:11211/", "ws://example.com/",
    "javascript:alert(1)", "data:text/plain,x", "https:example.com", "https:/example.com", "https:///example.com",
    "https://", "https:///", "https://?", "https://#", "jar:https://example.com!/", "unix:///run/x.sock",
    "https//x.org",
    # users and passwords
    "https://user@example.com/", "https://user:secret@example.com/", "https://@example.com/", "https://:@example.com/",
    "https://example.com@127.0.0.1/", "https://127.0.0.1@example.com/", "https://example.com:443@127.0.0.1/",
    "https://a@b@example.com/", "https://example.com%40127.0.0.1/",
    # ports
    "https://example.com:0/", "https://example.com:22/", "https://example.com:25/", "https://example.com:80/",
    "https://example.com:6379/", "https://example.com:5432/", "https://example.com:65536/", "https://example.com:99999/",
    "https://example.com:443443/", "https://example.com:-1/", "https://example.com:4 43/", "https://example.com:x/",
    "https://example.com:443:443/", "https://example.com:/", "https://example.com:+443/", "https://example.com:\u0664\u0664\u0663/",
    # numbers that are addresses to somebody
    "https://2130706433/", "https://0x7f000001/", "https://0x7F000001/", "https://017700000001/", "https://0/",
    "https://127.1/", "https://127.0.1/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://0x7f.0x0.0x0.0x1/",
    "https://127.0.0.01/", "https://127.0.0.0x1/", "https://10.1/", "https://192.168.257/", "https://3232235777/",
    "https://0xa9fea9fe/", "https://2852039166/", "https://169.254.43518/", "https://0251.0376.0251.0376/",
    "https://1.2.3.4.5/", "https://256.256.256.256/", "https://1.2.3/", "https://127.0.0.1.0x/", "https://4294967295/",
    "https://00000177.0.0.1/", "https://127.00.0.1/", "https://example.0x7f/", "https://example.1/",
    # IPv6 that is not just that
    "https://[::1%25eth0]/", "https://[fe80::1%25lo]/", "https://[fe80::1%eth0]/", "https://[::1/", "https://::1/",
    "https://[]/", "https://[:]/", "https://[::1]x/", "https://[127.0.0.1]/", "https://[v1.::1]/", "https://[::g]/",
    "https://[::ffff:127.0.0.1%25x]/", "https://x[::1]/", "https://[::1]]/", "https://[[::1]]/",
    "https://[::ffff:0x7f.1]/",
    # signs that end, hide or break a host
    "https://example.com\\@127.0.0.1/", "https://example.com\\.evil.org/", "https:\\\\example.com/",
    "https://127.0.0.1\\x.example.com/", "https://example.com /", " https://example.com/", "https://example.com/ ",
    "https://exa mple.com/", "https://exam\tple.com/", "https://exam\nple.com/", "https://example.com/\r\nHost: x",
    "https://example.com/a b", "https://example.com\x00.evil.org/", "https://example.com/\x7f", "\x01https://example.com/",
    "https://example.com/#top", "https://example.com#@127.0.0.1/", "https://%31%32%37.0.0.1/", "https://127.0.0.1%00.example.com/",
    "https://example%2ecom/", "https://exam\u00adple.com\u2028/", "https://example.com/\u00e9", "https://example.com/?q=\u00e9",
    # no names
    "https://localhost/", "https://LOCALHOST/", "https://localhost./", "https://intranet/", "https://db/", "https://./",
    "https://../", "https://.example.com/", "https://example..com/", "https://example.com../", "https://-a.example.com/",
    "https://a-.example.com/", "https://*.example.com/", "https://exam$ple.com/", "https://a,b.example.com/",
    "https://" + "a" * 64 + ".example.com/", "https://" + "a." * 127 + "com/", "https://example.com/" + "a" * 2000,
    "https://(example).com/", "https://ex'ample.com/", "https://example.com;127.0.0.1/", "https://&.example.com/",
    # digits and dots of other scripts
    "https://\uff11\uff12\uff17.1/", "https://\u2460\u2461\u2466.0.1/", "https://127\u30020.1/",
    "https://\uff10x7f000001/", "https://xn--/", "https://\u2488.example\u2024/", "https://\ufe0f.example.com/",
]  # fmt: skip

#: Digits that look otherwise are read as what they are, and lead inside.
DISGUISED = [
    "https://\uff11\uff12\uff17.\uff10.\uff10.\uff11/", "https://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/",
    "https://127\u30020\u30020\u30021/", "https://127\uff0e0\uff0e0\uff0e1/", "https://\U0001d7cf\U0001d7ce.0.0.1/",
    "https://169.254.169.254./", "https://127.0.0.1./", "https://[0:0:0:0:0:0:0:1]/", "https://[::FFFF:7F00:1]/",
    "https://[0000:0000:0000:0000:0000:ffff:7f00:0001]:8443/", "https://127.0.0.1:8443/x?y=z", "HTTPS://10.0.0.1/",
]  # fmt: skip

FINE = [
    "https://example.com", "https://example.com/", "https://example.com?x=1", "HTTPS://EXAMPLE.com/Hooks?token=a%20b",
    "https://example.com:443/", "https://example.com:8443/hooks", "https://example.com./", "https://a.b.c.example.org/",
    "https://b\u00fccher.example/", "https://xn--bcher-kva.example/", "https://my_shop.example.com/", "https://1and1.example/",
    "https://93.184.216.34/", "https://[2606:2800:220:1:248:1893:25c8:1946]/", "https://example.com/@user:pass",
    "https://example.com/?u=http://127.0.0.1/", "https://127.0.0.1.example.com/", "https://example.com//x",
]  # fmt: skip


def says(*addresses: str) -> Callable[..., list[tuple[Any, ...]]]:
    """A resolver that answers every name alike."""

    def lookup(_host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        return [(0, 0, 0, "", (address, port)) for address in addresses]

    return lookup


def leads_somewhere(url: str, *, rules: Rules | None = None, lookup: Any = None) -> bool:
    rules = rules or Rules()
    return bool(resolve(parse(url, rules), rules, lookup=lookup or says(OUTSIDE)))


def test_f77_the_table_is_long_and_has_no_row_twice() -> None:
    table = [*MISSPELT, *DISGUISED, *INSIDE_V4, *INSIDE_V6, *FINE]

    assert len(table) == len(set(table))
    assert len(table) >= 250


@pytest.mark.parametrize("url", MISSPELT)
def test_f77_what_can_be_misread_is_refused_before_a_name_is_looked_up(url: str) -> None:
    with pytest.raises(UrlRefused):
        parse(url, Rules())


@pytest.mark.parametrize("url", DISGUISED)
def test_f77_an_inner_address_in_disguise_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused, match="inside"):
        leads_somewhere(url)


@pytest.mark.parametrize("address", [*INSIDE_V4, *INSIDE_V6])
def test_f77_an_inner_address_is_refused_as_itself_and_behind_a_name(address: str) -> None:
    literal = f"[{address}]" if ":" in address else address

    with pytest.raises(UrlRefused, match="inside"):
        leads_somewhere(f"https://{literal}/")
    with pytest.raises(UrlRefused, match="inside"):
        leads_somewhere("https://shop.example/", lookup=says(OUTSIDE, address))


@pytest.mark.parametrize("url", FINE)
def test_what_is_outside_is_taken(url: str) -> None:
    assert leads_somewhere(url)


def test_the_library_calls_nothing_private_that_is_public_here() -> None:
    step = 2**32 // 4099  # a prime number of samples, so that no boundary is met twice alike

    seen = [ip_address(n) for n in range(0, 2**32, step)]

    assert not [a for a in seen if is_public(a) and not a.is_global]


def test_a_link_local_answer_with_a_zone_is_refused() -> None:
    with pytest.raises(UrlRefused, match="inside"):
        leads_somewhere("https://shop.example/", lookup=says("fe80::1%eth0"))


def test_a_name_without_an_address_may_have_one_later() -> None:
    def nothing(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(UrlUnknown):
        leads_somewhere("https://shop.example/", lookup=nothing)


def test_named_networks_inside_are_allowed_and_no_others() -> None:
    rules = Rules(inside=(ip_network("10.1.0.0/16"),))

    assert leads_somewhere("https://10.1.2.3/", rules=rules)
    assert leads_somewhere("https://intranet/", rules=rules, lookup=says("10.1.2.3"))
    for url in ("https://10.2.0.1/", "https://127.0.0.1/", "https://[::ffff:10.1.2.3]/"):
        with pytest.raises(UrlRefused):
            leads_somewhere(url, rules=rules)


def test_the_settings_allow_nothing_inside_by_themselves() -> None:
    with pytest.raises(UrlRefused):
        check_url("https://127.0.0.1/")
    with pytest.raises(UrlRefused):
        check_url("https://[::1]:8443/hooks")


# --- at send -------------------------------------------------------------------------------------------------


def test_f77_a_name_that_moved_inside_after_the_check_gets_nothing(receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2].partition("/")[0]
    line = Line(Rules(http=True, ports=None), 1.0, lookup=says("127.0.0.1"))

    heard = line.post(f"http://shop.example:{port}/", {}, b"{}")

    assert (heard.outcome, receiver.came) == ("url_refused", [])


def test_f77_the_call_goes_to_the_address_that_was_checked_and_asks_once(receiver: Receiver) -> None:
    asked: list[str] = []

    def changes(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [(0, 0, 0, "", ("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port))]

    port = receiver.url.rpartition(":")[2].partition("/")[0]
    line = Line(Rules(http=True, ports=None, inside=(ip_network("127.0.0.1/32"),)), 1.0, lookup=changes)

    heard = line.post(f"http://shop.example:{port}/a?b=c", {}, b"{}")

    assert (heard.outcome, asked) == ("delivered", ["shop.example"])
    (came,) = receiver.came
    assert (came.headers["host"], came.path) == (f"shop.example:{port}", "/a?b=c")


def test_f77_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    line = Line(Rules(http=True, ports=None, inside=(ip_network("127.0.0.0/8"),)), 1.0)

    assert line.post(receiver.url, {}, b"{}").ok


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for shop.example, which is its own authority."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example",
         "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def encrypted(receivers: Callable[[], Receiver], authority: Path) -> Receiver:
    """A receiver that speaks TLS, and notes for which name."""
    receiver = receivers()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "cert.pem", authority / "key.pem")
    receiver.names = []  # type: ignore[attr-defined]
    context.sni_callback = lambda _sock, name, _context: receiver.names.append(name)  # type: ignore[attr-defined]
    server = receiver._server
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return receiver


def test_f77_tls_is_spoken_to_the_name_whatever_the_address(encrypted: Receiver, authority: Path) -> None:
    port = encrypted.url.rpartition(":")[2].partition("/")[0]
    trusting = tls_context()
    trusting.load_verify_locations(authority / "cert.pem")
    rules = Rules(ports=None, inside=(ip_network("127.0.0.0/8"),))
    line = Line(rules, 2.0, lookup=says("127.0.0.1"), tls=trusting)

    right = line.post(f"https://shop.example:{port}/", {}, b"{}")
    another = line.post(f"https://other.example:{port}/", {}, b"{}")
    unknown = replace(line, tls=None).post(f"https://shop.example:{port}/", {}, b"{}")

    assert [h.outcome for h in (right, another, unknown)] == ["delivered", "tls_failed", "tls_failed"]
    assert encrypted.names[:2] == ["shop.example", "other.example"]  # type: ignore[attr-defined]
    assert len(encrypted.came) == 1


def test_bad_settings_stop_the_start() -> None:
    for change in ({"webhook_ports": ("https",)}, {"webhook_inside": ("10.0.0.1/8",)}):
        with pytest.raises(Exception, match="WAYBILL_WEBHOOK_"):
            replace(settings.WAYBILL, **change)  # type: ignore[arg-type]
