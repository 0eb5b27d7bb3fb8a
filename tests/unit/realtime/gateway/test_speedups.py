"""The two inner loops in C and in Python: the same answers, and nothing left behind by the one in C."""

from __future__ import annotations

import errno
import gc
import os
import select
import socket
import struct
import sys
import threading
import tracemalloc
from array import array
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from realtime.core.errors import SettingInvalid
from realtime.core.tracker import PLACES, Tracker
from realtime.gateway import sending, speedups
from realtime.gateway.speedups import choose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Pair = tuple[socket.socket, socket.socket]
FRAME = bytes(range(256)) * 4096


def built() -> speedups.Speedups:
    try:
        return choose("c")
    except SettingInvalid as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=["python", "c"])
def send_frames(request: pytest.FixtureRequest) -> Callable[[array[int], int, int, bytes], list[tuple[int, int]]]:
    return built().send_frames if request.param == "c" else choose("python").send_frames


def unix() -> Pair:
    return socket.socketpair()


def tcp() -> Pair:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    return ours, client


@pytest.fixture(params=[unix, tcp])
def pairs(request: pytest.FixtureRequest) -> Iterator[Callable[[], Pair]]:
    """Makes pairs of our end, non-blocking and with little room, and the client's."""
    made: list[socket.socket] = []

    def pair() -> Pair:
        ours, client = request.param()
        made.extend((ours, client))
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        client.settimeout(10)
        return ours, client

    yield pair
    for end in made:
        end.close()


def descriptors(*sockets: socket.socket | int) -> array[int]:
    return array("i", [one if isinstance(one, int) else one.fileno() for one in sockets])


def received(client: socket.socket, size: int) -> bytes:
    # Not MSG_WAITALL: a socket with a time-out does not wait for all.
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        assert more, "the connection has ended"
        data += more
    return data


def test_a_frame_reaches_all_and_nothing_is_reported(send_frames: Any, pairs: Any) -> None:
    made = [pairs() for _ in range(5)]
    assert send_frames(descriptors(*(ours for ours, _ in made)), 0, 5, b"frame") == []
    assert [received(client, 5) for _, client in made] == [b"frame"] * 5


def test_only_the_slice_is_sent_to(send_frames: Any, pairs: Any) -> None:
    made = [pairs() for _ in range(4)]
    fds = descriptors(*(ours for ours, _ in made))
    assert send_frames(fds, 1, 3, b"inner") == []
    assert send_frames(fds, 2, 2, b"none") == []
    assert send_frames(fds, 0, 4, b".") == []
    assert [received(client, size) for (_, client), size in zip(made, (1, 6, 6, 1), strict=True)] == [
        b".", b"inner.", b"inner.", b".",
    ]  # fmt: skip


def test_what_a_full_socket_took_is_reported_and_no_more_is_taken(send_frames: Any, pairs: Any) -> None:
    (ours, client), (other, patient) = pairs(), pairs()
    fds = descriptors(other, ours)
    ((index, sent),) = send_frames(fds, 1, 2, FRAME)
    assert index == 1
    assert 0 < sent < len(FRAME)
    # TCP may have drained into the client's buffer meanwhile, and does so once more when that acknowledges: fill what room there is.
    total, said = sent, b""
    while True:
        while (more := dict(send_frames(fds, 1, 2, FRAME[total % 256 :])).get(1, 0)) > 0:
            total += more
        few = FRAME[total % 256 :][:5]
        said += few
        if (outcome := send_frames(fds, 0, 2, few)) == [(1, 0)]:
            break
        took = dict(outcome).get(1, len(few))
        assert took > 0
        total += took
    assert received(patient, len(said)) == said
    assert received(client, total) == FRAME[:total]


def test_a_client_that_is_gone_is_an_errno_and_the_next_still_gets_the_frame(send_frames: Any, pairs: Any) -> None:
    (gone, client), (ours, next_client) = pairs(), pairs()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    poll = select.poll()
    poll.register(gone, select.POLLHUP)
    assert poll.poll(10_000)
    ((index, outcome),) = send_frames(descriptors(gone, ours), 0, 2, b"frame")
    assert index == 0
    assert outcome in {-errno.EPIPE, -errno.ECONNRESET}
    assert received(next_client, 5) == b"frame"


def test_a_descriptor_that_is_taken_out_is_skipped(send_frames: Any, pairs: Any) -> None:
    ours, client = pairs()
    assert send_frames(descriptors(-1, ours, -1), 0, 3, b"frame") == []
    assert received(client, 5) == b"frame"


def test_a_closed_descriptor_is_an_errno(send_frames: Any, pairs: Any) -> None:
    ours, client = pairs()
    closed = os.dup(ours.fileno())
    os.close(closed)
    assert send_frames(descriptors(closed, ours), 0, 2, b"frame") == [(0, -errno.EBADF)]
    assert received(client, 5) == b"frame"


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 3), (2, 1), (3, 3), (0, -1)])
def test_a_slice_beyond_the_array_is_refused(send_frames: Any, start: int, stop: int) -> None:
    with pytest.raises(ValueError, match=f"{start}:{stop} is no slice of 2 descriptors"):
        send_frames(array("i", [-1, -1]), start, stop, b"frame")


