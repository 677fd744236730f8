"""When webhooks are tried again, and where they are never sent."""

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taesan.webhooks.addresses import MAX_URL, fault_of_url, is_loopback, is_public, may_connect
from taesan.webhooks.schedule import DISABLED_AFTER, WAITS, wait_after

INSIDE_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "168.63.129.16/32",
]
INSIDE_V6 = [
    "::/128",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "2001:db8::/32",
    "2001::/32",
    "::/96",
]
PUBLIC_V4 = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "223.255.255.254"]


def _within(networks: list[str]) -> st.SearchStrategy[str]:
    def some(cidr: str) -> st.SearchStrategy[str]:
        network = ip_network(cidr)
        low, high = int(network[0]), int(network[-1])
        return st.integers(low, high).map(lambda n: str(type(network[0])(n)))

    return st.one_of([some(cidr) for cidr in networks])


def _forms(v4: str) -> list[str]:
    """One IPv4 address in all the ways in which IPv6 can carry it."""
    n = int(IPv4Address(v4))
    return [
        v4,
        f"::ffff:{v4}",
        str(IPv6Address((0x2002 << 112) | (n << 80) | 1)),  # 6to4
        str(IPv6Address(int(IPv6Address("64:ff9b::")) | n)),  # NAT64
    ]


@given(_within(INSIDE_V4))
def test_no_inner_address_is_public_in_whatever_form(address: str) -> None:
    assert [form for form in _forms(address) if is_public(form)] == []
    assert not is_public(f"::{address}")  # IPv4-compatible, of old
    assert not is_public(str(IPv6Address(int(IPv6Address("64:ff9b:1::")) | int(IPv4Address(address)))))


@given(_within(INSIDE_V6))
def test_no_inner_ipv6_address_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC_V4)
def test_public_addresses_are_public_in_whatever_form(address: str) -> None:
    assert all(map(is_public, _forms(address)))


@pytest.mark.parametrize("address", ["2606:4700:4700::1111", "2a00:1450:4001:80b::200e"])
def test_public_ipv6_addresses_are_public(address: str) -> None:
    assert is_public(address)


@given(_within(INSIDE_V4 + INSIDE_V6), st.lists(st.sampled_from(PUBLIC_V4), max_size=4), st.randoms())
def test_one_inner_address_among_public_ones_is_enough_to_refuse(inner: str, others: list[str], random: object) -> None:
    addresses = [*others, inner]
    random.shuffle(addresses)  # type: ignore[attr-defined]
    assert not may_connect(addresses, "https", local_allowed=False)
    if not is_loopback(inner) or others:
        assert not may_connect(addresses, "https", local_allowed=True)


def test_what_may_be_connected_to() -> None:
    assert may_connect(["1.1.1.1", "2606:4700:4700::1111"], "https", local_allowed=False)
    assert not may_connect(["1.1.1.1"], "http", local_allowed=True), "in the open over the internet"
    assert may_connect(["127.0.0.1", "::1"], "http", local_allowed=True)
    assert not may_connect([], "https", local_allowed=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "https://shop.example:443/hooks?x=1",
        "https://shop.example:8443/hooks",
        "https://xn--oi2b30ghxt.example/",
        "https://1.1.1.1/",
        "https://[2606:4700:4700::1111]/",
        "https://localhost/",  # a name: looked up when it is sent
    ],
)
def test_good_urls(url: str) -> None:
    assert fault_of_url(url, local_allowed=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "http://shop.example/",
        "http://localhost/",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "https://",
        "https:///hooks",
        "https://user@shop.example/",
        "https://user:pass@shop.example/",
        "https://shop.example/#part",
        "https://shop.example:22/",
        "https://shop.example:25/",
        "https://shop.example:80/",
        "https://shop.example:0/",
        "https://shop.example:65536/",
        "https://shop.example:x/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[::1/",
        "https://169.254.169.254/latest/meta-data",
        "https://가게.example/",
        "https://shop.example/a b",
        "https://shop.example/\r\nHost: inner",
        "https://shop.example/\t",
    ],
)
def test_bad_urls(url: str) -> None:
    assert fault_of_url(url, local_allowed=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "http://[::1]:8080/", "https://127.0.0.1:8443/"])
def test_this_machine_is_called_where_that_is_allowed_alone(url: str) -> None:
    assert fault_of_url(url, local_allowed=True) is None
    assert fault_of_url(url, local_allowed=False)


@pytest.mark.parametrize("url", ["http://10.0.0.1:8080/", "http://localhost:8080/", "http://1.1.1.1:8080/"])
def test_not_even_locally(url: str) -> None:
    assert fault_of_url(url, local_allowed=True)


@given(st.text(max_size=MAX_URL), st.booleans())
def test_no_text_breaks_the_check(url: str, local_allowed: bool) -> None:
    fault_of_url("https://" + url, local_allowed=local_allowed)


# ------------------------------------------------------------------- when


def test_the_waits_are_those_of_the_specification() -> None:
    hours = [wait.total_seconds() / 3_600 for wait in WAITS]
    assert hours == [5 / 3_600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    assert sum(WAITS, timedelta()) > DISABLED_AFTER


@given(st.integers(1, len(WAITS)), st.floats(0, 1))
def test_jitter_makes_waits_longer_and_not_by_much(tries: int, random: float) -> None:
    wait = wait_after(tries, random)
    assert wait is not None
    assert WAITS[tries - 1] <= wait <= WAITS[tries - 1] * 1.2


@given(st.integers(len(WAITS) + 1, 100), st.floats(0, 1))
def test_some_day_it_is_enough(tries: int, random: float) -> None:
    assert wait_after(tries, random) is None
