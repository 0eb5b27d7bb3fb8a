from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jose import jwt

from infra.local import issuer as module
from infra.local.issuer import LocalIssuer
from infra.settings import Settings
from realtime.core.errors import IdInvalid, SettingInvalid
from realtime.core.identity import Role

NOW = 1_800_000_000
# Each process says that it is ready and waits for its start, so that all reach the folder together.
RACER = """
import sys
from pathlib import Path
from jose import jwt
from infra.local.issuer import LocalIssuer
print("ready", flush=True)
sys.stdin.readline()
issuer = LocalIssuer(Path(sys.argv[1]))
if sys.argv[2] == "rotate":
    issuer.rotate()
print(jwt.get_unverified_header(issuer.token("admin"))["kid"])
"""


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> LocalIssuer:
    return LocalIssuer(tmp_path_factory.mktemp("issuer"), clock=lambda: NOW + 0.5)


def published(folder: Path) -> list[dict[str, str]]:
    keys: list[dict[str, str]] = orjson.loads((folder / "jwks.json").read_bytes())["keys"]
    return keys


def kid_of(token: str) -> str:
    kid: str = jwt.get_unverified_header(token)["kid"]
    return kid


def claims_of(token: str, folder: Path) -> dict[str, Any]:
    return jwt.decode(token, {"keys": published(folder)}, "RS256", options={"verify_exp": False, "verify_iat": False})


def race(folder: Path, what: str, processes: int) -> list[str]:
    """Run the racer in several processes at once; return the kids they sign with."""
    command = [sys.executable, "-c", RACER, str(folder), what]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    kids = [process.communicate(timeout=60)[0].strip() for process in running]
    assert [process.returncode for process in running] == [0] * processes
    return kids


def test_the_key_is_for_its_owner_only_and_the_public_file_holds_no_private_part(tmp_path: Path) -> None:
    LocalIssuer(tmp_path / "made" / "here")
    folder = tmp_path / "made" / "here"
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    assert [set(key) for key in published(folder)] == [{"kty", "n", "e", "alg", "use", "kid"}]
    assert {path.name for path in folder.iterdir()} == {"key.pem", "jwks.json", "lock"}


def test_a_second_start_signs_with_the_same_key(tmp_path: Path) -> None:
    first, second = LocalIssuer(tmp_path), LocalIssuer(tmp_path)
    assert kid_of(first.token("admin")) == kid_of(second.token("admin"))
    assert len(published(tmp_path)) == 1


@pytest.mark.parametrize(
    ("role", "player", "expected"),
    [
        (Role.PLAYER, "E10", {"sub": "E10", "scope": "rankcast/play"}),
        (Role.SERVER, None, {"sub": "rankcast", "scope": "rankcast/scores"}),
        (Role.SERVER, "E10", {"sub": "E10", "scope": "rankcast/scores"}),
        (
            Role.ADMIN,
            None,
            {"sub": "local-admin", "scope": "aws.cognito.signin.user.admin", "cognito:groups": ["rankcast-admins"]},
        ),
    ],
)
def test_a_token_has_the_shape_of_cognitos_access_tokens(
    tmp_path: Path, role: Role, player: str | None, expected: dict[str, Any]
) -> None:
    issuer = LocalIssuer(tmp_path, clock=lambda: NOW + 0.5)
    token = issuer.token(role, player, lifetime=60)
    claims = claims_of(token, tmp_path)
    assert claims.pop("jti")
    assert claims == {
        "iss": issuer.issuer,
        "client_id": "rankcast",
        "token_use": "access",
        "iat": NOW,
        "exp": NOW + 60,
        **expected,
    }
    assert jwt.get_unverified_header(token) == {"alg": "RS256", "typ": "JWT", "kid": published(tmp_path)[0]["kid"]}


def test_no_two_tokens_are_alike(issuer: LocalIssuer) -> None:
    assert issuer.token("player", "E10") != issuer.token("player", "E10")


