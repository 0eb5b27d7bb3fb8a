"""The CloudFormation templates as data: each short form (`!Ref`, `!GetAtt`, `!Sub`…) in its long form."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent.parent / "infra" / "aws"
PARENT = "rankcast.yaml"
ANSWERS = "checkov.yaml"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML with CloudFormation's tags."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def parse(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    return document


def templates() -> dict[str, dict[str, Any]]:
    """Every template by its file's name; who changes what is returned changes a copy."""
    return deepcopy(_read())


@cache
def _read() -> dict[str, dict[str, Any]]:
    return {path.name: parse(path.read_text()) for path in sorted(FOLDER.glob("*.yaml")) if path.name != ANSWERS}


def resources(kind: str = "") -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File, logical name and resource, of one type or of all."""
    for file, template in templates().items():
        for name, resource in template["Resources"].items():
            if not kind or resource["Type"] == kind:
                yield file, name, resource


def one(file: str, name: str) -> dict[str, Any]:
    """The properties of a resource."""
    properties: dict[str, Any] = templates()[file]["Resources"][name]["Properties"]
    return properties


def walk(value: Any) -> Iterator[Any]:
    """Every value inside, the whole first."""
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from walk(child)


def listed(value: Any) -> list[Any]:
    """IAM lets a list of one stand as itself."""
    return value if isinstance(value, list) else [value]


def statements() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """File, logical name and statement of every policy that gives or takes a right, trust policies aside."""
    for file, name, resource in resources():
        properties = resource.get("Properties", {})
        for value in walk({key: entry for key, entry in properties.items() if key != "AssumeRolePolicyDocument"}):
            if isinstance(value, dict) and "Effect" in value and "Action" in value:
                yield file, name, value
