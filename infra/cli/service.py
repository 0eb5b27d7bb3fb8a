"""Which service a command means: the one that runs in a data folder, or the one at an address."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click

from infra.cli.rest import Rest
from infra.local.issuer import issuer_of
from infra.local.record import read_record
from realtime.core.errors import RankcastError
from realtime.core.identity import Role

if TYPE_CHECKING:
    from collections.abc import Callable

R = TypeVar("R")

DATA_DIR = Path(".rankcast")
TOKEN_LIFETIME = 12 * 3600
"""Seconds that a command's own token is valid: longer than any import takes."""

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=DATA_DIR,
    show_default=True,
    envvar="RANKCAST_DATA_DIR",
    help="The data folder of a service on this machine.",
)


class NoService(RankcastError):
    """No service runs in the data folder."""

    code: ClassVar[str] = "no_service"


@dataclass(frozen=True, slots=True)
class Service:
    """A service, not yet connected to. An address given by hand goes before the data folder."""

    data_dir: Path
    given_url: str | None
    given_token: str | None

    @property
    def url(self) -> str:
        """Where it is reached. Raises NoService when the data folder has none that runs."""
        if self.given_url is not None:
            return self.given_url if "://" in self.given_url else f"http://{self.given_url}"
        record = read_record(self.data_dir)
        if record is None or record.supervisor.process() is None:
            raise NoService(f"no service runs in {self.data_dir}: start one with `rankcast up`, or name one with --url")
        if not record.ready:
            raise NoService(f"the service in {self.data_dir} is still starting: try again in a moment")
        return record.urls[0]

    def token(self, role: Role) -> str | None:
        """The token to come with: the one given, or one of the local issuer. None for another's service."""
        if self.given_token is not None or self.given_url is not None:
            return self.given_token
        return issuer_of(self.data_dir).token(role, lifetime=TOKEN_LIFETIME)

    def rest(self, role: Role = Role.SERVER) -> Rest:
        """Its REST interface, as somebody of this role."""
        return Rest(self.url, self.token(role))


def with_service(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options that say which service it means, and the Service as its argument `service`."""

    @click.option("--url", envvar="RANKCAST_URL", help="The address of a service, e.g. https://scores.example.")
    @click.option("--token", envvar="RANKCAST_TOKEN", help="The token to come with; a data folder has its own.")
    @data_dir_option
    @functools.wraps(command)
    def wrapped(data_dir: Path, url: str | None, token: str | None, **arguments: Any) -> R:
        return command(service=Service(data_dir, url, token), **arguments)

    return wrapped
