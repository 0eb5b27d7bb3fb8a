from __future__ import annotations

from dataclasses import fields

import pytest

from infra.settings import PREFIX, Settings
from realtime.core.errors import SettingInvalid

NEEDED = {
    "RANKCAST_DATABASE_URL": "postgresql://db",
    "RANKCAST_REDIS_URL": "redis://r",
    "RANKCAST_ISSUER": "https://issuer",
    "RANKCAST_JWKS_URL": "file:///keys",
}


def test_what_is_needed_is_enough() -> None:
    settings = Settings.load(NEEDED)
    assert (settings.database_url, settings.redis_url) == ("postgresql://db", "redis://r")
    assert (settings.port, settings.check_every, settings.client_ids) == (8080, 4.0, ("rankcast",))


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_needed_and_missing_is_named(name: str) -> None:
    with pytest.raises(SettingInvalid, match=name):
        Settings.load({key: value for key, value in NEEDED.items() if key != name})


def test_each_setting_is_read_in_its_own_kind() -> None:
    settings = Settings.load(
        NEEDED
        | {"RANKCAST_PORT": "9000", "RANKCAST_LEASE": "2.5", "RANKCAST_CLIENT_IDS": " a, b ,,c", "RANKCAST_HOST": "::1"}
    )
    assert (settings.port, settings.lease, settings.host) == (9000, 2.5, "::1")
    assert settings.client_ids == ("a", "b", "c")


@pytest.mark.parametrize(
    ("name", "text"), [("RANKCAST_PORT", "http"), ("RANKCAST_PORT", "1.5"), ("RANKCAST_LEASE", "soon")]
)
def test_a_setting_of_the_wrong_kind_is_named_with_what_it_is(name: str, text: str) -> None:
    with pytest.raises(SettingInvalid, match=f"{name} must be a number, not '{text}'"):
        Settings.load(NEEDED | {name: text})


def test_a_child_that_is_given_the_environment_has_the_same_settings() -> None:
    settings = Settings.load(NEEDED | {"RANKCAST_CLIENT_IDS": "a,b", "RANKCAST_LEASE": "2.5", "RANKCAST_PORT": "9000"})
    assert Settings.load(settings.environ()) == settings
    assert set(settings.environ()) == {PREFIX + field.name.upper() for field in fields(Settings)}


def test_the_process_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("RANKCAST_PORT", "9001")
    assert Settings.load().port == 9001
