"""A topic of mere numbers: whatever happens during a pass, each watcher is led from where it is to where the topic is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import hypothesis.strategies as st
from hypothesis import given

from realtime.gateway import fanout as fanouts
from realtime.gateway.connection import Connection
from realtime.gateway.fanout import Fanout
from realtime.gateway.frame import Encoding, Frame
from realtime.gateway.members import OUT, Subscription
from realtime.gateway.topic import Topic
from tests.unit.realtime.gateway.held import Passes

if TYPE_CHECKING:
    from array import array

    from realtime.core.closing import Close


class Point(NamedTuple):
    epoch: int
    version: int


class Numbers(Topic):
    """Frames say `from>to`, or `stale` or `fresh`."""

    __slots__ = ("ends", "made")

    def __init__(self, fanout: Fanout) -> None:
        super().__init__("b/top/10", fanout, None)  # type: ignore[arg-type]
        self.point = Point(1, 1)
        self.made: list[bytes] = []
        self.ends = 0

    def snapshot(self) -> Frame:
        return Frame(b">%d" % self.point.version)

    def make(self, since: Any) -> Frame:
        text = b"%d>%d" % (since.version, self.point.version)
        self.made.append(text)
        return Frame(text)

    def said(self, *, stale: bool) -> Frame:
        return Frame(b"stale" if stale else b"fresh")

    def ended(self) -> None:
        self.ends += 1


class Peer(Connection):
    """Applies what it is sent, strictly. A full one takes one more frame, and is held back by it."""

    def __init__(self, room: Room, fd: int, *, direct: bool) -> None:
        super().__init__(Encoding.PLAIN)
        self.room = room
        self.number = fd if direct else -1
        self.fd = self.number
        self.full = False
        self.version = 0
        self.stale = False
        self.told: list[bytes] = []
        self.subscription = Subscription(self, room.topic)

    gone = False

    def send(self, data: bytes) -> int:
        if self.full:
            return 0
        self.write(data)
        return len(data)

    def write(self, data: bytes) -> None:
        if self.full:
            self.hold_back()
        text = data[2:]
        self.told.append(text)
        if text in (b"stale", b"fresh"):
            self.stale = text == b"stale"
        else:
            since, to = text.split(b">")
            assert not since or int(since) == self.version, "a gap"
            self.version = int(to)

    def hold_back(self) -> None:
        """Something else fills its socket."""
        if not self.held_back:
            self.held_back, self.fd = True, -1
            self.room.topic.hold_back(self.subscription)

    def has_room(self) -> None:
        self.full = False
        if self.held_back:
            self.held_back, self.fd = False, self.number
            self.room.topic.bring_forward(self.subscription)

    def reply(self, message: bytes) -> None:
        raise NotImplementedError

    def close(self, why: Close) -> None:
        raise NotImplementedError

    def beat(self) -> None:
        raise NotImplementedError


class Room:
    def __init__(self) -> None:
        self.by_fd: dict[int, Peer] = {}
        self.fanout = Fanout(self.send, turn=0.0)
        self.passes = Passes(self.fanout)
        self.topic = Numbers(self.fanout)
        self.peers: list[Peer] = []

    def join(self, *, direct: bool = True) -> Peer:
        peer = Peer(self, len(self.by_fd), direct=direct)
        self.by_fd[len(self.by_fd)] = peer
        self.peers.append(peer)
        self.topic.watchers += 1
        peer.write(self.topic.snapshot().encoded(Encoding.PLAIN))
        if self.topic.stale:
            peer.write(self.topic.said(stale=True).encoded(Encoding.PLAIN))
        self.topic.join(peer.subscription)
        return peer

    def send(self, fds: array[int], start: int, stop: int, data: bytes) -> list[tuple[int, int]]:
        sent = [(index, self.by_fd[fds[index]].send(data)) for index in range(start, stop) if fds[index] >= 0]
        return [(index, taken) for index, taken in sent if taken < len(data)]

    def publish(self) -> None:
        if not self.topic.passing:
            self.topic.publish(Point(1, self.topic.point.version + 1))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("publish", "publish", "step", "step", "join", "leave", "fill", "room", "say")),
        st.integers(0, 20),
    ),
    max_size=60,
)


@given(st.integers(0, 8), STEPS)
def test_everybody_is_led_without_a_gap_to_where_the_topic_is(size: int, steps: list[tuple[str, int]]) -> None:
    with mock.patch.object(fanouts, "SLICE", 2):
        room = Room()
        for number in range(size):
            room.join(direct=number % 3 > 0)
        for step, number in steps:
            peer = room.peers[number % len(room.peers)] if room.peers else None
            match step:
                case "publish":
                    room.publish()
                case "step":
                    room.passes.step()
                case "join":
                    room.join(direct=number % 3 > 0)
                case "leave" if peer is not None:
                    room.peers.remove(peer)
                    room.topic.leave(peer.subscription)
                case "fill" if peer is not None:
                    peer.full = True
                    if number % 2:
                        peer.hold_back()
                case "room" if peer is not None:
                    peer.has_room()
                case "say":
                    room.topic.say(stale=bool(number % 2))
        room.passes.finish()
        for peer in room.peers:
            peer.has_room()
        room.publish()
        room.passes.finish()
        assert room.topic.watchers == len(room.peers)
        for peer in room.peers:
            assert (peer.version, peer.stale) == (room.topic.point.version, room.topic.stale)
            assert peer.subscription.index != OUT


def test_laggards_that_stand_at_one_point_share_a_frame_that_is_made_once() -> None:
    room = Room()
    peers = [room.join() for _ in range(4)]
    for peer in peers:
        peer.full = True
    for _ in range(3):
        room.publish()
    assert room.topic.made == [b"1>2", b"2>3", b"3>4"][: len(room.topic.made)]
    room.topic.made.clear()
    for peer in peers:
        peer.has_room()
    assert room.topic.made == [b"2>4"]
    assert [peer.told for peer in peers] == [[b">1", b"1>2", b"2>4"]] * 4
    assert room.fanout.merged == 4


def test_one_held_back_before_the_pass_reached_it_is_led_from_where_it_was() -> None:
    with mock.patch.object(fanouts, "SLICE", 1):
        room = Room()
        first, second = room.join(), room.join()
        room.publish()
        assert (first.version, second.version) == (2, 1)
        for peer in (first, second):
            peer.hold_back()
        room.passes.finish()
        for peer in (first, second):
            peer.has_room()
        assert first.told == second.told == [b">1", b"1>2"]


def test_one_held_back_and_let_go_at_the_same_point_is_told_nothing() -> None:
    room = Room()
    peer = room.join()
    peer.hold_back()
    peer.has_room()
    room.topic.bring_forward(peer.subscription)
    assert peer.told == [b">1"]
    room.publish()
    assert peer.told == [b">1", b"1>2"]


def test_what_is_said_during_a_pass_waits_for_its_end() -> None:
    with mock.patch.object(fanouts, "SLICE", 1):
        room = Room()
        peers = [room.join() for _ in range(3)]
        room.publish()
        room.topic.say(stale=True)
        assert [peer.told[1:] for peer in peers] == [[b"1>2"], [], []]
        room.passes.finish()
        assert [peer.told[1:] for peer in peers] == [[b"1>2", b"stale"]] * 3
        assert room.topic.ends == 1


def test_who_joins_while_that_waits_is_told_once() -> None:
    with mock.patch.object(fanouts, "SLICE", 1):
        room = Room()
        room.join()
        room.join()
        room.publish()
        room.topic.say(stale=True)
        late = room.join()
        room.passes.finish()
        assert late.told == [b">2", b"stale"]


def test_one_held_back_before_it_was_said_to_it_hears_it_when_there_is_room() -> None:
    with mock.patch.object(fanouts, "SLICE", 1):
        room = Room()
        first, second = room.join(), room.join()
        room.topic.say(stale=True)
        for peer in (first, second):
            peer.hold_back()
        room.passes.finish()
        for peer in (first, second):
            peer.has_room()
        assert first.told == second.told == [b">1", b"stale"]


def test_one_held_back_during_a_later_pass_does_not_hear_it_again() -> None:
    with mock.patch.object(fanouts, "SLICE", 1):
        room = Room()
        first, second = room.join(), room.join()
        room.topic.say(stale=True)
        room.passes.finish()
        room.publish()
        second.hold_back()
        room.passes.finish()
        second.has_room()
        assert first.told == second.told == [b">1", b"stale", b"1>2"]


def test_who_lagged_hears_that_the_ranking_is_away_only_if_it_still_is() -> None:
    room = Room()
    peers = [room.join() for _ in range(2)]
    for peer in peers:
        peer.hold_back()
    room.topic.say(stale=True)
    peers[0].has_room()
    room.topic.say(stale=False)
    peers[1].has_room()
    assert [peer.told for peer in peers] == [[b">1", b"stale", b"fresh"], [b">1"]]


def test_frames_not_handed_to_laggards_are_counted() -> None:
    room = Room()
    peers = [room.join() for _ in range(3)]
    peers[0].hold_back()
    room.publish()
    assert (room.fanout.deliveries, room.fanout.skipped) == (2, 1)


def test_what_one_alone_watches_keeps_no_frames() -> None:
    room = Room()
    room.join()
    room.publish()
    assert room.topic._frames is None
    room.join()
    room.publish()
    assert room.topic._frames
