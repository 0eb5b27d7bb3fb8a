from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import asyncpg
import psutil
import pytest

from infra.local.errors import FolderBusy, FolderInvalid, LocalStackError
from infra.local.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 10.0


@pytest.fixture(scope="module")
def postgres(shared_folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(shared_folder / "pg", max_connections=17) as server:
        yield server


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url, timeout=TIMEOUT)
    try:
        return await connection.fetchval(query, timeout=TIMEOUT)
    finally:
        await connection.close(timeout=TIMEOUT)


def answers(server: EmbeddedPostgres) -> bool:
    return server.run_tool("psql", "-d", server.url, "-Atc", "SELECT 1").strip() == "1"


def postgres_processes(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.name() == "postgres" and process.cwd() == str(folder):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


async def test_it_is_postgresql_18_with_fsync_on_and_the_connections_asked_for(postgres: EmbeddedPostgres) -> None:
    assert (await ask(postgres.url, "SHOW server_version")).startswith("18")
    assert await ask(postgres.url, "SHOW fsync") == "on"
    assert await ask(postgres.url, "SHOW max_connections") == "17"


async def test_it_listens_on_no_network_address(postgres: EmbeddedPostgres) -> None:
    assert await ask(postgres.url, "SHOW listen_addresses") == ""
    assert psutil.Process(postgres.pid).net_connections(kind="inet") == []


async def test_texts_are_utf8_and_sorted_by_bytes(postgres: EmbeddedPostgres) -> None:
    assert await ask(postgres.url, "SHOW server_encoding") == "UTF8"
    assert (
        await ask(postgres.url, "SELECT string_agg(x, '' ORDER BY x) FROM unnest(array['b', 'B', 'a', 'ä']) x")
        == "Babä"
    )


async def test_a_database_is_created_once_and_reached_by_its_url(postgres: EmbeddedPostgres) -> None:
    url = postgres.create_database("contest")
    assert postgres.create_database("contest") == url
    assert await ask(url, "SELECT current_database()") == "contest"


async def test_a_database_can_be_the_copy_of_another(postgres: EmbeddedPostgres) -> None:
    await ask(postgres.create_database("original"), "CREATE TABLE kept (i int)")
    copy = postgres.create_database("copy", template="original")
    assert await ask(copy, "SELECT to_regclass('kept')::text") == "kept"


def test_its_programs_are_at_hand(postgres: EmbeddedPostgres) -> None:
    assert "pg_basebackup (PostgreSQL) 18" in postgres.run_tool("pg_basebackup", "--version")


def test_the_socket_is_out_of_other_users_reach(postgres: EmbeddedPostgres) -> None:
    assert postgres.socket_dir.stat().st_mode & 0o077 == 0


def test_starting_twice_changes_nothing(postgres: EmbeddedPostgres) -> None:
    pid = postgres.pid
    assert postgres.start().pid == pid


async def test_data_outlives_a_stop_and_no_process_does(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg")
    with server:
        await ask(server.url, "CREATE TABLE kept (i int)")
        pid = server.pid
    assert not psutil.pid_exists(pid)
    assert postgres_processes(folder / "pg") == []
    with server:
        assert await ask(server.url, "SELECT to_regclass('kept')::text") == "kept"


def test_what_needs_a_running_server_says_that_there_is_none(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg")
    server.stop()
    with pytest.raises(LocalStackError, match="not running"):
        _ = server.url


async def test_a_killed_server_starts_again_with_what_was_committed(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg") as server:
        await ask(server.url, "CREATE TABLE kept (i int)")
        os.kill(server.pid, signal.SIGKILL)
        assert server.child.ends_within(TIMEOUT)
        server.start()
        assert await ask(server.url, "SELECT to_regclass('kept')::text") == "kept"


OWNER = """
import sys, time
from pathlib import Path
from infra.local.postgres import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1])).start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_a_server_ends_when_its_owner_is_killed_and_the_folder_is_usable_at_once(folder: Path) -> None:
    data = folder / "pg"
    with subprocess.Popen([sys.executable, "-c", OWNER, str(data)], stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        orphan = psutil.Process(pid)
        owner.kill()
    # Without waiting for the watchdog: the next start may come while the orphan still runs.
    with EmbeddedPostgres(data) as server:
        assert server.pid != pid
        assert answers(server)
        assert not orphan.is_running()


def test_a_server_ends_by_the_watchdog_alone_when_its_owner_is_killed(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder / "pg")], stdout=subprocess.PIPE, text=True
    ) as owner:
        orphan = psutil.Process(int(owner.stdout.readline()))
        owner.kill()
    assert psutil.wait_procs([orphan], timeout=TIMEOUT)[0] == [orphan]
    assert not (folder / "pg" / "postmaster.pid").exists()


def test_a_stale_pid_file_that_names_a_living_stranger_does_no_harm(folder: Path) -> None:
    data = folder / "pg"
    with EmbeddedPostgres(data) as server:
        pid_file = (data / "postmaster.pid").read_text()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (data / "postmaster.pid").write_text(pid_file.replace(pid_file.split("\n")[0], str(stranger.pid), 1))
        with server:
            assert answers(server)
        assert stranger.poll() is None
        stranger.kill()


def test_a_folder_has_one_owner(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg"), pytest.raises(FolderBusy, match="in use by another process"):
        EmbeddedPostgres(folder / "pg").start()


def test_a_start_after_a_killed_initdb_begins_anew(folder: Path) -> None:
    half = folder / "pg.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder / "pg") as server:
        assert server.pid
    assert not half.exists()


def test_a_folder_of_another_version_is_named(folder: Path) -> None:
    (folder / "pg").mkdir()
    (folder / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(FolderInvalid, match=r"was made by PostgreSQL '16', this is 18"):
        EmbeddedPostgres(folder / "pg").start()


def test_a_folder_of_something_else_is_left_alone(folder: Path) -> None:
    (folder / "pg").mkdir()
    (folder / "pg" / "holiday.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(FolderInvalid, match="not a PostgreSQL folder"):
        EmbeddedPostgres(folder / "pg").start()
    assert (folder / "pg" / "holiday.jpg").exists()


def test_a_file_in_the_folders_place_is_one_clear_line(folder: Path) -> None:
    (folder / "pg").write_text("")
    with pytest.raises(FolderInvalid, match="Not a directory") as caught:
        EmbeddedPostgres(folder / "pg").start()
    assert "\n" not in str(caught.value)


def test_a_damaged_folder_gives_the_servers_last_word(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg"):
        pass
    (folder / "pg" / "global" / "pg_control").unlink()
    with pytest.raises(LocalStackError, match="did not start: postgres: could not find the database system") as caught:
        EmbeddedPostgres(folder / "pg").start()
    assert "\n" not in str(caught.value)
    assert postgres_processes(folder / "pg") == []


def test_a_setting_that_does_not_exist_gives_the_servers_last_word(folder: Path) -> None:
    with pytest.raises(LocalStackError, match='unrecognized configuration parameter "no_such"'):
        EmbeddedPostgres(folder / "pg", options={"no_such": "1"}).start()


def test_a_failed_start_gives_the_folder_back(folder: Path) -> None:
    with pytest.raises(LocalStackError):
        EmbeddedPostgres(folder / "pg", options={"no_such": "1"}).start()
    with EmbeddedPostgres(folder / "pg") as server:
        assert server.pid


async def test_a_path_too_long_for_a_socket_is_no_obstacle(folder: Path) -> None:
    data = folder / ("long-" * 20) / "pg"
    with EmbeddedPostgres(data) as server:
        assert await ask(server.url, "SELECT 1") == 1
        assert server.socket_dir != data
        assert server.socket_dir.stat().st_mode & 0o077 == 0
        sockets = server.socket_dir
    shutil.rmtree(sockets)


async def test_a_path_with_spaces_and_signs_is_no_obstacle(folder: Path) -> None:
    with EmbeddedPostgres(folder / "a b&c=d'ü") as server:
        assert await ask(server.create_database("x"), "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone changes users")
def test_root_runs_it_as_another_user(postgres: EmbeddedPostgres) -> None:
    assert postgres.system_user == "pgserver"
    assert psutil.Process(postgres.pid).username() == "pgserver"


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone changes users")
async def test_root_goes_on_as_the_user_who_made_the_data(folder: Path) -> None:
    with EmbeddedPostgres(folder / "pg"):
        pass
    for path in [folder / "pg", *(folder / "pg").rglob("*")]:
        os.chown(path, 1, 1, follow_symlinks=False)
    with EmbeddedPostgres(folder / "pg") as server:
        assert psutil.Process(server.pid).uids().real == 1
        assert await ask(server.url, "SELECT 1") == 1
