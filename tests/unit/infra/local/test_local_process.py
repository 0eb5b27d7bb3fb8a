from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from infra.local.errors import FolderInvalid, ServerFailed
from infra.local.process import LOG_LIMIT, Child, Program, describe_exit
from infra.local.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TIMEOUT = 10.0
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Child]]:
    with Watchdog() as watchdog:
        children = []

        def start(code: str, **options: object) -> Child:
            program = Program(
                name="the program",
                command=(sys.executable, "-I", "-c", code),
                environ={},
                log=folder / "logs" / "program.log",
                **({"patience": 0.1} | options),
            )
            children.append(Child(program, watchdog))
            return children[-1]

        yield start
        for child in children:
            child.stop()


def said(folder: Path) -> str:
    return (folder / "logs" / "program.log").read_text()


def test_its_output_goes_to_its_log(start: Callable[..., Child], folder: Path) -> None:
    child = start("import sys; print('one'); print('two', file=sys.stderr)")
    assert child.ends_within(TIMEOUT)
    assert sorted(said(folder).split()) == ["one", "two"]


def test_it_gets_the_environment_it_is_given_and_no_other(start: Callable[..., Child], folder: Path) -> None:
    child = start("import os; print(sorted(os.environ))")
    assert child.ends_within(TIMEOUT)
    assert said(folder) in {"[]\n", "['LC_CTYPE']\n"}


def test_it_is_ready_when_it_says_so(start: Callable[..., Child], folder: Path) -> None:
    child = start(STUBBORN)
    child.wait_until(lambda: "up" in said(folder), TIMEOUT)
    assert child.exit_code is None


def test_an_end_before_it_is_ready_tells_its_last_word(start: Callable[..., Child]) -> None:
    child = start("print('first'); print('2026 ERROR: no disk'); print('bye'); raise SystemExit(3)", loud=("ERROR: ",))
    with pytest.raises(ServerFailed, match=r"^the program did not start: ERROR: no disk$"):
        child.wait_until(lambda: False, TIMEOUT)


def test_a_silent_end_tells_its_status(start: Callable[..., Child]) -> None:
    with pytest.raises(ServerFailed, match="it ended with status 3"):
        start("raise SystemExit(3)").wait_until(lambda: False, TIMEOUT)


def test_a_last_word_is_of_this_run(start: Callable[..., Child]) -> None:
    assert start("print('old')").ends_within(TIMEOUT)
    again = start("raise SystemExit(1)")
    assert again.ends_within(TIMEOUT)
    assert again.last_word() == "it ended with status 1"


def test_what_is_never_ready_is_given_up(start: Callable[..., Child]) -> None:
    with pytest.raises(ServerFailed, match=r"is not ready after 0\.05 s"):
        start(STUBBORN).wait_until(lambda: False, 0.05)


def test_what_does_not_end_when_asked_is_killed(start: Callable[..., Child], folder: Path) -> None:
    child = start(STUBBORN)
    child.wait_until(lambda: "up" in said(folder), TIMEOUT)
    child.stop()
    assert child.exit_code == -signal.SIGKILL
    assert child.epitaph() == "it was ended by SIGKILL"


def test_a_harder_signal_comes_before_the_kill(start: Callable[..., Child], folder: Path) -> None:
    # Ended by the kernel: an interpreter that is interrupted takes its time, and here each step has but little.
    child = start(
        f"import signal; signal.signal(signal.SIGINT, signal.SIG_DFL); {STUBBORN}", harder=signal.SIGINT, patience=1.0
    )
    child.wait_until(lambda: "up" in said(folder), TIMEOUT)
    child.stop()
    assert child.exit_code == -signal.SIGINT


def test_stopping_what_has_ended_does_nothing(start: Callable[..., Child]) -> None:
    child = start("")
    assert child.ends_within(TIMEOUT)
    child.stop()
    assert child.exit_code == 0


def test_a_log_that_grew_too_long_starts_anew(start: Callable[..., Child], folder: Path) -> None:
    log = folder / "logs" / "program.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (LOG_LIMIT + 1))
    assert start("print('fresh')").ends_within(TIMEOUT)
    assert said(folder) == "fresh\n"


def test_a_program_that_is_not_there_is_named(folder: Path) -> None:
    program = Program(name="the program", command=("/nowhere/at/all",), environ={}, log=folder / "log")
    with Watchdog() as watchdog, pytest.raises(ServerFailed, match=r"the program cannot be run: .*/nowhere/at/all"):
        Child(program, watchdog)


def test_a_log_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "logs").write_text("")
    program = Program(name="the program", command=("true",), environ={}, log=folder / "logs" / "log")
    with Watchdog() as watchdog, pytest.raises(FolderInvalid, match="logs/log cannot be written"):
        Child(program, watchdog)


def test_an_end_is_described_in_words() -> None:
    assert describe_exit(2) == "it ended with status 2"
    assert describe_exit(-15) == "it was ended by SIGTERM"
