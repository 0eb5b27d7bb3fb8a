"""The way of a score on AWS, on this machine: Cognito and the queue's layer as the templates make them, with the packaged functions."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.aws_stack import adapted_templates
from tests.cognito import Cognito
from tests.emulators import REGION

if TYPE_CHECKING:
    from infra.deploy.bundle import Bundle
    from infra.settings import Settings
    from tests.emulators import Emulator

CODE = "rankcast-code"
FUNCTIONS = ("Refresh", "Schedule", "Pictures")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cloud:
    """An account with the functions' code and a user pool."""

    emulator: Emulator
    cognito: Cognito
    key: str

    @classmethod
    def make(cls, emulator: Emulator, functions: Bundle) -> Cloud:
        s3 = emulator.client("s3")
        s3.create_bucket(Bucket=CODE)
        s3.put_object(Bucket=CODE, Key=functions.key, Body=Path(functions.path).read_bytes())
        return cls(emulator, Cognito.make(emulator), functions.key)

    def layer(self, settings: Settings) -> Layer:
        """The queue's layer for the stores that the settings name."""
        name = f"aws{next(_numbers)}"
        stacks = self.emulator.client("cloudformation")
        given = {
            "Name": name,
            "Size": "small",
            "Domain": "scores.example",
            "Subnets": "subnet-0a,subnet-0b",
            "Group": "sg-0a",
            "CodeBucket": CODE,
            "CodeKey": self.key,
            "DatabaseHost": "database",
            "ReplicaHost": "replica",
            "DatabaseSecret": "arn:aws:secretsmanager:us-east-1:000000000000:secret:d",
            "CacheHost": "cache",
            "CacheSecret": "arn:aws:secretsmanager:us-east-1:000000000000:secret:c",
            "Issuer": self.cognito.issuer,
            "Jwks": self.cognito.jwks_url,
            "Logs": "logs",
        }
        stacks.create_stack(
            StackName=name,
            TemplateBody=json.dumps(adapted_templates()["queue.yaml"]),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
        outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
        changed = dataclasses.replace(
            settings,
            **self.cognito.settings,
            queue_url=outputs["Queue"],
            dead_letter_url=outputs["DeadLetters"],
            aws_region=REGION,
            aws_endpoint=self.emulator.url,
            # Shorter than in production: what was put off or not applied comes again within a test.
            queue_timeout=2.0,
            queue_tries=2,
            sweep_every=1.0,
            resend_after=10.0,
        )
        layer = Layer(self.emulator, outputs, changed)
        layer.tell(changed)
        return layer


@dataclass(frozen=True, slots=True)
class Layer:
    """A queue with its dead letters and functions; `settings` are those of nodes that send to it."""

    emulator: Emulator
    outputs: dict[str, str]
    settings: Settings

    def tell(self, settings: Settings) -> None:
        """Where the stores are: on AWS behind host names and secrets, here behind a socket and a port of this machine."""
        environ = settings.environ()
        for function in FUNCTIONS:
            self.emulator.client("lambda").update_function_configuration(
                FunctionName=self.outputs[function], Environment={"Variables": environ}
            )

    def attribute(self, url: str, name: str) -> int:
        found: dict[str, Any] = self.emulator.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        return int(found["Attributes"][name])

    def waiting(self) -> int:
        """Messages in the queue, under way or not."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(self.attribute(self.settings.queue_url, name) for name in names)

    def dead(self) -> int:
        return self.attribute(self.settings.dead_letter_url, "ApproximateNumberOfMessages")


class Stopped:
    """SQS, and all else that the emulator is, standing still: calls wait until they time out, and some are carried out long after."""

    def __init__(self, emulator: Emulator) -> None:
        self._pid = emulator.pid

    def __enter__(self) -> None:
        os.kill(self._pid, signal.SIGSTOP)

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)