@pytest.mark.parametrize("code", ["l", "I", "b", "d"])
def test_descriptors_of_another_type_are_refused(send_frames: Any, code: str) -> None:
    with pytest.raises(TypeError, match=r"array\('i'\)"):
        send_frames(array(code, [1]), 0, 1, b"frame")


def test_the_array_may_grow_again_after_each_call(send_frames: Any) -> None:
    fds = array("i", [-1])
    send_frames(fds, 0, 1, b"frame")
    with pytest.raises(ValueError, match="no slice"):
        send_frames(fds, 0, 2, b"frame")
    fds.extend([-1] * 1000)
    assert len(fds) == 1001


def test_other_threads_run_while_c_sends(pairs: Any) -> None:
    send_frames = built().send_frames
    ours, _ = pairs()
    fds = array("i", [ours.fileno()] * 4000)
    ran = threading.Event()
    sending_now = threading.Event()

    def other() -> None:
        sending_now.wait(10)
        ran.set()

    thread = threading.Thread(target=other)
    thread.start()
    interval = sys.getswitchinterval()
    # Nobody is made to give the GIL up: the other thread runs only where the loop has let it go.
    sys.setswitchinterval(60)
    try:
        sending_now.set()
        for _ in range(1000):
            send_frames(fds, 0, len(fds), b"")
            if ran.is_set():
                break
        released = ran.is_set()
    finally:
        sys.setswitchinterval(interval)
        thread.join(10)
    assert released


def test_auto_is_c_where_it_was_built() -> None:
    assert choose("auto") == built()
    assert built().name == "c"
    assert built().tracker is not Tracker


def test_auto_is_python_where_c_was_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speedups, "_speedups", None)
    assert choose("auto") == speedups.Speedups("python", sending.send_frames, Tracker)
    with pytest.raises(SettingInvalid, match="was not built"):
        choose("c")


def test_python_is_chosen_where_c_was_built_too() -> None:
    assert choose("python").name == "python"
    assert choose("python").tracker is Tracker


def test_another_word_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="auto, c or python, not 'rust'"):
        choose("rust")


# Few keys, so that ties, equal keys and moves to where one was all happen; now and then one of another board.
few_keys = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda pair: struct.pack(">QQ", *pair))
keys = few_keys | few_keys | few_keys | st.sampled_from([b"", bytes(8), b"\xff" * 16])
handles = st.integers(0, 12) | st.sampled_from([-1, 40, 2**24, 2**70])
few_places = st.integers(0, 30) | st.sampled_from([-1, 0, PLACES - 1, PLACES, 2**70])


class Twins(RuleBasedStateMachine):
    """Whatever is asked of both, right or wrong, both answer the same."""

    def __init__(self) -> None:
        super().__init__()
        self.twins = (Tracker(16), choose("c").tracker(16))

    def both(self, call: Callable[[Tracker], object]) -> None:
        ours, theirs = (self.outcome(call, twin) for twin in self.twins)
        assert ours == theirs

    @staticmethod
    def outcome(call: Callable[[Tracker], object], twin: Tracker) -> object:
        try:
            return call(twin)
        except (ValueError, KeyError) as error:
            return type(error), str(error)

    def tracks(self, handle: int) -> bool:
        try:
            self.twins[0].place(handle)
        except KeyError:
            return False
        return True

    @initialize(rows=st.lists(st.tuples(st.integers(0, 12), few_keys), max_size=13))
    def begin(self, rows: list[tuple[int, bytes]]) -> None:
        for handle, key in rows:
            self.both(lambda twin, handle=handle, key=key: twin.add(handle, key, 5, 5))

    @rule(handle=handles, key=keys, position=few_places, rank=few_places)
    def add(self, handle: int, key: bytes, position: int, rank: int) -> None:
        self.both(lambda twin: twin.add(handle, key, position, rank))

    @rule(handle=handles)
    def remove(self, handle: int) -> None:
        self.both(lambda twin: twin.remove(handle))

    @rule(handle=handles)
    def tell(self, handle: int) -> None:
        self.both(lambda twin: twin.tell(handle))

    @rule(
        moves=st.lists(st.tuples(few_keys | st.just(b""), few_keys | st.just(b"")), max_size=12),
        own=st.lists(
            st.tuples(st.integers(0, 12), few_keys | st.just(b""), st.integers(0, 30), st.integers(1, 30)),
            max_size=6,
            unique_by=lambda row: row[0],
        ),
    )
    def apply(self, moves: list[tuple[bytes, bytes]], own: list[tuple[int, bytes, int, int]]) -> None:
        tracked = [row for row in own if self.tracks(row[0])]
        self.both(lambda twin: twin.apply(moves, tracked))
        self.changed()

    @rule(
        moves=st.lists(st.tuples(keys, keys), max_size=3),
        own=st.lists(st.tuples(handles, keys, few_places, few_places), max_size=3),
    )
    def apply_anything(self, moves: list[tuple[bytes, bytes]], own: list[tuple[int, bytes, int, int]]) -> None:
        self.both(lambda twin: twin.apply(moves, own))

    @rule()
    def changed(self) -> None:
        self.both(lambda twin: twin.changed())

    @rule()
    def news(self) -> None:
        self.both(lambda twin: twin.news())
        self.changed()

    @invariant()
    def agree(self) -> None:
        self.both(len)
        for handle in range(13):
            self.both(lambda twin, handle=handle: twin.place(handle))


