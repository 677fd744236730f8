"""Where webhooks may be sent: to public addresses, never into the hub's own network. Pure."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

MAX_URL = 500
HTTPS_PORT, FIRST_FREE_PORT = 443, 1024
"""Below, but for HTTPS itself, are the ports of other protocols: mail, remote shells, databases' old ones."""

_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
# Global by their registration, and yet somebody's inside.
_INSIDE = (
    ip_network("192.0.0.0/24"),  # protocol assignments; Oracle's metadata
    ip_network("192.88.99.0/24"),  # relays of 6to4
    ip_network("168.63.129.16/32"),  # Azure's platform
)


def is_public(address: str) -> bool:
    """Whether it is an address of the internet. One that stands for an IPv4 address is what that is."""
    ip = _parsed(address)
    if isinstance(ip, IPv6Address) and ip not in _GLOBAL_UNICAST:
        return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _INSIDE)


def is_loopback(address: str) -> bool:
    return _parsed(address).is_loopback


def _parsed(address: str) -> IPv4Address | IPv6Address:
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return inner
    return ip


def fault_of_url(url: str, *, local_allowed: bool) -> str | None:
    """Why nothing is sent there, as far as the URL alone tells.

    :param local_allowed: this machine's own addresses may be named, and without TLS
    """
    try:
        parts = urlsplit(url)
        return next(_faults(url, parts, parts.port, local_allowed), None)
    except ValueError:
        return "it is not well-formed"


def _faults(url: str, parts: SplitResult, port: int | None, local_allowed: bool) -> Iterator[str]:
    if parts.scheme not in ("https", "http") or not parts.hostname:
        yield "it has to be https://…"
    if parts.username is not None or parts.password is not None or parts.fragment:
        yield "it must have no user, password or fragment"
    if not url.isascii() or not url.isprintable() or " " in url:
        yield "it has to be written in printable ASCII: names as `xn--…`, all else escaped"
    if port is not None and port != HTTPS_PORT and port < FIRST_FREE_PORT:
        yield f"its port has to be {HTTPS_PORT}, or {FIRST_FREE_PORT} and more"
    address = _literal(parts.hostname or "")
    is_local = address is not None and local_allowed and is_loopback(address)
    if parts.scheme == "http" and not is_local:
        yield "it has to be https://…"
    if address is not None and not is_local and not is_public(address):
        yield NOT_PUBLIC


NOT_PUBLIC = "its host has no public address"
"""Said alike of a name that nobody knows and of one that leads inside: which of our names exist is nobody's business."""


def may_connect(addresses: list[str], scheme: str, *, local_allowed: bool) -> bool:
    """Whether all that a name stands for may be connected to: one bad address among good ones is an attempt."""
    if not addresses:
        return False
    if local_allowed and all(is_loopback(address) for address in addresses):
        return True
    return scheme == "https" and all(is_public(address) for address in addresses)


def _literal(host: str) -> str | None:
    try:
        ip_address(host)
    except ValueError:
        return None  # a name, or an address in one of its odd forms, which the resolver will tell
    return host
