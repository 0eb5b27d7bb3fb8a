"""Cognito as the template of the identity layer makes it, on the emulator: tokens of players, game servers and admins."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.aws_stack import adapted_templates

if TYPE_CHECKING:
    from tests.emulators import Emulator

PASSWORD = "Correct-horse-7-battery"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cognito:
    """A user pool with the clients, scopes and the group that infra/aws/identity.yaml gives it."""

    emulator: Emulator
    pool: str
    player_client: str
    server_client: str
    callback: str

    @classmethod
    def make(cls, emulator: Emulator, domain: str = "scores.example") -> Cognito:
        stacks, name = emulator.client("cloudformation"), f"identity-{next(_numbers)}-{secrets.token_hex(3)}"
        given = {"Name": name, "Domain": domain, "Protected": "false"}
        stacks.create_stack(
            StackName=name,
            TemplateBody=json.dumps(adapted_templates()["identity.yaml"]),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
        )
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        made = cls(emulator, outputs["Pool"], outputs["PlayerClient"], outputs["ServerClient"], f"https://{domain}/")
        assert made.issuer == outputs["Issuer"]
        return made

    @property
    def issuer(self) -> str:
        return f"https://cognito-idp.us-east-1.amazonaws.com/{self.pool}"

    @property
    def jwks_url(self) -> str:
        """On AWS it lies under the issuer; the emulator has it under its own address, so the two are separate settings."""
        return f"{self.emulator.url}/{self.pool}/.well-known/jwks.json"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "jwks_url": self.jwks_url,
            "client_ids": (self.player_client, self.server_client),
        }

    def server_token(self) -> str:
        """By client credentials, as a game server takes it."""
        client = self.emulator.client("cognito-idp").describe_user_pool_client(
            UserPoolId=self.pool, ClientId=self.server_client
        )["UserPoolClient"]
        answer = self._token(
            {"grant_type": "client_credentials", "scope": "rankcast/scores"},
            auth=(client["ClientId"], client["ClientSecret"]),
        )
        return str(answer["access_token"])

    def player(self, *, admin: bool = False) -> dict[str, str]:
        """Sign a new player up and in, on the sign-in page, by code and PKCE; the three tokens and `sub`."""
        idp, email = self.emulator.client("cognito-idp"), f"{secrets.token_hex(6)}@example.com"
        user = idp.admin_create_user(
            UserPoolId=self.pool,
            Username=email,
            UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
            MessageAction="SUPPRESS",
        )["User"]
        idp.admin_set_user_password(UserPoolId=self.pool, Username=email, Password=PASSWORD, Permanent=True)
        if admin:
            idp.admin_add_user_to_group(UserPoolId=self.pool, Username=user["Username"], GroupName="rankcast-admins")
        tokens = self._signed_in(email)
        claims = json.loads(base64.urlsafe_b64decode(tokens["access_token"].split(".")[1] + "=="))
        return tokens | {"sub": claims["sub"]}

    def _signed_in(self, email: str) -> dict[str, str]:
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        form = {
            "client_id": self.player_client,
            "redirect_uri": self.callback,
            "scope": "openid rankcast/play",
            "response_type": "code",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "state": "s",
        }
        page = httpx.post(
            f"{self.emulator.url}/login", data=form | {"username": email, "password": PASSWORD}, trust_env=False
        )
        assert page.status_code == 302, page.text
        (code,) = parse_qs(urlsplit(page.headers["location"]).query)["code"]
        exchange = {"grant_type": "authorization_code", "code": code, "client_id": self.player_client}
        # The code alone is worth nothing to whoever catches it.
        assert "access_token" not in self._token(
            exchange | {"redirect_uri": self.callback, "code_verifier": "guessed" * 8}
        )
        return self._token(exchange | {"redirect_uri": self.callback, "code_verifier": verifier})

    def _token(self, form: dict[str, str], auth: tuple[str, str] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.post(
            f"{self.emulator.url}/oauth2/token", data=form, auth=auth, trust_env=False
        ).json()
        return answer
