"""What the tests of the AWS path stand on: the emulators answer, keep to this machine, and end."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.emulators import Emulator, make_ministack


def test_a_queue_takes_a_message_and_gives_it_back(ministack: Emulator) -> None:
    sqs = ministack.client("sqs")
    queue = sqs.create_queue(QueueName="there-and-back")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="score")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)["Messages"]
    assert message["Body"] == "score"


def test_a_trace_that_was_put_is_there(moto: Emulator) -> None:
    xray = moto.client("xray")
    segment = (
        '{"trace_id":"1-6565c1a0-0123456789abcdef01234567","id":"0123456789abcdef","name":"api",'
        '"start_time":1700000000.0,"end_time":1700000001.0}'
    )
    assert xray.put_trace_segments(TraceSegmentDocuments=[segment])["UnprocessedTraceSegments"] == []


@pytest.mark.parametrize("which", ["ministack", "moto"])
def test_it_listens_on_this_machine_only(request: pytest.FixtureRequest, which: str) -> None:
    emulator: Emulator = request.getfixturevalue(which)
    processes = [psutil.Process(emulator.pid), *psutil.Process(emulator.pid).children(recursive=True)]
    listening = [one for process in processes for one in process.net_connections("tcp") if one.status == "LISTEN"]
    assert {one.laddr.ip for one in listening} == {"127.0.0.1"}


def test_one_that_is_stopped_leaves_nothing_and_comes_back_empty(tmp_path: Path) -> None:
    with make_ministack(tmp_path) as emulator:
        emulator.client("sqs").create_queue(QueueName="short")
        pid = emulator.pid
        emulator.stop()
        assert not psutil.pid_exists(pid)
        emulator.start()
        assert not emulator.client("sqs").list_queues().get("QueueUrls")
