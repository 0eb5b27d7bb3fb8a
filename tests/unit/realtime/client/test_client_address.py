from __future__ import annotations

import itertools

import pytest

from realtime.client.address import in_turn, live_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/v1/live"),
        ("https://scores.example/", "wss://scores.example/v1/live"),
        ("https://scores.example/base", "wss://scores.example/base/v1/live"),
        ("ws://127.0.0.1:8080/v1/live", "ws://127.0.0.1:8080/v1/live"),
    ],
)
def test_the_address_of_the_socket_follows_from_the_nodes(url: str, address: str) -> None:
    assert live_address(url) == address


@pytest.mark.parametrize(("chance", "order"), [(0.0, "abcab"), (0.34, "bcabc"), (0.999, "cabca")])
def test_nodes_are_tried_in_turn_from_any_of_them(chance: float, order: str) -> None:
    addresses = itertools.islice(in_turn(["ws://a", "ws://b", "ws://c"], chance), 5)
    assert [address.removeprefix("ws://")[0] for address in addresses] == list(order)


def test_a_list_without_a_node_is_refused() -> None:
    with pytest.raises(ValueError, match="no address"):
        in_turn([], 0.0)
