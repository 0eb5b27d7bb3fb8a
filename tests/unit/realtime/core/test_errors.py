from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.core import errors

if TYPE_CHECKING:
    from collections.abc import Iterator


def tree(root: type[errors.RankcastError]) -> Iterator[type[errors.RankcastError]]:
    yield root
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [error.code for error in tree(errors.RankcastError)]
    assert len(set(codes)) == len(codes)


def test_a_refusal_says_why() -> None:
    refusal = errors.RankingRefused("epoch")
    assert refusal.reason == "epoch"
    assert "epoch" in str(refusal)
    assert isinstance(refusal, errors.RankingUnavailable)
