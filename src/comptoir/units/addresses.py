"""Which internet addresses a server may call for somebody else, and which it must not.

Who may name a URL could otherwise reach what only this machine can: its own services, its
neighbours, the cloud's metadata. An address that carries another one inside (IPv4 in IPv6) is
judged by the one inside. Whatever is not plainly an address of the public internet is refused.

Source: IANA special-purpose address registries (RFC 6890), RFC 4291, RFC 6052, RFC 3056.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_REFUSED = tuple(
    (ip_network(network), what)
    for network, what in (
        ("169.254.169.254/32", "a metadata address"),
        ("100.100.100.200/32", "a metadata address"),
        ("192.0.0.192/32", "a metadata address"),
        ("168.63.129.16/32", "a metadata address"),
        ("fd00:ec2::254/128", "a metadata address"),
        ("fd20:ce::254/128", "a metadata address"),
        ("0.0.0.0/8", "this machine"),
        ("127.0.0.0/8", "a loopback address"),
        ("10.0.0.0/8", "a private address"),
        ("172.16.0.0/12", "a private address"),
        ("192.168.0.0/16", "a private address"),
        ("100.64.0.0/10", "a shared address"),
        ("169.254.0.0/16", "a link-local address"),
        ("192.0.0.0/24", "a special address"),
        ("192.0.2.0/24", "an address for documents"),
        ("198.51.100.0/24", "an address for documents"),
        ("203.0.113.0/24", "an address for documents"),
        ("192.88.99.0/24", "a special address"),
        ("198.18.0.0/15", "an address for benchmarks"),
        ("224.0.0.0/4", "a multicast address"),
        ("240.0.0.0/4", "a reserved address"),
        ("::/128", "this machine"),
        ("::1/128", "a loopback address"),
        ("64:ff9b:1::/48", "a special address"),
        ("100::/64", "a special address"),
        ("2001::/23", "a special address"),
        ("2001:db8::/32", "an address for documents"),
        ("3fff::/20", "an address for documents"),
        ("5f00::/16", "a special address"),
        ("fc00::/7", "a private address"),
        ("fe80::/10", "a link-local address"),
        ("fec0::/10", "a private address"),
        ("ff00::/8", "a multicast address"),
    )
)
_GLOBAL_V6 = ip_network("2000::/3")
_WITH_V4_AT_THE_END = tuple(map(ip_network, ("::ffff:0:0/96", "::/96", "64:ff9b::/96")))
_SIX_TO_FOUR = ip_network("2002::/16")


def refusal_of(address: str) -> str:
    """What an address is that must not be called; empty if it may be."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "no address"
    if isinstance(found, IPv6Address):
        inside = _inside(found)
        if inside is not None:
            return refusal_of(str(inside))
    for network, what in _REFUSED:
        if found.version == network.version and found in network:
            return what
    if isinstance(found, IPv6Address) and found not in _GLOBAL_V6:
        return "a special address"
    return "" if found.is_global else "a special address"


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's own loopback, plainly written."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def is_address(text: str) -> bool:
    """Whether a host is written as an address rather than as a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address stands for; `::` and `::1` stand for none."""
    if int(address) <= 1:
        return None
    if any(address in network for network in _WITH_V4_AT_THE_END):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(int(address) >> 80 & 0xFFFF_FFFF)
    return None