@pytest.mark.parametrize("player", [None, "", "a b", "a" * 65, "a\n"])
def test_a_players_token_needs_a_player_id(issuer: LocalIssuer, player: str | None) -> None:
    with pytest.raises(IdInvalid, match="player id"):
        issuer.token("player", player)


def test_an_unknown_role_is_refused(issuer: LocalIssuer) -> None:
    with pytest.raises(ValueError, match="root"):
        issuer.token("root")


def test_what_it_writes_is_what_the_settings_ask_for_by_default() -> None:
    settings = Settings(database_url="", redis_url="", issuer="", jwks_url="")
    assert module.CLIENT_ID in settings.client_ids
    assert settings.player_scope == module.PLAYER_SCOPE
    assert settings.server_scope == module.SERVER_SCOPE
    assert settings.admin_group == module.ADMIN_GROUP


def test_a_rotation_signs_with_a_new_key_and_tokens_of_the_old_one_still_verify(tmp_path: Path) -> None:
    issuer = LocalIssuer(tmp_path)
    old = issuer.token("admin")
    issuer.rotate()
    new = issuer.token("admin")
    assert kid_of(old) != kid_of(new)
    assert [key["kid"] for key in published(tmp_path)] == [kid_of(new), kid_of(old)]
    assert claims_of(old, tmp_path)["sub"] == claims_of(new, tmp_path)["sub"] == "local-admin"
    assert kid_of(LocalIssuer(tmp_path).token("admin")) == kid_of(new)


def test_the_number_of_old_keys_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT", 2)
    issuer = LocalIssuer(tmp_path)
    first = kid_of(issuer.token("admin"))
    issuer.rotate()
    second = kid_of(issuer.token("admin"))
    issuer.rotate()
    assert [key["kid"] for key in published(tmp_path)] == [kid_of(issuer.token("admin")), second]
    assert first != second


def test_processes_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    kids = race(tmp_path / "new", "start", processes=3)
    assert len(set(kids)) == 1
    assert [key["kid"] for key in published(tmp_path / "new")] == kids[:1]


def test_processes_that_rotate_at_once_lose_no_public_key(tmp_path: Path) -> None:
    before = kid_of(LocalIssuer(tmp_path).token("admin"))
    kids = race(tmp_path, "rotate", processes=3)
    assert len(set(kids)) == 3
    assert {key["kid"] for key in published(tmp_path)} == {before, *kids}


def test_a_removed_public_file_is_written_again(tmp_path: Path) -> None:
    kid = kid_of(LocalIssuer(tmp_path).token("admin"))
    (tmp_path / "jwks.json").unlink()
    LocalIssuer(tmp_path)
    assert [key["kid"] for key in published(tmp_path)] == [kid]


def test_a_crash_before_the_private_key_is_in_place_leaves_a_folder_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def crash(path: Path, target: Path) -> Path:
        if target.name == "key.pem":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", crash)
        with pytest.raises(SettingInvalid, match="No space left on device"):
            LocalIssuer(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"jwks.json", "lock"}
    token = LocalIssuer(tmp_path).token("admin")
    assert claims_of(token, tmp_path)["sub"] == "local-admin"


def test_a_key_that_is_none_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("not a key")
    with pytest.raises(SettingInvalid, match=r"key\.pem is not a private key$"):
        LocalIssuer(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(SettingInvalid, match="not an RSA key"):
        LocalIssuer(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": 1}'])
def test_a_broken_public_file_is_named_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "jwks.json").write_text(content)
    with pytest.raises(SettingInvalid, match=r"jwks\.json is not a key set; delete it"):
        LocalIssuer(tmp_path)


def test_a_folder_that_is_a_file_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingInvalid, match="cannot be used"):
        LocalIssuer(tmp_path / "file")


def test_a_folder_that_another_process_holds_is_waited_for_with_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOCK_WAIT", 0.05)
    with (tmp_path / "lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(SettingInvalid, match="another process holds"):
            LocalIssuer(tmp_path)
