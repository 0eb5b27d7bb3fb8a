from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.metrics_emf import METRICS, MOST, Agent, Emf, StandardOutput, open_sink
from infra.readings import Between, Reading
from realtime.core.errors import SettingInvalid

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = {"AutoScalingGroupName": "rankcast-nodes"}


class Lines:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.closed = False

    def write(self, line: bytes) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.closed = True


def told(before: dict[str, float], after: dict[str, float], lags: dict[float, float] | None = None) -> dict[str, Any]:
    lines = Lines()
    emf = Emf(lines, GROUP, {"Node": "a-1"}, clock=lambda: 1_760_000_000.1239)
    buckets = {} if lags is None else {"rankcast_lag_seconds": lags}
    emf.tell(Between(Reading(0.0, before), Reading(10.0, after, {}, buckets)))
    (line,) = lines.lines
    document: dict[str, Any] = json.loads(line)
    return document


def test_a_line_says_where_its_metrics_belong_and_what_they_are() -> None:
    document = told({"rankcast_deliveries_total": 100.0}, {"rankcast_connections": 7, "rankcast_deliveries_total": 600})
    assert document == {
        "_aws": {
            "Timestamp": 1_760_000_000_124,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Rankcast",
                    "Dimensions": [["AutoScalingGroupName"]],
                    "Metrics": [
                        {"Name": "Connections", "Unit": "Count"},
                        {"Name": "Deliveries", "Unit": "Count"},
                        {"Name": "DeliveriesPerSecond", "Unit": "Count/Second"},
                    ],
                }
            ],
        },
        "AutoScalingGroupName": "rankcast-nodes",
        "Node": "a-1",
        "Connections": 7,
        "Deliveries": 500.0,
        "DeliveriesPerSecond": 50.0,
    }


def test_what_the_templates_watch_and_scale_by_is_told() -> None:
    folder = Path(__file__).parent.parent.parent.parent / "infra" / "aws"
    watched: set[str] = set()
    for name in ("watching.yaml", "nodes.yaml"):
        text = (folder / name).read_text()
        watched |= set(re.findall(r"Namespace: Rankcast\n\s+MetricName: (\w+)", text))
        for line in re.findall(r'\["Rankcast", .*', text):
            watched |= set(re.findall(r'\["Rankcast", "(\w+)"', line)) | set(re.findall(r'\["\.", "(\w+)"', line))
    assert watched >= {"Connections", "Lag", "Drift", "Refused", "Resyncs", "Deliveries", "FramesMerged"}
    assert watched <= {metric.name for metric in METRICS}


def test_counters_tell_what_came_since_the_last_line() -> None:
    names = ("rankcast_merged_total", "rankcast_drift_total", "rankcast_resyncs_total", "rankcast_refused_total")
    document = told(dict.fromkeys(names, 5.0), {name: 5.0 + n for n, name in enumerate(names)})
    assert [document[name] for name in ("FramesMerged", "Drift", "Resyncs", "Refused")] == [0, 1, 2, 3]


def test_lags_are_told_one_by_one_so_that_their_percentiles_are_known_up_to_what_cloudwatch_takes() -> None:
    assert told({}, {}, {0.1: 2.0, 0.5: 3.0, float("inf"): 3.0})["Lag"] == [0.1, 0.1, 0.5]
    many = told({}, {}, {0.1: 99_000.0, 0.5: 100_000.0, float("inf"): 100_000.0})["Lag"]
    assert (len(many), many.count(0.5)) == (MOST, 1)


def test_what_is_not_known_is_not_told() -> None:
    lines = Lines()
    emf = Emf(lines, GROUP, {})
    emf.tell(Between(Reading(0.0), Reading(1.0, {"rankcast_queue_age_seconds": float("nan")})))
    assert lines.lines == []
    emf.close()
    assert lines.closed


def test_no_two_metrics_have_one_name() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS) <= 100


def test_standard_output_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    sink = open_sink("")
    assert isinstance(sink, StandardOutput)
    sink.write(b'{"a": 1}')
    sink.close()
    assert capsys.readouterr().out == '{"a": 1}\n'


@pytest.fixture
def agent() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        yield receiver


def test_an_agent_is_sent_a_line_each(agent: socket.socket) -> None:
    sink = open_sink(f"udp://127.0.0.1:{agent.getsockname()[1]}")
    assert isinstance(sink, Agent)
    sink.write(b'{"a": 1}')
    assert agent.recv(100) == b'{"a": 1}\n'
    sink.close()


def test_an_agent_that_is_not_there_costs_its_numbers_alone(agent: socket.socket) -> None:
    sink = open_sink(f"udp://127.0.0.1:{agent.getsockname()[1]}")
    agent.close()
    for _ in range(3):
        sink.write(b"{}")
    sink.write(bytes(100_000))
    sink.close()


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:25888", "tcp://127.0.0.1:25888", "udp://127.0.0.1", "udp://a:b", "udp://:1"]
)
def test_an_address_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(SettingInvalid, match="udp://host:port"):
        open_sink(endpoint)
