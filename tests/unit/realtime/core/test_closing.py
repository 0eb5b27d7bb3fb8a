from __future__ import annotations

from realtime.core import closing


def test_codes_from_4000_say_come_back_and_codes_from_4100_do_not() -> None:
    assert {close.code: close.come_back for close in closing.ALL} == {
        1002: False,
        1007: False,
        4000: True,
        4001: True,
        4002: True,
        4003: True,
        4004: True,
        4100: False,
        4101: False,
        4102: False,
        4103: False,
    }


def test_the_table_has_every_close_and_no_code_twice() -> None:
    declared = [close for close in vars(closing).values() if isinstance(close, closing.Close)]
    assert sorted(close.code for close in declared) == sorted(close.code for close in closing.ALL)
    assert len({close.code for close in declared}) == len(declared)


def test_a_reason_fits_into_a_close_frame() -> None:
    assert all(len(close.reason.encode()) <= 123 for close in closing.ALL)
