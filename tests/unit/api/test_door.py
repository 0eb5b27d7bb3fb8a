from __future__ import annotations

from typing import Any

import pytest

from api.door import Door, site
from infra.settings import Settings
from realtime.core.errors import AddressLimit, OriginRefused, Overloaded
from tests.bare import BareHub


def spawn(_: Any) -> None:
    raise AssertionError("nothing waits here")


def door(hub: BareHub, **changes: Any) -> Door:
    urls: Any = dict.fromkeys(("database_url", "redis_url", "issuer", "jwks_url"), "")
    return Door(Settings(**urls, **changes), hub, hub, spawn)


async def test_who_is_refused_is_not_counted() -> None:
    gate = door(BareHub(), max_connections=2, max_per_address=1, origins=("https://a",))
    gate.admit(None, "x")
    for origin, address, error in (("https://b", "y", OriginRefused), (None, "x", AddressLimit)):
        with pytest.raises(error):
            gate.admit(origin, address)
    gate.admit("https://a", "y")
    with pytest.raises(Overloaded):
        gate.admit(None, "z")
    gate.release("x")
    gate.admit(None, "x")
    assert gate.admitted == 2
    assert gate.refused == 2, "of those it was for want of room"


async def test_nothing_is_kept_of_an_address_that_has_gone() -> None:
    gate = door(BareHub())
    for _ in range(3):
        gate.admit(None, "x")
    for _ in range(3):
        gate.release("x")
    assert gate._addresses == {}


async def test_a_drain_admits_nobody_and_sends_the_others_away() -> None:
    hub = BareHub()
    gate = door(hub)
    done: list[bool] = []
    gate.drain(lambda: done.append(True))
    assert done == [True]
    with pytest.raises(Overloaded, match="leaves"):
        gate.admit(None, "x")


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_an_ipv6_site_counts_as_one_address(host: str, counted: str) -> None:
    assert site(host) == counted
