from array import array

# To a type checker the twins are one class: whoever holds a tracker need not know which.
from realtime.core.tracker import Tracker as Tracker

def send_frames(fds: array[int], start: int, stop: int, frame: bytes, /) -> list[tuple[int, int]]: ...
