from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from itertools import chain
from typing import TYPE_CHECKING

import psutil
import pytest
import redis

from infra.local.errors import LocalStackError, PortTaken
from infra.local.valkey import EmbeddedValkey, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 5.0


@pytest.fixture(scope="module")
def valkey(shared_folder: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(shared_folder) as server:
        yield server


@pytest.fixture
def client(valkey: EmbeddedValkey) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey.url, socket_timeout=TIMEOUT) as connection:
        yield connection


def test_it_refuses_writes_rather_than_evict(client: redis.Redis) -> None:
    assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"


def test_it_keeps_nothing_on_disk(client: redis.Redis) -> None:
    assert client.config_get("save")["save"] == ""
    assert client.config_get("appendonly")["appendonly"] == "no"


def test_it_listens_on_this_machine_alone(valkey: EmbeddedValkey) -> None:
    listening = [
        each.laddr.ip for each in psutil.Process(valkey.pid).net_connections("inet") if each.status == "LISTEN"
    ]
    assert listening == ["127.0.0.1"]


def test_its_process_is_the_one_it_names(valkey: EmbeddedValkey, client: redis.Redis) -> None:
    assert client.info("server")["process_id"] == valkey.pid


def test_options_reach_the_server(folder: Path) -> None:
    with (
        EmbeddedValkey(folder, options={"maxmemory": "64mb"}) as server,
        redis.Redis.from_url(server.url, socket_timeout=TIMEOUT) as client,
    ):
        assert client.config_get("maxmemory")["maxmemory"] == str(64 * 2**20)


def test_a_stop_leaves_no_process_and_a_start_begins_empty_on_the_same_port(folder: Path) -> None:
    server = EmbeddedValkey(folder)
    with server, redis.Redis.from_url(server.url, socket_timeout=TIMEOUT) as client:
        client.set("key", "value")
        pid, port = server.pid, server.port
    assert not psutil.pid_exists(pid)
    with server, redis.Redis.from_url(server.url, socket_timeout=TIMEOUT) as client:
        assert server.port == port
        assert client.get("key") is None


def test_a_killed_server_starts_again(folder: Path) -> None:
    with EmbeddedValkey(folder) as server:
        os.kill(server.pid, signal.SIGKILL)
        assert server.child.ends_within(TIMEOUT)
        assert server.child.exit_code == -signal.SIGKILL
        server.start()
        with redis.Redis.from_url(server.url, socket_timeout=TIMEOUT) as client:
            assert client.ping()


def test_a_taken_port_is_named(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} is taken"):
            EmbeddedValkey(folder, port).start()


def test_a_free_port_that_is_taken_meanwhile_is_given_up_for_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = chain([other.getsockname()[1]], iter(free_port, None))
        monkeypatch.setattr("infra.local.valkey.free_port", lambda: next(ports))
        with EmbeddedValkey(folder) as server:
            assert server.port != other.getsockname()[1]


def test_an_unknown_locale_gives_the_servers_last_word(folder: Path) -> None:
    with pytest.raises(LocalStackError, match="invalid locale name: 'xx_YY'") as caught:
        EmbeddedValkey(folder, locale="xx_YY").start()
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(shutil.which("localedef") is None, reason="no localedef on this machine")
def test_it_can_collate_by_a_locale_that_the_system_lacks(folder: Path) -> None:
    locales = folder / "locales"
    locales.mkdir()
    compiled = subprocess.run(
        ["localedef", "-i", "en_US", "-f", "UTF-8", str(locales / "en_US.UTF-8")],
        check=False,
        capture_output=True,
        timeout=60,
    )
    assert compiled.returncode == 0, compiled.stderr
    less = "return 'a' < 'B'"
    with (
        EmbeddedValkey(folder / "en", locale="en_US.UTF-8", locale_path=locales) as server,
        redis.Redis.from_url(server.url, socket_timeout=TIMEOUT) as client,
    ):
        assert client.eval(less, 0) == 1
    with (
        EmbeddedValkey(folder / "c") as server,
        redis.Redis.from_url(server.url, socket_timeout=TIMEOUT) as client,
    ):
        assert client.eval(less, 0) is None
