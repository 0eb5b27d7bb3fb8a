from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.core.errors import Unauthenticated
from realtime.core.identity import COGNITO_USER_SCOPE, IdentityRules, Principal, Role, is_player_id, principal_of

NOW = 1_800_000_000
RULES = IdentityRules(
    issuer="https://issuer.test",
    client_ids=frozenset({"game", "site"}),
    player_scope="rankcast/play",
    server_scope="rankcast/scores",
    admin_group="rankcast-admins",
    leeway=30,
)
GONE = object()


def claims(**changed: Any) -> dict[str, Any]:
    whole = {
        "iss": "https://issuer.test",
        "sub": "E10",
        "client_id": "game",
        "token_use": "access",
        "scope": "rankcast/play",
        "iat": NOW - 10,
        "exp": NOW + 3600,
        **changed,
    }
    return {name: value for name, value in whole.items() if value is not GONE}


def test_a_players_token_makes_a_player_principal_with_its_player_id() -> None:
    assert principal_of(claims(), RULES, NOW) == Principal("E10", "game", Role.PLAYER, NOW + 3600)


@pytest.mark.parametrize(
    ("changed", "role"),
    [
        ({"scope": "rankcast/play"}, Role.PLAYER),
        ({"scope": COGNITO_USER_SCOPE}, Role.PLAYER),
        ({"scope": "openid rankcast/play email"}, Role.PLAYER),
        ({"scope": "rankcast/scores"}, Role.SERVER),
        ({"scope": "rankcast/play rankcast/scores"}, Role.SERVER),
        ({"cognito:groups": ["other", "rankcast-admins"]}, Role.ADMIN),
        ({"cognito:groups": ["rankcast-admins"], "scope": "rankcast/scores"}, Role.ADMIN),
        ({"cognito:groups": ["rankcast-admins"], "scope": GONE}, Role.ADMIN),
        ({"cognito:groups": ["rankcast-admins-not"]}, Role.PLAYER),
        ({"cognito:groups": []}, Role.PLAYER),
    ],
)
def test_the_role_is_the_highest_that_groups_and_scopes_give(changed: dict[str, Any], role: Role) -> None:
    assert principal_of(claims(**changed), RULES, NOW).role is role


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"iss": GONE}, id="no issuer"),
        pytest.param({"iss": "https://issuer.test/"}, id="another issuer"),
        pytest.param({"iss": ["https://issuer.test"]}, id="a list of issuers"),
        pytest.param({"token_use": "id"}, id="an id token"),
        pytest.param({"token_use": GONE}, id="no use"),
        pytest.param({"client_id": "other"}, id="a client that is not allowed"),
        pytest.param({"client_id": GONE, "aud": "game"}, id="aud instead of client_id"),
        pytest.param({"client_id": ["game"]}, id="a list of clients"),
        pytest.param({"exp": GONE}, id="no expiry"),
        pytest.param({"exp": str(NOW + 3600)}, id="expiry as text"),
        pytest.param({"exp": NOW + 3600.5}, id="expiry with a fraction"),
        pytest.param({"exp": True}, id="expiry as a bool"),
        pytest.param({"exp": None}, id="expiry null"),
        pytest.param({"iat": GONE}, id="no time of issue"),
        pytest.param({"iat": "now"}, id="time of issue as text"),
        pytest.param({"iat": True}, id="time of issue as a bool"),
        pytest.param({"nbf": None}, id="nbf null"),
        pytest.param({"nbf": False}, id="nbf as a bool"),
        pytest.param({"nbf": str(NOW)}, id="nbf as text"),
        pytest.param({"scope": GONE}, id="no scope"),
        pytest.param({"scope": ""}, id="an empty scope"),
        pytest.param({"scope": "rankcast/player"}, id="a longer scope"),
        pytest.param({"scope": "xrankcast/scores"}, id="a scope that ends alike"),
        pytest.param({"scope": ["rankcast/play"]}, id="scope as a list"),
        pytest.param({"cognito:groups": "rankcast-admins"}, id="groups as text"),
        pytest.param({"cognito:groups": ["rankcast-admins", 1]}, id="a group that is no text"),
        pytest.param({"cognito:groups": None}, id="groups null"),
        pytest.param({"sub": GONE}, id="no subject"),
        pytest.param({"sub": 10}, id="subject as a number"),
        pytest.param({"sub": ""}, id="an empty player id"),
        pytest.param({"sub": "a" * 65}, id="an over-long player id"),
        pytest.param({"sub": "E 10"}, id="a player id with a space"),
        pytest.param({"sub": "E10\n"}, id="a player id with a line end"),
        pytest.param({"sub": "Ё10"}, id="a player id beyond ASCII"),
        pytest.param({"sub": "", "scope": "rankcast/scores"}, id="a server without a subject"),
        pytest.param({"sub": "a\x00b", "scope": "rankcast/scores"}, id="a server with a control character"),
        pytest.param({"sub": "a" * 256, "scope": "rankcast/scores"}, id="a server with an over-long subject"),
    ],
)
def test_a_claim_that_breaks_the_rules_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        principal_of(claims(**changed), RULES, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW - 29},
        {"iat": NOW + 30},
        {"nbf": NOW + 30},
        {"exp": 2**63},
    ],
)
def test_times_within_the_leeway_are_taken(changed: dict[str, Any]) -> None:
    assert principal_of(claims(**changed), RULES, NOW).subject == "E10"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": NOW - 30}, "expired"),
        ({"iat": NOW + 31}, "future"),
        ({"nbf": NOW + 31}, "not valid yet"),
        ({"exp": -(2**63)}, "expired"),
    ],
)
def test_times_outside_the_leeway_are_refused_with_their_reason(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason):
        principal_of(claims(**changed), RULES, NOW)


def test_a_servers_subject_need_not_be_a_player_id() -> None:
    found = principal_of(claims(sub="client/7:eu", scope="rankcast/scores"), RULES, NOW)
    assert found.subject == "client/7:eu"


@given(st.text(max_size=70))
def test_a_player_id_is_1_to_64_of_the_allowed_characters(text: str) -> None:
    allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
    assert is_player_id(text) == (1 <= len(text) <= 64 and set(text) <= allowed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*claims(), "nbf", "cognito:groups"]), JSON | st.just(GONE), max_size=9))
def test_whatever_the_claims_are_the_answer_is_a_principal_or_a_refusal(changed: dict[str, Any]) -> None:
    try:
        found = principal_of(claims(**changed), RULES, NOW)
    except Unauthenticated:
        return
    assert found.client_id in RULES.client_ids
    assert found.expires_at + RULES.leeway > NOW
