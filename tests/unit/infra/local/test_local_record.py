from __future__ import annotations

import dataclasses
import os
import subprocess
from typing import TYPE_CHECKING

import psutil
import pytest

from infra.local.errors import FolderInvalid
from infra.local.record import NAME, Recorded, StackRecord, end_recorded, read_record, remove_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT = 10.0


@pytest.fixture
def record() -> StackRecord:
    return StackRecord(
        supervisor=Recorded.of("supervisor", os.getpid()),
        ready=True,
        urls=("http://127.0.0.1:1", "http://127.0.0.1:2"),
        database_url="postgresql://x",
        redis_url="redis://y",
    )


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_what_is_written_is_read(record: StackRecord, tmp_path: Path) -> None:
    record = record.with_process("a", os.getpid())
    record.write(tmp_path)
    assert read_record(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_where_nothing_runs_there_is_no_record(record: StackRecord, tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    record.write(tmp_path)
    remove_record(tmp_path)
    remove_record(tmp_path)
    assert read_record(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"supervisor": 1}'])
def test_what_is_no_record_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    assert read_record(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_named(record: StackRecord, tmp_path: Path) -> None:
    with pytest.raises(FolderInvalid, match="cannot be written"):
        record.write(tmp_path / "nowhere")


def test_a_process_is_told_from_a_later_one_of_the_same_pid() -> None:
    us = Recorded.of("us", os.getpid())
    assert us.process() == psutil.Process()
    assert dataclasses.replace(us, started=us.started - 10).process() is None


def test_what_a_killed_stack_left_is_ended(
    record: StackRecord, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    record.with_process("the refresh worker", sleeper.pid).write(tmp_path)
    end_recorded(tmp_path)
    assert not psutil.pid_exists(sleeper.pid)
    assert read_record(tmp_path) is None


def test_a_process_that_only_has_the_pid_is_left_alone(
    record: StackRecord, tmp_path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    other = Recorded("the refresh worker", sleeper.pid, 1.0)
    dataclasses.replace(record, processes=(other,)).write(tmp_path)
    end_recorded(tmp_path)
    assert sleeper.poll() is None


def test_without_a_record_there_is_nothing_to_end(tmp_path: Path) -> None:
    end_recorded(tmp_path)
