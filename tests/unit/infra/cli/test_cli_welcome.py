from __future__ import annotations

from pathlib import Path

from rich.console import Console

from infra.cli.service import DATA_DIR
from infra.cli.welcome import command_name, next_steps, once_more, panel

URL = "http://127.0.0.1:8080"


def printed(**arguments: object) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(panel(**arguments))
    return capture.get()


def test_the_panel_names_the_page_and_every_node() -> None:
    text = printed(urls=[URL, "http://127.0.0.1:8081"], data_dir=Path("scores"), with_demo=True)
    assert f"{URL}/?board=demo" in text
    assert "http://127.0.0.1:8081" in text
    assert "scores/logs" in text


def test_what_to_try_names_the_data_folder_where_it_is_not_the_usual() -> None:
    usual = next_steps("rankcast", URL, DATA_DIR, with_demo=True)
    other = next_steps("rankcast", URL, Path("scores"), with_demo=True)
    assert ("watch it here", "rankcast watch demo") in usual
    assert ("watch it here", "rankcast watch demo --data-dir scores") in other
    assert "token --role server --data-dir scores)" in dict(other)["write over REST"]


def test_without_the_demo_a_board_comes_first() -> None:
    assert next_steps("rankcast", URL, DATA_DIR, with_demo=False)[0] == ("make a board", "rankcast board create arcade")


def test_a_command_started_by_its_path_is_named_by_it() -> None:
    assert command_name(Path("/home/a/b/.venv/bin/rankcast"), Path("/home/a/b")) == ".venv/bin/rankcast"
    assert command_name(Path("/usr/bin/rankcast"), Path("/home/a/b")) == "rankcast"


def test_how_the_contest_is_played_once_more_names_the_service_that_is_meant() -> None:
    assert once_more("rankcast", DATA_DIR) == "rankcast board delete demo"
    assert once_more("rankcast", Path("scores")) == "rankcast board delete demo --data-dir scores"
