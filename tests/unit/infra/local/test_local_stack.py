from __future__ import annotations

import socket
from pathlib import Path

import pytest

from infra.local.errors import FolderInvalid, PortTaken
from infra.local.stack import Plan, Stack, check_port
from realtime.core.errors import SettingInvalid


def test_nodes_have_consecutive_ports() -> None:
    assert list(Plan(data_dir=Path("x"), port=8080, nodes=3).ports) == [8080, 8081, 8082]


def test_a_free_port_passes_and_a_taken_one_is_named() -> None:
    with socket.socket() as other:
        # Shared while nobody listens, and kept from everybody else meanwhile.
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        check_port(port)
        other.listen()
        with pytest.raises(PortTaken, match=f"port {port} is taken: choose another with --port"):
            check_port(port)


def test_a_port_beyond_the_last_is_no_port() -> None:
    with pytest.raises(PortTaken):
        check_port(65_536)


def test_a_data_folder_that_cannot_be_made_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(FolderInvalid, match=r"the data folder .*/file/x cannot be made: Not a directory"):
        Stack(Plan(data_dir=folder / "file" / "x")).start()


def test_a_stack_that_does_not_start_leaves_the_folder_free(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        for _ in range(2):
            with pytest.raises(PortTaken):
                Stack(Plan(data_dir=folder, port=taken)).start()
    assert sorted(path.name for path in folder.iterdir()) == ["lock"]


def test_a_setting_that_is_wrong_is_named_before_a_node_is_started(folder: Path) -> None:
    with pytest.raises(SettingInvalid, match="RANKCAST_TICK_MS must be a number"):
        Stack(Plan(data_dir=folder, port=0, settings={"tick_ms": "fast"})).start()
