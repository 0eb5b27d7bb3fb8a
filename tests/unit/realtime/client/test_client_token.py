from __future__ import annotations

import asyncio

import pytest

from realtime.client import token as tokens
from realtime.client.errors import TokenFailed


async def later() -> str:
    await asyncio.sleep(0)
    return "later"


@pytest.mark.parametrize(
    ("token", "given"),
    [(None, None), ("text", "text"), (lambda: "made", "made"), (lambda: None, None), (later, "later")],
)
async def test_a_token_is_text_or_what_a_function_gives(token: tokens.Token, given: str | None) -> None:
    assert await tokens.asked(token) == given


@pytest.mark.parametrize("error", [OSError(), TimeoutError(), ConnectionResetError()])
async def test_what_passes_is_handed_on(error: Exception) -> None:
    def token() -> str:
        raise error

    with pytest.raises(type(error)):
        await tokens.asked(token)


async def test_what_does_not_pass_is_named() -> None:
    def token() -> str:
        raise LookupError("nobody is signed in")

    with pytest.raises(TokenFailed, match="nobody is signed in"):
        await tokens.asked(token)


async def test_what_is_no_text_is_no_token() -> None:
    with pytest.raises(TokenFailed, match="not bytes"):
        await tokens.asked(lambda: b"secret")  # type: ignore[arg-type,return-value]


async def test_a_function_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PATIENCE", 0.01)
    with pytest.raises(TimeoutError):
        await tokens.asked(asyncio.Event().wait)  # type: ignore[arg-type]
