"""The command line against a real service."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
import orjson
import pytest
from click.testing import CliRunner

from infra.cli.main import cli
from infra.local.stack import Plan, Stack
from tests.harness import UNENCRYPTED, eventually, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

RANKCAST = str(Path(sys.executable).parent / "rankcast")
DATA = Path(__file__).parents[1] / "data"
TIMEOUT = 30.0
SETTINGS = {
    # However slow the machine is.
    "subscribe_timeout": str(TIMEOUT / 2),
    # Between any two things that are told comes a check.
    "check_every": "0.05",
}


@pytest.fixture(scope="module")
def service() -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="rankcast-test-") as folder,
        Stack(Plan(data_dir=Path(folder), port=free_port(), settings=SETTINGS)) as stack,
    ):
        yield stack


@pytest.fixture
def rankcast(service: Stack) -> Rankcast:
    return Rankcast(service)


class Rankcast:
    """The command, in this process, meaning the service of the test."""

    def __init__(self, service: Stack) -> None:
        self._service = service

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        environ = {"RANKCAST_DATA_DIR": str(self._service.plan.data_dir)}
        return CliRunner().invoke(cli, arguments, input=answer, env=environ)

    def __call__(self, *arguments: str) -> str:
        """What it prints on standard output; it must succeed."""
        result = self.run(*arguments)
        assert result.exception is None, result.exception
        return result.stdout

    def board(self, name: str, *options: str) -> None:
        self("board", "create", name, *options)

    def scores(self, board: str) -> dict[str, object]:
        """The top 1000 once everything that was submitted is in it."""
        return {entry["player"]: entry["score"] for entry in self.top(board)["entries"]}

    def top(self, board: str) -> dict[str, object]:
        return orjson.loads(self("top", board, "--limit", "1000", "--json"))

    def settle(self, board: str, player: str) -> None:
        """Submit one more score and return when the ranking has it and all before it: of two the later may be ranked first."""
        self("submit", board, player, *["0"] * self.columns(board))
        asyncio.run(self._settled())

    async def _settled(self) -> None:
        headers = {"Authorization": f"Bearer {self._service.issuer.token('admin')}"}
        async with httpx.AsyncClient(headers=headers, timeout=TIMEOUT, trust_env=False, verify=UNENCRYPTED) as http:

            async def nothing_waits() -> bool:
                outbox = (await http.get(f"{self._service.urls[0]}/v1/status")).json()["outbox"]
                return outbox is not None and outbox["rows"] == 0

            await eventually(nothing_waits)

    def columns(self, board: str) -> int:
        return len(orjson.loads(self("board", "show", board))["columns"])


def refusal(result: Result) -> str:
    assert result.exception is not None
    return str(result.exception)


def test_a_board_is_created_shown_listed_edited_and_deleted(rankcast: Rankcast) -> None:
    rankcast.board("life", "--column", "time:asc:3", "--title", "Fastest lap")
    document = orjson.loads(rankcast("board", "show", "life"))
    assert document["columns"] == [{"name": "time", "direction": "asc", "decimals": 3}]
    assert "life" in rankcast("board", "list")
    rankcast("board", "create", "life", "--edit", "--maximum", "1000", "--private")
    edited = orjson.loads(rankcast("board", "show", "life"))
    assert (edited["title"], edited["public"], edited["maximum"]) == ("Fastest lap", False, 1000)
    assert edited["columns"] == document["columns"]
    rankcast("board", "delete", "life", "--yes")
    assert "board_unknown" in refusal(rankcast.run("board", "show", "life"))


def test_a_list_of_boards_has_every_name_whole(rankcast: Rankcast) -> None:
    name = "a-name-of-a-board-that-is-rather-long.2026"
    rankcast.board(name, "--title", "A title that would like to have the room of a whole line")
    assert name in rankcast("board", "list")


def test_a_board_is_not_overwritten_by_accident(rankcast: Rankcast) -> None:
    rankcast.board("once")
    assert "exists: change it with --edit" in rankcast.run("board", "create", "once").output
    assert "there is no board never to edit" in rankcast.run("board", "create", "never", "--edit").output


def test_a_board_is_deleted_only_by_who_means_it(rankcast: Rankcast) -> None:
    rankcast.board("kept")
    unanswered = rankcast.run("board", "delete", "kept")
    assert unanswered.exit_code == 1
    assert "Error: nobody answers, board kept is kept: --yes deletes it without asking\n" in unanswered.output
    assert "Error: board kept is kept\n" in rankcast.run("board", "delete", "kept", answer="n\n").output
    assert orjson.loads(rankcast("board", "show", "kept"))["board"] == "kept"


@pytest.mark.parametrize("option", [(), ("--yes",)])
def test_nobody_is_asked_about_a_board_that_is_not_there(rankcast: Rankcast, option: tuple[str, ...]) -> None:
    result = rankcast.run("board", "delete", "nosuch", *option)
    assert refusal(result) == "there is no board 'nosuch' (board_unknown)"
    assert result.output == ""


def test_who_means_it_deletes_a_board_by_saying_so(rankcast: Rankcast) -> None:
    rankcast.board("meant")
    assert rankcast.run("board", "delete", "meant", answer="y\n").output.endswith("board meant deleted\n")
    assert "board_unknown" in refusal(rankcast.run("board", "show", "meant"))


def test_a_score_is_submitted_and_stands_in_the_top(rankcast: Rankcast) -> None:
    rankcast.board("arcade")
    assert rankcast("submit", "arcade", "ann", "4200", "--name", "Ann").startswith("ann now has 4200 (seq ")
    rankcast.settle("arcade", "ann")
    assert rankcast("top", "arcade").splitlines()[-1].startswith("1 player, version ")
    assert rankcast("submit", "arcade", "ann", "10").startswith("ann still has 4200 (seq ")
    assert rankcast("submit", "arcade", "bob", "-5").startswith("bob now has -5")
    rankcast.settle("arcade", "zoe")
    assert rankcast.scores("arcade") == {"ann": 4200, "zoe": 0, "bob": -5}
    # More than a node has in its memory, which may be behind for a moment.
    shown = rankcast("top", "arcade", "--limit", "1000").splitlines()
    assert shown[2].split() == ["1", "Ann", "4,200"]
    assert shown[-1].startswith("3 players, version ")


def test_a_key_makes_a_repeat_count_once(rankcast: Rankcast) -> None:
    rankcast.board("points", "--operator", "sum")
    for _ in range(2):
        assert rankcast("submit", "points", "ann", "5", "--key", "k").startswith("ann now has 5 ")
    assert rankcast("submit", "points", "ann", "5", "--key", "l").startswith("ann now has 10 ")


def test_what_the_service_refuses_is_one_line_with_its_code(rankcast: Rankcast) -> None:
    rankcast.board("two", "--column", "a", "--column", "b:asc")
    assert refusal(rankcast.run("submit", "two", "ann", "1")).endswith("(score_columns)")
    assert refusal(rankcast.run("submit", "nowhere", "ann", "1")).endswith("(board_unknown)")
    assert refusal(rankcast.run("top", "nowhere")).endswith("(board_unknown)")
    assert refusal(rankcast.run("watch", "nowhere")).endswith("(board_unknown)")


def test_a_file_imported_again_counts_once_even_where_scores_add_up(rankcast: Rankcast, tmp_path: Path) -> None:
    rankcast.board("added", "--operator", "sum")
    file = tmp_path / "scores.csv"
    file.write_text("player,score,name\n" + "".join(f"p{i % 700},{i},Player {i % 700}\n" for i in range(2500)))
    expected = {f"p{p}": sum(i for i in range(2500) if i % 700 == p) for p in range(700)}
    told = [rankcast("import", str(file), "--board", "added") for _ in range(2)]
    assert all(each.startswith("2,500 lines taken in ") for each in told)
    assert "2,500 new, 0 known from before; 2,500 changed a standing; 0 bad" in told[0]
    assert "0 new, 2,500 known from before; 0 changed a standing; 0 bad" in told[1]
    rankcast.settle("added", "zoe")
    assert rankcast.scores("added") == {**expected, "zoe": 0}


def test_a_file_that_was_mended_and_appended_adds_what_was_missing(rankcast: Rankcast, tmp_path: Path) -> None:
    rankcast.board("mended", "--operator", "sum")
    file = tmp_path / "scores.ndjson"
    lines = [f'{{"player":"p{i}","score":1}}' for i in range(1500)]
    file.write_text("\n".join([*lines[:700], '{"player":"bad"', *lines[701:1200]]))
    skipped = rankcast.run("import", str(file), "--board", "mended", "--on-error", "skip")
    assert skipped.exit_code == 0
    assert "line 701: the line is not JSON" in skipped.stderr
    assert "1,199 lines taken" in skipped.stdout
    file.write_text("\n".join(lines))
    assert "1,500 lines taken" in rankcast("import", str(file), "--board", "mended")
    rankcast.settle("mended", "zoe")
    assert set(rankcast.scores("mended").values()) == {1}
    assert rankcast.top("mended")["total"] == 1501


def test_mending_the_first_line_doubles_nobody_on_a_board_that_adds_up(rankcast: Rankcast, tmp_path: Path) -> None:
    rankcast.board("first", "--operator", "sum")
    file = tmp_path / "scores.csv"
    file.write_text("player,score\nann,oops\nbob,10\n")
    assert rankcast.run("import", str(file), "--board", "first").exit_code != 0
    file.write_text("player,score\nann,5\nbob,10\n")
    rankcast("import", str(file), "--board", "first")
    rankcast.settle("first", "zoe")
    assert rankcast.scores("first") == {"ann": 5, "bob": 10, "zoe": 0}


def test_a_line_that_says_something_else_than_before_is_refused_by_name(rankcast: Rankcast, tmp_path: Path) -> None:
    rankcast.board("changed", "--operator", "sum")
    file = tmp_path / "scores.csv"
    file.write_text("player,score\nann,1\nbob,2\n")
    rankcast("import", str(file), "--board", "changed")
    file.write_text("player,score\nann,1\nbob,3\n")
    again = rankcast.run("import", str(file), "--board", "changed", "--on-error", "skip")
    assert "line 3: " in again.stderr
    assert "(idempotency_mismatch)" in again.stderr
    rankcast("import", str(file), "--board", "changed", "--key", "second")
    rankcast.settle("changed", "zoe")
    assert rankcast.scores("changed") == {"ann": 2, "bob": 5, "zoe": 0}


def test_an_import_stops_at_a_bad_line_unless_told_to_go_on(rankcast: Rankcast, tmp_path: Path) -> None:
    rankcast.board("stopped", "--maximum", "10")
    file = tmp_path / "scores.csv"
    file.write_text("player,score\nann,1\nbob,1.5\ncid,11\n" + "".join(f"p{i},1\n" for i in range(3500)))
    stopped = rankcast.run("import", str(file), "--board", "stopped", "--in-flight", "1")
    assert stopped.exit_code == 1
    assert "stopped at a bad line" in stopped.stderr
    assert "line 3: score is '1.5': a score must be an integer" in stopped.stderr
    assert "line 4: " in stopped.stderr
    assert "(score_out_of_bounds)" in stopped.stderr
    gone_on = rankcast("import", str(file), "--board", "stopped", "--on-error", "skip")
    assert gone_on.startswith("3,501 lines taken")
    assert gone_on.rstrip().endswith("2 bad")


def test_where_the_latest_counts_the_last_line_of_a_file_wins(rankcast: Rankcast, tmp_path: Path) -> None:
    rankcast.board("latest", "--operator", "latest")
    file = tmp_path / "scores.csv"
    file.write_text("player,score\n" + "".join(f"ann,{i}\n" for i in range(3000)))
    rankcast("import", str(file), "--board", "latest")
    rankcast.settle("latest", "zoe")
    assert rankcast.scores("latest")["ann"] == 2999


def test_a_contest_replayed_as_fast_as_it_goes_ends_in_its_official_standings(rankcast: Rankcast) -> None:
    rankcast.board("contest", "--column", "solved", "--column", "penalty:asc")
    file = DATA / "contest-harbin.events.ndjson"
    assert (
        rankcast("replay", str(file), "--board", "contest", "--speed", "0") == "1,518 scores sent, 0 of them refused\n"
    )
    rankcast.settle("contest", "F05")
    official = orjson.loads((DATA / "contest-harbin.standings.json").read_bytes())["standings"]
    assert {(entry["rank"], entry["player"], *entry["score"]) for entry in rankcast.top("contest")["entries"]} == {
        (each["rank"], each["player"], each["solved"], each["penalty"]) for each in official
    }


def test_a_recording_that_does_not_fit_the_board_is_one_clear_line(rankcast: Rankcast) -> None:
    rankcast.board("unfit")
    result = rankcast.run("replay", str(DATA / "contest-harbin.events.ndjson"), "--board", "unfit", "--speed", "0")
    assert refusal(result) == "line 1: the line has no score"


def test_a_token_lets_another_program_in(rankcast: Rankcast, service: Stack) -> None:
    rankcast.board("players", "--writes", "player")
    token = rankcast("token", "--role", "player", "--player", "ann").strip()
    answer = httpx.post(
        f"{service.urls[0]}/v1/boards/players/scores",
        headers={"Authorization": f"Bearer {token}"},
        json={"score": 7},
        timeout=TIMEOUT,
        trust_env=False,
    )
    assert answer.json()["player"] == "ann"


def test_another_service_is_spoken_to_by_its_address_and_a_token(rankcast: Rankcast, service: Stack) -> None:
    rankcast.board("remote")
    token = rankcast("token", "--role", "server").strip()
    away = ["--url", service.urls[0], "--data-dir", "nowhere"]
    submit = ["submit", "remote", "ann", "1"]
    assert refusal(rankcast.run(*submit, *away)).endswith("(unauthenticated)")
    assert rankcast(*submit, *away, "--token", token).startswith("ann now has 1")
    rankcast.settle("remote", "zoe")
    assert '"total":2' in rankcast("top", "remote", "--json", *away)


def test_migrating_a_running_database_finds_nothing_to_do(rankcast: Rankcast) -> None:
    assert rankcast("migrate") == "nothing to do: the schema is the newest\n"


def test_migrating_a_folder_needs_no_service() -> None:
    with tempfile.TemporaryDirectory(prefix="rankcast-test-") as folder:
        environ = {"RANKCAST_DATA_DIR": f"{folder}/data"}
        first = CliRunner().invoke(cli, ["migrate"], env=environ)
        assert first.exception is None
        assert first.stdout.startswith("applied 0001_")
        again = CliRunner().invoke(cli, ["migrate"], env=environ)
        assert again.stdout == "nothing to do: the schema is the newest\n"


@pytest.mark.parametrize("name", ["empty.csv", "empty.ndjson"])
def test_an_empty_file_is_called_empty(rankcast: Rankcast, tmp_path: Path, name: str) -> None:
    rankcast.board(f"no-{name}")
    file = tmp_path / name
    file.write_text("\n \n")
    assert refusal(rankcast.run("import", str(file), "--board", f"no-{name}")) == "the file has no lines"


class Watching:
    """`rankcast watch` as a process of its own whose output is a pipe."""

    def __init__(self, service: Stack, board: str, *options: str) -> None:
        command = [RANKCAST, "watch", board, *options, "--data-dir", str(service.plan.data_dir)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def until(self, players: list[str]) -> dict[str, object]:
        """The first state in which these are the players."""
        for line in self.process.stdout:
            state = orjson.loads(line)
            if [entry["player"] for entry in state["entries"]] == players:
                return state
        raise AssertionError(self.process.stderr.read())

    def block(self) -> list[str]:
        """The next state as text, to the line of its version, without the spaces at the ends of lines."""
        lines: list[str] = []
        for line in self.process.stdout:
            if line.strip() or lines:
                lines.append(line.rstrip())
            if "version" in line:
                return lines
        raise AssertionError(self.process.stderr.read())

    def end(self) -> tuple[int, str]:
        os.kill(self.process.pid, signal.SIGINT)
        _, said = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, said


def test_a_board_is_watched_while_it_moves_until_ctrl_c(rankcast: Rankcast, service: Stack) -> None:
    rankcast.board("watched")
    with Watching(service, "watched", "--json") as watching:
        watching.until([])
        rankcast("submit", "watched", "ann", "5")
        watching.until(["ann"])
        rankcast("submit", "watched", "bob", "9")
        state = watching.until(["bob", "ann"])
        assert [entry["rank"] for entry in state["entries"]] == [1, 2]
        assert watching.end() == (0, "")


def test_in_a_pipe_each_state_is_text_at_once(rankcast: Rankcast, service: Stack) -> None:
    rankcast.board("told", "--title", "Told of it")
    with Watching(service, "told") as watching:
        title, heads, _, foot = watching.block()
        assert (title, heads.split()) == ("Told of it", ["#", "player", "score"])
        assert foot.startswith("live   0 players, version ")
        rankcast("submit", "told", "ann", "4200", "--name", "Ann")
        block = watching.block()
        assert block[2].split()[-2:] == ["Ann", "4,200"]
        assert block[-1].startswith("live   1 player, version ")
        assert watching.end() == (0, "")


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_leaves_a_pipe_ends_the_command_quietly(
    rankcast: Rankcast, service: Stack, options: tuple[str, ...]
) -> None:
    rankcast.board(f"piped{len(options)}")
    with Watching(service, f"piped{len(options)}", *options) as watching:
        watching.process.stdout.readline()
        watching.process.stdout.close()
        rankcast("submit", f"piped{len(options)}", "ann", "5")
        assert watching.process.wait(TIMEOUT) == 1
        assert watching.process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["top", "b", "--data-dir", "nowhere"], "rankcast: no service runs in nowhere: start one with `rankcast up`"),
        (["top", "b", "--url", "http://127.0.0.1:9"], "rankcast: nothing answers at http://127.0.0.1:9"),
        (["top", "b", "--url", "ftp://x"], "rankcast: nothing answers at ftp://x"),
        (
            ["import", "nowhere.csv", "--board", "b"],
            "Error: Invalid value for 'FILE': File 'nowhere.csv' does not exist.",
        ),
    ],
)
def test_a_failure_is_one_line_and_no_traceback(arguments: list[str], line: str) -> None:
    done = subprocess.run([RANKCAST, *arguments], check=False, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(line)
    assert "Traceback" not in done.stderr
