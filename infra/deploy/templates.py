"""The CloudFormation templates of a folder: as they are, as data, and as a bucket holds them.

A parent names its layers by their file (`TemplateURL: network.yaml`). In the bucket each file's name is its content's hash, and the
parent names those: a layer that did not change keeps its address, so no change set touches it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from infra.deploy.errors import PackagingFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER: Final = Path(__file__).parent.parent / "aws"
STACK: Final = "AWS::CloudFormation::Stack"

_MARK: Final = "AWSTemplateFormatVersion"
_LAYER: Final = re.compile(r"^([ ]*TemplateURL:[ ]*)([a-z0-9_-]+\.yaml)[ ]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Packed:
    """A template as the bucket holds it: `key` its name there."""

    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates by file name."""

    bodies: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path = FOLDER) -> Templates:
        """Read a folder. Raises PackagingFailed when it has no template."""
        bodies = {file.name: file.read_text() for file in sorted(folder.glob("*.yaml"))}
        # What answers a linter lies beside them.
        bodies = {name: body for name, body in bodies.items() if _MARK in body}
        if not bodies:
            raise PackagingFailed(f"there is no template in {folder}")
        return cls(bodies)

    def parsed(self, name: str) -> dict[str, Any]:
        """One of them as data. Raises PackagingFailed when it is none."""
        return parse(self._body(name))

    def layers(self, name: str) -> dict[str, str]:
        """The files that a parent names, by the logical id of the stack that each makes."""
        resources = self.parsed(name).get("Resources", {})
        return {
            logical: one["Properties"]["TemplateURL"] for logical, one in resources.items() if one.get("Type") == STACK
        }

    def packed(self, name: str, url_of: Callable[[str], str]) -> list[Packed]:
        """A parent and its layers for the bucket, the parent last. `url_of` makes the address of a key."""
        layers: list[Packed] = []

        def address(match: re.Match[str]) -> str:
            layer = self.packed(match.group(2), url_of)
            layers.extend(layer)
            return match.group(1) + url_of(layer[-1].key)

        body = _LAYER.sub(address, self._body(name))
        return [*layers, Packed(f"templates/{hashlib.sha256(body.encode()).hexdigest()[:32]}.yaml", body)]

    def _body(self, name: str) -> str:
        if name not in self.bodies:
            raise PackagingFailed(f"there is no template {name}")
        return self.bodies[name]


def parse(text: str) -> dict[str, Any]:
    """A template as data; `!Ref x` becomes {"!Ref": "x"}. Raises PackagingFailed when it is no YAML or no template."""
    try:
        document = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader, which knows the short intrinsics as well
    except yaml.YAMLError as error:
        raise PackagingFailed(f"a template is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise PackagingFailed("a template is a mapping")
    return document


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # written in C it takes a tenth
    """Reads the short form of intrinsic functions."""


def _intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {f"!{tag}": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {f"!{tag}": loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - there is no fourth kind
    return {f"!{tag}": loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)