def test_both_twins_answer_the_same_to_whatever_they_are_asked() -> None:
    built()
    run_state_machine_as_test(Twins, settings=settings(max_examples=80, stateful_step_count=40, deadline=None))


@pytest.mark.parametrize(
    "call",
    [
        lambda tracker: tracker.add("1", bytes(16), 0, 1),
        lambda tracker: tracker.add(1.0, bytes(16), 0, 1),
        lambda tracker: tracker.add(1, "a" * 16, 0, 1),
        lambda tracker: tracker.add(1, bytes(16), None, 1),
        lambda tracker: tracker.add(1, bytes(16)),
        lambda tracker: tracker.remove("1"),
        lambda tracker: tracker.place(None),
        lambda tracker: tracker.apply(None, []),
        lambda tracker: tracker.apply([], None),
        lambda tracker: tracker.apply([bytes(16)], []),
        lambda tracker: tracker.apply([(bytes(16),)], []),
        lambda tracker: tracker.apply([(None, bytes(16))], []),
        lambda tracker: tracker.apply([], [(0, bytes(16), 0)]),
        lambda tracker: tracker.apply([], [(0, bytes(16), "0", 1)]),
        lambda tracker: tracker.apply([], [0]),
        lambda tracker: type(tracker)(None),
        lambda tracker: type(tracker)(),
    ],
)
def test_what_is_of_the_wrong_type_is_an_error_and_no_crash(call: Callable[[Any], object]) -> None:
    tracker = built().tracker(16)
    tracker.add(0, bytes(16), 0, 1)
    with pytest.raises(TypeError):
        call(tracker)
    assert tracker.place(0) == (bytes(16), 0, 1)


def test_a_tracker_in_c_keeps_no_reference_and_no_memory() -> None:
    make = built().tracker
    key, other = b"k" * 16, b"m" * 16
    handle, moves = 5_000, [(key, other), (b"", key)]
    own = [(handle, other, 7, 8)]

    def live() -> None:
        tracker = make(16)
        tracker.add(handle, key, 3, 4)
        for others in range(500):
            tracker.add(others, b"%16d" % others, others, 1 + others)
        tracker.apply(moves, own)
        tracker.changed()
        tracker.news()
        tracker.tell(handle)
        tracker.place(handle)
        tracker.apply([], [(handle, b"", -1, 0)])
        for others in range(300, 500):
            tracker.remove(others)
        for wrong in ([(1, key, -1, 1)], [(handle, key, 1, 1)], [(1, key, 1, 1)] * 2):
            with pytest.raises((ValueError, KeyError)):
                tracker.apply(moves, wrong)

    def held() -> list[int]:
        gc.collect()
        return [sys.getrefcount(one) for one in (key, other, handle, moves, own, make)]

    live()
    before = held()
    tracemalloc.start()
    try:
        live()
        start = tracemalloc.get_traced_memory()[0]
        for _ in range(40):
            live()
        grown = tracemalloc.get_traced_memory()[0] - start
    finally:
        tracemalloc.stop()
    assert held() == before
    assert grown < 20_000


def test_coming_and_going_between_two_versions_takes_no_more_memory() -> None:
    tracker = built().tracker(16)
    tracker.add(0, bytes(16), 0, 1)
    tracemalloc.start()
    try:
        for turn in range(20_000):
            tracker.add(1, b"%16d" % turn, 0, 1)
            tracker.remove(1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 50_000
    assert tracker.place(0) == (bytes(16), 0, 1)


class Leaving:
    """A piece of garbage that takes a player off the tracker when it is collected."""

    def __init__(self, tracker: Tracker, handle: int, tracked: list[int]) -> None:
        self.itself = self
        self.tracker = tracker
        self.handle = handle
        self.tracked = tracked

    def __del__(self) -> None:
        self.tracker.remove(self.handle)
        self.tracked.remove(self.handle)


def test_a_finalizer_may_call_the_tracker_while_it_makes_a_list() -> None:
    tracker = built().tracker(16)
    tracked = list(range(2000))
    for handle in tracked:
        tracker.add(handle, b"%16d" % handle, handle, handle + 1)
    tracker.apply([(b"", bytes(16))], [])
    threshold = gc.get_threshold()
    gc.collect()
    for handle in range(0, 2000, 5):
        before = tracked.copy()
        Leaving(tracker, handle, tracked)
        gc.set_threshold(1)
        changed = tracker.changed()
        gc.set_threshold(*threshold)
        # Newer Pythons collect only between two instructions, after the call.
        assert changed in (before, tracked)
    gc.collect()
    assert tracker.changed() == tracked == [handle for handle in range(2000) if handle % 5]
