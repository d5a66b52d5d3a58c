"""Which addresses of other hosts may be reached, and by whose URL."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

# How far a URL may lead: to the public internet, or also to the operator's own networks.
Reach = Literal["public", "private"]


def networks_of(text: str) -> tuple[Network, ...]:
    """
    Return the networks that `text` lists, separated by white space.

    Raises:
        ValueError: one is none, or has bits of a host.
    """
    return tuple(map(ip_network, text.split()))


# `ip.is_global` is not enough: Python 3.13 calls multicast, site-local addresses and NAT64 of
# loopback global. IPv4 is public but for what IANA's special-purpose registry keeps from being
# forwarded; IPv6 is public only within the block that IANA gives out (RFC 4291 2.4), but for the
# special blocks inside of it.
PRIVATE = networks_of(
    "10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 172.16.0.0/12 192.168.0.0/16 ::1/128 fc00::/7"
)
RESERVED_4 = networks_of(
    "0.0.0.0/8 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15"
    " 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
)
GIVEN_OUT_6 = ip_network("2000::/3")
RESERVED_6 = networks_of("2001::/23 2001:db8::/32 2002::/16 3fff::/20")
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052 2.1; what lies behind it is the embedded address

# Where clouds keep the credentials of the machine: opened by none but the very address.
METADATA = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
        ),
    )
)


def may_reach(address: Address, reach: Reach, allowed: Sequence[Network]) -> bool:
    """
    Tell whether a connection to `address` may be made for a URL of this reach.

    `allowed` are networks the operator opened for every URL. An IPv4 address inside of an IPv6
    one (mapped, NAT64) is judged as what it is.
    """
    address = _unwrapped(address)
    if address in METADATA:
        return ip_network(address) in allowed
    if is_within(address, allowed):
        return True
    if is_within(address, PRIVATE):
        return reach == "private"
    if isinstance(address, IPv4Address):
        return not is_within(address, RESERVED_4)
    return address in GIVEN_OUT_6 and not is_within(address, RESERVED_6)


def _unwrapped(address: Address) -> Address:
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    return address


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether one of `networks` has `address`."""
    return any(address in network for network in networks)
