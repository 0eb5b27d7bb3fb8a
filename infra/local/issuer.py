"""The issuer of one machine: an RSA key, its JWKS file, and access tokens in the shape that Cognito gives them.

Layout of the folder: `key.pem` is the private key that signs, `jwks.json` the public keys that verify, newest first,
`lock` is held while either is written. A public key is always published before its private key signs.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwk, jws

from realtime.core.errors import IdInvalid, SettingInvalid
from realtime.core.identity import COGNITO_USER_SCOPE, Role, is_player_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ISSUER = "https://rankcast.local/issuer"
CLIENT_ID = "rankcast"
PLAYER_SCOPE = "rankcast/play"
SERVER_SCOPE = "rankcast/scores"
ADMIN_GROUP = "rankcast-admins"

_ALGORITHM = "RS256"
_KEPT = 8
_LOCK_WAIT = 10.0


class LocalIssuer:
    """Signs tokens with the key in `folder`, which is made on first use; several processes may share the folder.

    `clock` gives Unix seconds. Raises SettingInvalid when the folder cannot be used or holds a broken key.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        with self._locked():
            path = folder / "key.pem"
            self._adopt(path.read_bytes() if path.exists() else self._make())
            # Writes nothing unless a crash or a hand removed the file.
            self._publish(self._public)

    @property
    def issuer(self) -> str:
        """The `iss` of every token."""
        return ISSUER

    @property
    def jwks_url(self) -> str:
        """The file URL of the public keys."""
        return (self._folder / "jwks.json").resolve().as_uri()

    def token(self, role: Role | str, player: str | None = None, lifetime: int = 3600) -> str:
        """Sign an access token that is valid for `lifetime` seconds from now; zero or less makes an expired one.

        A player's token needs `player`, its id; the others carry it as their subject when it is given.
        Raises IdInvalid when it is missing or no id, ValueError for an unknown role.
        """
        role = Role(role)
        if player is None and role is Role.PLAYER:
            raise IdInvalid("a player's token needs a player id")
        if player is not None and not is_player_id(player):
            raise IdInvalid(f"{player!r} is not a player id: it must match [A-Za-z0-9_.-]{{1,64}}")
        now = int(self._clock())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "client_id": CLIENT_ID,
            "token_use": "access",
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + lifetime,
            **_CLAIMS[role],
        }
        if player is not None:
            claims["sub"] = player
        return jws.sign(claims, self._key, headers={"kid": self._public["kid"]}, algorithm=_ALGORITHM)

    def rotate(self) -> None:
        """Sign with a new key from now on. The latest old public keys stay published, so that their tokens stay valid.

        Raises SettingInvalid when the folder cannot be written.
        """
        with self._locked():
            self._adopt(self._make())

    def _make(self) -> bytes:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._publish(_public_jwk(private))
        _replace(self._folder / "key.pem", pem, mode=0o600)
        return pem

    def _adopt(self, pem: bytes) -> None:
        try:
            private = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise SettingInvalid(f"{self._folder / 'key.pem'} is not a private key") from error
        if not isinstance(private, rsa.RSAPrivateKey):
            raise SettingInvalid(f"{self._folder / 'key.pem'} is not an RSA key")
        self._key = jwk.construct(pem, _ALGORITHM)
        self._public = _public_jwk(private)

    def _publish(self, public: dict[str, str]) -> None:
        keys = self._published()
        if public not in keys:
            content = orjson.dumps({"keys": [public, *keys][:_KEPT]}, option=orjson.OPT_INDENT_2)
            _replace(self._folder / "jwks.json", content, mode=0o644)

    def _published(self) -> list[dict[str, str]]:
        path = self._folder / "jwks.json"
        if not path.exists():
            return []
        try:
            return [key for key in orjson.loads(path.read_bytes())["keys"] if isinstance(key, dict)]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingInvalid(f"{path} is not a key set; delete it to have it written again") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (self._folder / "lock").open("wb") as file:
                self._acquire(file.fileno())
                yield
        except OSError as error:
            raise SettingInvalid(f"the issuer's folder {self._folder} cannot be used: {error.strerror}") from error

    def _acquire(self, descriptor: int) -> None:
        deadline = time.monotonic() + _LOCK_WAIT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SettingInvalid(f"another process holds {self._folder / 'lock'}") from None
                time.sleep(0.02)
            else:
                return


def issuer_of(data_dir: Path) -> LocalIssuer:
    """The issuer of a service's data folder. Raises SettingInvalid when its folder cannot be used."""
    return LocalIssuer(data_dir / "issuer")


# The subject of a machine's token is its client, as in Cognito's client credentials.
_CLAIMS: dict[Role, dict[str, Any]] = {
    Role.PLAYER: {"scope": PLAYER_SCOPE},
    Role.SERVER: {"scope": SERVER_SCOPE, "sub": CLIENT_ID},
    Role.ADMIN: {"scope": COGNITO_USER_SCOPE, "cognito:groups": [ADMIN_GROUP], "sub": "local-admin"},
}


def _public_jwk(private: rsa.RSAPrivateKey) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    required = {"e": _base64(numbers.e), "kty": "RSA", "n": _base64(numbers.n)}
    # RFC 7638: the thumbprint is over the required members, sorted, without white space.
    kid = hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest()
    return {**required, "alg": _ALGORITHM, "use": "sig", "kid": base64.urlsafe_b64encode(kid).rstrip(b"=").decode()}


def _base64(number: int) -> str:
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
