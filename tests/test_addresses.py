"""Which addresses may be reached, class by class."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fileservice.addresses import Address, may_reach, networks_of
from tests import hostile_hosts

EVERYTHING = networks_of("0.0.0.0/0 ::/0")
NAT64 = ip_network("64:ff9b::/96")
# The blocks of the registries of special addresses, so that the property looks where it matters.
SPECIAL = networks_of(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.0/24 169.254.0.0/16 172.0.0.0/8"
    " 192.0.0.0/8 198.0.0.0/8 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    " ::/96 ::/8 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/16 2002::/16 3fff::/16"
    " 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8"
)


def plain(address: Address) -> Address:
    """Return what an address stands for, found in another way than the code under test does."""
    if isinstance(address, IPv4Address):
        return address
    high, low = divmod(int(address), 1 << 32)
    return IPv4Address(low) if high in (0xFFFF, int(NAT64.network_address) >> 32) else address


def addresses() -> st.SearchStrategy[Address]:
    within = st.sampled_from(SPECIAL).flatmap(lambda network: st.ip_addresses(network=network))
    return st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6), within)


@pytest.mark.parametrize("address", hostile_hosts.PUBLIC)
def test_a_public_address_is_reached_by_every_url(address: str) -> None:
    assert may_reach(ip_address(address), "public", ())
    assert may_reach(ip_address(address), "private", ())


@pytest.mark.parametrize("address", hostile_hosts.OPERATORS)
def test_a_private_address_is_reached_by_the_operators_urls_only(address: str) -> None:
    assert not may_reach(ip_address(address), "public", ())
    assert may_reach(ip_address(address), "private", ())


@pytest.mark.parametrize("address", [*hostile_hosts.NOBODYS, *hostile_hosts.METADATA])
def test_a_special_address_is_reached_by_no_url(address: str) -> None:
    assert not may_reach(ip_address(address), "public", ())
    assert not may_reach(ip_address(address), "private", ())


@pytest.mark.parametrize("address", hostile_hosts.METADATA)
def test_metadata_is_opened_by_no_network(address: str) -> None:
    near = networks_of("169.254.0.0/16 168.63.129.16/31 fd00:ec2::/32 fd20:ce::/127")

    assert not may_reach(ip_address(address), "private", near)
    assert not may_reach(ip_address(address), "private", EVERYTHING)


@pytest.mark.parametrize("address", hostile_hosts.METADATA)
def test_metadata_is_opened_by_its_very_address(address: str) -> None:
    itself = networks_of(str(plain(ip_address(address))))

    assert may_reach(ip_address(address), "public", itself)
    assert may_reach(ip_address(address), "private", itself)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("fd12::1", "fd12::/64"),
        ("169.254.1.1", "169.254.0.0/16"),
        ("192.0.2.1", "192.0.2.0/24"),
        ("fe80::1", "fe80::/10"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ("64:ff9b::10.1.2.3", "10.1.0.0/16"),
    ],
)
def test_a_network_that_is_opened_is_reached_by_every_url(address: str, network: str) -> None:
    assert may_reach(ip_address(address), "public", networks_of(f"172.30.0.0/16 {network}"))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.2.0.0/16"),
        ("10.1.2.3", "::/0"),
        ("::ffff:10.1.2.3", "::/0"),
        ("64:ff9b::10.1.2.3", "64:ff9b::/96"),
        ("::1", "0.0.0.0/0"),
    ],
)
def test_a_network_opens_nothing_else(address: str, network: str) -> None:
    assert not may_reach(ip_address(address), "public", networks_of(network))


@given(addresses())
def test_what_python_calls_special_is_never_reached_from_a_request(address: Address) -> None:
    meant = plain(address)
    special = (
        meant.is_private
        or meant.is_loopback
        or meant.is_link_local
        or meant.is_multicast
        or meant.is_reserved
        or meant.is_unspecified
        or (isinstance(meant, IPv6Address) and meant.is_site_local)
    )

    assert not (special and may_reach(address, "public", ()))


@given(addresses())
def test_an_operators_url_reaches_all_that_a_requests_does(address: Address) -> None:
    assert may_reach(address, "private", ()) or not may_reach(address, "public", ())


def test_networks_are_listed_with_any_white_space() -> None:
    assert networks_of(" 10.0.0.0/8\n\tfd00::/8 192.0.2.1 ") == (
        ip_network("10.0.0.0/8"),
        ip_network("fd00::/8"),
        ip_network("192.0.2.1/32"),
    )
    assert networks_of("") == ()


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "10.0.0.0/33", "a.example", "10.0.0.0/8,::1", "::/129"]
)
def test_what_is_no_network_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        networks_of(text)
