"""One frame to many sockets, in Python: the twin of `send_frames` in `_speedups.c`, under the same tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from array import array


def send_frames(fds: array[int], start: int, stop: int, frame: bytes, /) -> list[tuple[int, int]]:
    """Write `frame` to each of `fds[start:stop]` that is not negative; `fds` is an `array("i")` of non-blocking sockets.

    Returns index and outcome where not all was taken, in order: the bytes that were (0 where the socket is full), or
    the negative errno. A socket's fault never raises. Raises ValueError unless 0 <= start <= stop <= len(fds).
    """
    if fds.typecode != "i":
        raise TypeError("descriptors come as an array('i')")
    if not 0 <= start <= stop <= len(fds):
        raise ValueError(f"{start}:{stop} is no slice of {len(fds)} descriptors")
    short = []
    for index in range(start, stop):
        fd = fds[index]
        if fd >= 0 and (sent := _send(fd, frame)) != len(frame):
            short.append((index, sent))
    return short


def _send(fd: int, frame: bytes) -> int:
    # os.write and not socket.send: a socket object for each descriptor would cost more than the call. Python ignores
    # SIGPIPE and takes up again after a signal.
    try:
        return os.write(fd, frame)
    except BlockingIOError:
        return 0
    except OSError as error:
        return -(error.errno or 0)
