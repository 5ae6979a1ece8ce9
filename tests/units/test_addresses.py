"""What a server may call for somebody else: plain addresses of the public internet, no others."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comptoir.units.addresses import is_address, is_loopback, refusal_of

PUBLIC = (
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255",
    "100.128.0.1", "169.253.255.255", "192.167.255.255", "223.255.255.255",
    "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1",
    "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1",
)  # fmt: skip
REFUSED = {
    "a loopback address": (
        "127.0.0.1", "127.255.255.254", "127.1.2.3", "::1", "::ffff:127.0.0.1",
        "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    ),
    "a private address": (
        "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1",
        "fd12:3456::1", "fec0::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:c0a8:101::",
    ),
    "a metadata address": (
        "169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254",
        "fd20:ce::254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ),
    "a link-local address": ("169.254.0.1", "169.254.255.255", "fe80::1", "fe80::1%eth0"),
    "this machine": ("0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0"),
    "a shared address": ("100.64.0.1", "100.127.255.255"),
    "a multicast address": ("224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    "a reserved address": ("240.0.0.1", "255.255.255.255"),
    "an address for documents": (
        "192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1",
    ),
    "an address for benchmarks": ("198.18.0.1", "198.19.255.255"),
    "a special address": (
        "192.0.0.1", "192.88.99.1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1",
        "2001:10::1", "2001:20::1", "4000::1", "5f00::1",
    ),
    "no address": (
        "", "localhost", "127.1", "0177.0.0.1", "0x7f.1", "2130706433", "1.2.3.4.5", "1.2.3",
        "[::1]", "::1::", "example.org",
    ),
}  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_may_be_called(address: str) -> None:
    assert refusal_of(address) == ""


@pytest.mark.parametrize(
    ("what", "address"), [(what, address) for what, them in REFUSED.items() for address in them]
)
def test_what_only_this_machine_or_its_neighbours_reach_is_refused(what: str, address: str) -> None:
    assert refusal_of(address) == what


@given(st.integers(0, 2**32 - 1))
def test_an_address_inside_another_is_judged_as_itself(number: int) -> None:
    plain = refusal_of(str(IPv4Address(number)))
    for outer in (
        IPv6Address(0xFFFF << 32 | number),
        IPv6Address(0x64FF9B << 96 | number),
        IPv6Address(0x2002 << 112 | number << 80 | 1),
    ):
        if number > 1:  # :: and ::1 are addresses of their own
            assert refusal_of(str(outer)) == plain


@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_whatever_python_calls_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        inside = getattr(address, "ipv4_mapped", None) or getattr(address, "sixtofour", None)
        judged_by_the_inside = inside is not None or int(address) >> 32 == 0x64FF9B << 64
        assert refusal_of(str(address)) or judged_by_the_inside


def test_loopback_and_addresses_are_told_by_how_they_are_written() -> None:
    assert is_loopback("127.0.0.1") and is_loopback("::1")
    assert not is_loopback("localhost") and not is_loopback("10.0.0.1")
    assert is_address("::1") and not is_address("example.org")
