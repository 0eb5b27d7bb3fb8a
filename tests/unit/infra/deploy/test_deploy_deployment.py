from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from infra.deploy.account import Account
from infra.deploy.deployment import Deployment, Wish
from infra.deploy.errors import AccountRefused
from tests.emulators import REGION

if TYPE_CHECKING:
    from infra.deploy.bundle import Bundle


class Told:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, text: str) -> None:
        self.lines.append(text)

    def approves(self, _: Any) -> NoReturn:
        raise AssertionError("nothing is to be asked")

    following = approves


@pytest.mark.parametrize("step", ["foresee", "run"])
def test_whoever_has_no_access_learns_of_it_before_anything_is_packaged(
    monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def packaged(_: Path) -> Bundle:
        raise AssertionError("it was packaged")

    told = Told()
    deployment = Deployment(Account(REGION), Wish(name="r", parameters={}, functions=packaged), told)
    with pytest.raises(AccountRefused, match="aws configure"):
        getattr(deployment, step)()
    assert told.lines == []
