"""Every setting of a Rankcast process: the only reader of the environment.

Each field's name in upper case with the prefix ``RANKCAST_`` is its variable: ``database_url`` is ``RANKCAST_DATABASE_URL``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from realtime.core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "RANKCAST_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a process is told from outside. Times are seconds unless the name says otherwise."""

    database_url: str
    """The primary: every write goes there."""
    replica_url: str = ""
    """A read replica: reads that Redis cannot answer go there. Empty means the primary."""
    database_secret: str = ""
    """The ARN of a secret whose JSON has the `password` for both of these. Empty: it is in their URLs."""
    redis_url: str
    redis_secret: str = ""
    """Likewise for Redis."""
    group: str = ""
    """The group of machines that this node is one of, for its metrics. Empty: none."""
    host: str = "127.0.0.1"
    port: int = 8080

    issuer: str
    """The `iss` that a token must carry."""
    jwks_url: str
    """Where the issuer's keys are: http, https or file."""
    client_ids: tuple[str, ...] = ("rankcast",)
    """The app clients whose tokens are taken."""
    player_scope: str = "rankcast/play"
    server_scope: str = "rankcast/scores"
    admin_group: str = "rankcast-admins"
    token_leeway: int = 30
    """Clock skew allowed when a token's times are checked."""

    pool_size: int = 4
    """Connections to the primary of one node."""
    batch_size: int = 500
    """Submissions that one transaction takes at the most."""
    batches_in_flight: int = 2
    queue_limit: int = 20_000
    """Submissions that may wait for a transaction; past it the answer is 503."""
    statement_timeout: float = 5.0
    redis_timeout: float = 2.0
    replica_timeout: float = 0.2
    """Statement time-out of reads that fall back to the replica."""
    max_body: int = 2_000_000
    """Bytes of a request body."""

    speedups: str = "auto"
    """Sends and own ranks in `c`, in `python`, or `auto`: in C where the extension was built."""
    tick_ms: int = 50
    """At most one frame per topic in this time."""
    heartbeat: int = 25
    check_every: float = 4.0
    """How often watchers are sent a check, and what was lost is looked for."""
    subscribe_timeout: float = 4.0
    """How long a subscription waits for its first state; then the ranking counts as away."""
    read_interest: float = 30.0
    """How long a REST read keeps a board in the node's memory."""
    top_cache: int = 30
    """How long the cached top 100 lives in Redis."""
    after_timeout: float = 3.0
    """How long `?after=` waits."""
    max_connections: int = 50_000
    """Live connections of one node; past it a handshake is answered with 503."""
    max_per_address: int = 2_000
    """Live connections from one address (of IPv6: from one /64); past it the answer is 429."""
    max_topics: int = 64
    """Topics of one connection."""
    max_message: int = 16_384
    """Bytes of one message from a client."""
    max_rate: int = 20
    """Messages a second from one client; what is more is dropped, with an error."""
    max_burst: int = 200
    """Messages that may come at one go all the same."""
    handshakes_in_flight: int = 16
    """WebSocket handshakes at once; the others wait in the order in which they came."""
    handshake_timeout: float = 10.0
    """How long a client may take to send the head of a request, or pause in its body."""
    origins: tuple[str, ...] = ()
    """The `Origin`s whose pages may read answers and open live connections. Empty: every one."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` is believed; `*` for all."""
    drain_window: float = 20.0
    """Over how long a node that stops spreads the return of its clients."""

    lease: float = 10.0
    """How long a worker may hold an outbox row before another takes it."""
    poll: float = 0.5
    """The worker looks into the outbox at least this often, notified or not."""
    queue_url: str = ""
    """The SQS queue that carries what was committed to the refresh. Empty: workers take it from the outbox itself."""
    dead_letter_url: str = ""
    """The SQS queue for messages that cannot be read; the queue's own redrive policy names the same one."""
    queue_timeout: float = 5.0
    """How long a call to the queue may take between two bytes."""
    queue_tries: int = 3
    """How often a call to the queue, and a message that it refused, is tried before it is put off."""
    queue_in_flight: int = 4
    """Sendings at once of one node; past it, what was committed waits in the outbox."""
    queue_pause: float = 0.02
    """What is committed within this time of a sending goes with the next one, in fewer and fuller messages."""
    queue_claim: int = 128
    """Outbox rows of one sending at the most."""
    queue_message: int = 262_144
    """Bytes of a message; an outbox row that is larger travels as its id alone."""
    resend_after: float = 60.0
    """A row that was sent and not applied is sent again after this time, then after twice the time, up to sixteen times."""
    sweep_every: float = 5.0
    """A node looks into the outbox at least this often for what was not sent, or has to be sent again."""
    aws_region: str = ""
    """Empty: what boto3 finds."""
    aws_endpoint: str = ""
    """Where AWS is spoken to: an emulator, for tests. Empty in production."""
    pictures_bucket: str = ""
    """The S3 bucket of players' pictures."""
    pictures_folder: str = ""
    """The folder of players' pictures, where there is no bucket. Neither: there are no pictures."""
    pictures_timeout: float = 10.0
    """How long a call to the bucket may take between two bytes."""
    beat: float = 5.0
    """A process tells the others of itself this often."""
    emf_every: float = 0.0
    """Seconds between two lines of numbers for CloudWatch, in its embedded metric format. 0: none."""
    emf_endpoint: str = ""
    """The CloudWatch agent that takes these lines, `udp://127.0.0.1:25888`. Empty: standard output."""
    traces: str = ""
    """Where traces go: `xray`. Empty: there are none."""
    trace_share: float = 0.05
    """Of requests that come without a trace, how large a share begins one."""
    trace_rate: int = 20
    """Traces that one node begins or goes on with in a second at the most, whoever asks."""
    traces_endpoint: str = ""
    """Where X-Ray is spoken to. Empty: as all of AWS."""
    view_interval: float = 30.0
    """The materialised view is refreshed at most this often."""

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from the environment. Raises SettingInvalid naming the variable that is missing or wrong."""
        source = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for field in fields(cls):
            text = source.get(PREFIX + field.name.upper())
            if text is not None:
                values[field.name] = _parse(field.name, str(field.type), text)
            elif field.name in _REQUIRED:
                raise SettingInvalid(f"{PREFIX}{field.name.upper()} is not set")
        return cls(**values)

    def environ(self) -> dict[str, str]:
        """The variables from which `load` makes these settings again: what a child process is given."""
        named = {PREFIX + field.name.upper(): getattr(self, field.name) for field in fields(self)}
        return {name: ",".join(value) if isinstance(value, tuple) else str(value) for name, value in named.items()}


def invocation_trace() -> str | None:
    """The trace under which AWS has called a function this time, as a header."""
    return os.environ.get("_X_AMZN_TRACE_ID")


_REQUIRED = {"database_url", "redis_url", "issuer", "jwks_url"}


def _parse(name: str, kind: str, text: str) -> object:
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError as error:
        raise SettingInvalid(f"{PREFIX}{name.upper()} must be a number, not {text!r}") from error
    if kind.startswith("tuple"):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
