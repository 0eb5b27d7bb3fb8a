"""The AWS account that is deployed to: clients with bounds, and errors that a person can act on."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, ProfileNotFound

from infra.deploy.errors import AccountRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

_BOUNDS: Final = Config(connect_timeout=10, read_timeout=60, retries={"mode": "adaptive", "max_attempts": 8})


class Account:
    """Whoever the environment or a profile says we are, in one region. Raises AccountRefused where that names no region.

    Credentials are found as by every AWS tool: environment, profile, single sign-on, instance role.
    """

    def __init__(self, region: str | None = None, profile: str | None = None) -> None:
        with asking("configuration"):
            self._session = boto3.Session(region_name=region, profile_name=profile)
        if self._session.region_name is None:
            raise AccountRefused("no region: give one with --region, or set AWS_REGION")
        self.region: str = self._session.region_name
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str | None = None) -> Any:
        """A boto3 client, one for each service and region. Raises AccountRefused."""
        key = (service, region or self.region)
        if key not in self._clients:
            with asking(service):
                self._clients[key] = self._session.client(service, region_name=key[1], config=_BOUNDS)
        return self._clients[key]

    def number(self) -> str:
        """The twelve digits. Raises AccountRefused where there are no credentials or they are not taken."""
        with asking("who we are"):
            return str(self.client("sts").get_caller_identity()["Account"])


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn what boto3 raises into AccountRefused, which says what was asked for."""
    try:
        yield
    except (NoCredentialsError, ProfileNotFound, NoRegionError) as error:
        raise AccountRefused(
            f"{what}: {error}; say who you are as for any AWS tool, for example by `aws configure`"
        ) from error
    except ClientError as error:
        said = error.response.get("Error", {})
        raise AccountRefused(f"{what}: {said.get('Code', 'refused')}: {said.get('Message', error)}") from error
    except BotoCoreError as error:
        raise AccountRefused(f"{what}: {error}") from error


def refusal(error: AccountRefused) -> tuple[str, str]:
    """Code and message of the refusal behind it; both empty where AWS could not be asked at all."""
    cause = error.__cause__
    if not isinstance(cause, ClientError):
        return "", ""
    said = cause.response.get("Error", {})
    return said.get("Code", ""), said.get("Message", "")
