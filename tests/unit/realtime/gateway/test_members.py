"""A pass in slices: whoever was here when it began and stays is served once, and nobody else."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import given

from realtime.gateway.connection import Connection
from realtime.gateway.frame import Encoding, Frame
from realtime.gateway.members import OUT, Members, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.core.closing import Close

FRAME = Frame(b"frame")
DATA = FRAME.encoded(Encoding.PLAIN)


class Peer(Connection):
    """Takes `room` bytes straight to its descriptor; `full` is told when the rest comes by its transport."""

    def __init__(self, fd: int) -> None:
        super().__init__(Encoding.PLAIN)
        self.fd = fd
        self.room = 1_000_000
        self.taken = b""
        self.full: Callable[[], None] = lambda: None

    gone = False

    def send(self, data: bytes) -> int:
        sent = min(self.room, len(data))
        self.taken += data[:sent]
        self.room -= sent
        return sent

    def write(self, data: bytes) -> None:
        self.taken += data
        self.full()

    def reply(self, message: bytes) -> None:
        raise NotImplementedError

    def close(self, why: Close) -> None:
        raise NotImplementedError

    def beat(self) -> None:
        raise NotImplementedError


class Room:
    """Members with who they are; descriptors are numbers."""

    def __init__(self, *, direct: bool) -> None:
        self.members = Members(Encoding.PLAIN, direct=direct)
        self.peers: list[Peer] = []
        self.subscriptions: list[Subscription] = []

    def join(self) -> Subscription:
        peer = Peer(len(self.peers))
        self.peers.append(peer)
        subscription = Subscription(peer, None)  # type: ignore[arg-type]
        self.subscriptions.append(subscription)
        self.members.add(subscription)
        return subscription

    def send_frames(self, fds: array[int], start: int, stop: int, data: bytes) -> list[tuple[int, int]]:
        sent = [(index, self.peers[fds[index]].send(data)) for index in range(start, stop) if fds[index] >= 0]
        return [(index, taken) for index, taken in sent if taken < len(data)]

    def slice(self, most: int) -> int:
        return self.members.send(FRAME, most, self.send_frames)

    def served(self) -> list[int]:
        """How many frames each was sent, whole."""
        assert all(peer.taken == DATA * (len(peer.taken) // len(DATA)) for peer in self.peers)
        return [len(peer.taken) // len(DATA) for peer in self.peers]

    def here(self) -> list[Subscription]:
        return [one for one in self.subscriptions if one.index != OUT]

    def consistent(self) -> bool:
        members = self.members
        return len(members) == len(self.here()) and all(
            members.holds(one) and members.fds[one.index] == one.connection.fd for one in self.here()
        )


STEPS = st.lists(
    st.tuples(st.sampled_from(("slice", "slice", "join", "leave", "fill", "finish")), st.integers(0, 30)), max_size=40
)


@given(st.booleans(), st.integers(0, 12), STEPS)
def test_who_comes_goes_or_is_held_back_during_a_pass_makes_nobody_skipped_or_served_twice(
    direct: bool, size: int, steps: list[tuple[str, int]]
) -> None:
    room = Room(direct=direct)
    for _ in range(size):
        room.join()
    room.members.begin()
    due, count = set(room.here()), [0] * size

    def finish() -> None:
        while not room.members.done:
            room.slice(3)
        for subscription in due:
            count[subscription.connection.fd] += 1
        room.members.finish()
        assert room.served() == count

    for step, number in steps:
        here = room.here()
        one = here[number % len(here)] if here else None
        match step:
            case "slice":
                room.slice(number % 5 + 1)
            case "join":
                room.join()
                count.append(0)
            case "leave" if one is not None:
                if room.members.awaits(one):
                    due.discard(one)
                room.members.remove(one)
            case "fill" if one is not None:
                # The next frame does not go in whole: the transport keeps it, and it is out of step while it is served.
                peer = one.connection
                assert isinstance(peer, Peer)
                peer.room = number % len(DATA)
                peer.full = lambda one=one: room.members.remove(one) if one.index != OUT else None  # type: ignore[misc]
            case "finish":
                finish()
                room.members.begin()
                due = set(room.here())
        assert room.consistent()
    finish()
    assert room.consistent()
    assert len(room.members.subscriptions) == len(room.here())


@pytest.mark.parametrize("direct", [True, False])
def test_one_awaits_the_pass_until_its_slice_was_served(direct: bool) -> None:
    room = Room(direct=direct)
    first, second = room.join(), room.join()
    assert not room.members.awaits(first)
    room.members.begin()
    late = room.join()
    assert [room.members.awaits(one) for one in (first, second, late)] == [True, True, False]
    assert room.slice(1) == 1
    assert [room.members.awaits(one) for one in (first, second, late)] == [False, True, False]
    assert not room.members.done
    assert (room.slice(9), room.slice(9)) == (1, 0)
    assert room.members.done
    assert room.served() == [1, 1, 0]


def test_what_a_socket_did_not_take_goes_to_its_transport_and_no_byte_twice() -> None:
    room = Room(direct=True)
    for taken in (0, 3, len(DATA)):
        room.join()
        room.peers[-1].room = taken
    room.members.begin()
    assert room.slice(9) == 3
    assert [peer.taken for peer in room.peers] == [DATA] * 3


def test_a_socket_with_a_fault_is_left_to_its_transport() -> None:
    room = Room(direct=True)
    room.join()
    room.members.begin()
    room.members.send(FRAME, 9, lambda fds, start, stop, data: [(start, -32)])  # noqa: ARG005
    assert room.peers[0].taken == DATA


def test_a_hole_is_not_written_to_and_not_counted() -> None:
    room = Room(direct=True)
    gone, _ = room.join(), room.join()
    room.members.begin()
    room.members.remove(gone)
    assert list(room.members.fds) == [OUT, 1]
    assert room.slice(9) == 1
    assert room.served() == [0, 1]


def test_one_who_is_taken_out_by_another_ones_write_is_not_written_to() -> None:
    room = Room(direct=False)
    _, second = room.join(), room.join()
    room.members.begin()
    room.peers[0].full = lambda: room.members.remove(second)
    room.slice(9)
    assert room.served() == [1, 0]


def test_between_passes_who_leaves_makes_room_for_the_last() -> None:
    room = Room(direct=True)
    first, _, last = room.join(), room.join(), room.join()
    room.members.remove(first)
    assert (last.index, first.index, list(room.members.fds)) == (0, OUT, [2, 1])
    assert not room.members.holds(first)
    assert room.consistent()
