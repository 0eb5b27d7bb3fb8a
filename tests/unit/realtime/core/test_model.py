from __future__ import annotations

import pytest

from realtime.core.errors import IdInvalid
from realtime.core.model import check_id


@pytest.mark.parametrize("value", ["a", "E10", "x" * 64, "a.b-c_D9", "-", "."])
def test_an_id_is_returned_as_it_is(value: str) -> None:
    assert check_id(value, "player") == value


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a\n", "ä", "a/b", "{a}", None, 5, b"a", ["a"]])
def test_anything_else_is_refused_naming_what_it_was_for(value: object) -> None:
    with pytest.raises(IdInvalid, match="player"):
        check_id(value, "player")
