from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from infra.deploy.account import Account, asking, refusal
from infra.deploy.errors import AccountRefused
from tests.emulators import REGION, Emulator


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def test_without_a_region_it_is_said_how_to_give_one() -> None:
    with pytest.raises(AccountRefused, match="--region"):
        Account()


def test_without_credentials_it_is_said_how_to_come_by_them() -> None:
    with pytest.raises(AccountRefused, match="aws configure"):
        Account(REGION).number()


def test_a_profile_that_there_is_not_is_named() -> None:
    with pytest.raises(AccountRefused, match="elsewhere"):
        Account(REGION, "elsewhere")


def test_an_account_is_known_by_its_number(ministack: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", ministack.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    account = Account(REGION)
    assert len(account.number()) == 12
    assert account.client("s3") is account.client("s3")
    assert account.client("s3", "eu-west-1") is not account.client("s3")


def test_a_refusal_says_what_was_asked_and_why_and_can_be_told_from_others() -> None:
    answer = {"Error": {"Code": "AccessDenied", "Message": "not you"}}
    with pytest.raises(AccountRefused, match="stack s: AccessDenied: not you") as refused, asking("stack s"):
        raise ClientError(answer, "DescribeStacks")
    assert refusal(refused.value) == ("AccessDenied", "not you")
    with pytest.raises(AccountRefused, match="stack s: Could not connect") as away, asking("stack s"):
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
    assert refusal(away.value) == ("", "")
