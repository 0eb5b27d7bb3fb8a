"""The contract documents, and whether what was seen on the wire is in them."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7, DRAFT202012

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

ROOT: Final = Path(__file__).parent.parent
VECTORS: Final = ROOT / "tests" / "vectors"
_OPENAPI: Final = "urn:openapi"
_ASYNCAPI: Final = "urn:asyncapi"


@cache
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((ROOT / "api" / "openapi.json").read_bytes())
    return document


@cache
def asyncapi() -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads((ROOT / "api" / "asyncapi.json").read_bytes())
    return document


def tightened(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its named objects closed: clients ignore fields they do not know, we send none that are not named."""
    copy: dict[str, Any] = orjson.loads(orjson.dumps(document))
    for schema in copy["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return copy


@cache
def _registry() -> Registry[Any]:
    resources = [
        (_OPENAPI, Resource.from_contents(tightened(openapi()), default_specification=DRAFT202012)),
        (_ASYNCAPI, Resource.from_contents(tightened(asyncapi()), default_specification=DRAFT7)),
    ]
    return Registry().with_resources(resources)


@cache
def _rest_validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{_OPENAPI}#{pointer}"}, registry=_registry())


@cache
def _live_validator(schema: str) -> Draft7Validator:
    return Draft7Validator({"$ref": f"{_ASYNCAPI}#/components/schemas/{schema}"}, registry=_registry())


def pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def resolved(document: dict[str, Any], node: dict[str, Any], at: str = "") -> tuple[dict[str, Any], str]:
    """A node that may be a reference, and the pointer to where it stands."""
    if "$ref" not in node:
        return node, at
    at = node["$ref"].removeprefix("#")
    target: Any = document
    for part in at.strip("/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return target, at


# -- REST ----------------------------------------------------------------------------------------------------------------


@cache
def _templates() -> list[tuple[re.Pattern[str], str]]:
    # Fixed segments before parameters, as the router has them.
    paths = sorted(openapi()["paths"], key=lambda path: (path.count("{"), path))
    return [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in paths]


def path_of(url_path: str) -> str | None:
    """The path of the document that a request's path is one of."""
    return next((path for pattern, path in _templates() if pattern.fullmatch(url_path)), None)


async def check_answer(response: httpx.Response) -> None:
    """An httpx hook: the answer must be one that openapi.json has, and what was accepted must be in it, too.

    The body of an answer without end is left to whoever reads it: `check_event`.
    """
    if not _endless(response):
        await response.aread()
    request = response.request
    path, method = path_of(request.url.raw_path.decode().split("?")[0]), request.method.lower()
    operation = openapi()["paths"].get(path, {}).get("get" if method == "head" else method)
    if operation is None or path is None:
        name = "NotFound" if path is None else "MethodNotAllowed"
        _check_response(openapi()["components"]["responses"][name], pointer("components", "responses", name), response)
        return
    where = pointer("paths", path, "get" if method == "head" else method, "responses", str(response.status_code))
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{method} {path} answered {response.status_code}, which is not declared"
    _check_response(*resolved(openapi(), declared, where), response)
    if response.is_success and "application/json" in operation.get("requestBody", {}).get("content", {}):
        _check_accepted(path, method, json.loads(request.content), orjson.loads(response.content))


def _check_accepted(path: str, method: str, sent: Any, answer: Any) -> None:
    if isinstance(sent, list):
        # A batch is taken row by row.
        for row, result in zip(sent, answer["results"], strict=True):
            if "code" not in result:
                check_rest("Submission", row)
        return
    where = pointer("paths", path, method, "requestBody", "content", "application/json", "schema")
    _rest_validator(where).validate(sent)


def _check_response(declared: dict[str, Any], at: str, response: httpx.Response) -> None:
    for name, reference in declared.get("headers", {}).items():
        header, where = resolved(openapi(), reference)
        value = response.headers.get(name)
        assert value is not None or not header.get("required"), f"{name} is missing from {response!r}"
        if value is not None:
            _rest_validator(where + "/schema").validate(value)
    if response.request.method == "HEAD" or "content" not in declared:
        assert not response.content
        return
    kind = _kind(response)
    assert kind in declared["content"], f"{kind} is not declared for {response!r}"
    if _endless(response):
        return
    value = orjson.loads(response.content) if kind.endswith("json") else response.text
    _rest_validator(at + pointer("content", kind, "schema")).validate(value)


def _kind(response: httpx.Response) -> str:
    return response.headers.get("content-type", "").split(";")[0]


def _endless(response: httpx.Response) -> bool:
    return _kind(response) == "text/event-stream"


def check_rest(schema: str, value: object) -> None:
    """Raises ValidationError unless `value` is what openapi.json names `schema`."""
    _rest_validator(pointer("components", "schemas", schema)).validate(value)


def rest_examples() -> Iterator[tuple[str, str, object]]:
    """Where an example stands, the pointer to its schema, and the example."""
    yield from _examples(openapi(), "")


def _examples(node: Any, at: str) -> Iterator[tuple[str, str, object]]:
    if isinstance(node, list):
        for index, one in enumerate(node):
            yield from _examples(one, f"{at}/{index}")
    elif isinstance(node, dict):
        if "schema" in node:
            if "example" in node:
                yield at, at + "/schema", node["example"]
            for name, example in node.get("examples", {}).items():
                yield f"{at} {name}", at + "/schema", example["value"]
        elif isinstance(node.get("examples"), list):
            yield from ((at, at, example) for example in node["examples"])
        for name, one in node.items():
            if name not in {"example", "examples"}:
                yield from _examples(one, at + pointer(name))


def check_rest_at(where: str, value: object) -> None:
    _rest_validator(where).validate(value)


# -- live ----------------------------------------------------------------------------------------------------------------


def check_frame(frame: dict[str, Any]) -> None:
    """Raises ValidationError unless asyncapi.json has this frame among what the node sends."""
    _live_validator(_schema_of(frame["type"], "send")).validate(frame)


def check_event(event: str) -> dict[str, Any]:
    """The frame of one server-sent event (without the empty line behind it), held against asyncapi.json and its own id."""
    fields = dict(line.split(": ", 1) for line in event.split("\n"))
    frame: dict[str, Any] = orjson.loads(fields.pop("data"))
    check_frame(frame)
    version = frame.get("to", frame.get("version"))
    assert fields == ({} if version is None else {"id": f"{frame['epoch']}-{version}"}), event
    return frame


def check_op(message: dict[str, Any]) -> None:
    """Raises ValidationError unless asyncapi.json has this message among what a client sends."""
    _live_validator(_schema_of(message["op"], "receive")).validate(message)


@cache
def _schema_of(name: str, action: str) -> str:
    assert name in messages(action), f"asyncapi.json has no message {name!r} that the node could {action}"
    reference: str = asyncapi()["components"]["messages"][name]["payload"]["$ref"]
    return reference.rpartition("/")[2]


def messages(action: str) -> set[str]:
    """The messages that the node sends (`send`) or takes (`receive`), by name."""
    operations = [one for one in asyncapi()["operations"].values() if one["action"] == action]
    return {reference["$ref"].rpartition("/")[2] for one in operations for reference in one["messages"]}


# -- vectors -------------------------------------------------------------------------------------------------------------


def vectors(kind: str) -> dict[str, dict[str, Any]]:
    """The vector files of a kind (`client`, `server`, `reducer`), by name: for messages their type or op, and what of it."""
    return {
        path.name.removeprefix(f"{kind}.").removesuffix(".json"): orjson.loads(path.read_bytes())
        for path in sorted(VECTORS.glob(f"{kind}.*.json"))
    }
