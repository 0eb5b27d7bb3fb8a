"""The contract documents against the code that they describe."""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft7Validator, Draft202012Validator, ValidationError
from openapi_spec_validator import validate as validate_openapi
from starlette.routing import Mount, Route, WebSocketRoute

from api import problems
from api.app import ROUTES
from realtime.core import closing, errors, messages
from tests import documents

NEVER_ANSWERED = {
    # Classes that only group others.
    "refused",
    "bad_request",
    "score_refused",
    "conflict",
    # Handled inside: the ranking that refuses is unavailable to the caller, a hole is read over,
    # and who asks for a past that is gone is told the present.
    "ranking_refused",
    "version_gap",
    "history_gone",
    # What comes back from the queue or the outbox is put aside, and the reason with it.
    "unreadable",
    # A process that does not start.
    "setting_invalid",
}
NOTICES = {"token_expiring"}
"""Codes of what a node says unasked: nothing was refused."""
OF_STARLETTE = {"not_found": 404, "method_not_allowed": 405, "http_error": None}


def tree(kind: type[errors.RankcastError] = errors.RankcastError) -> list[type[errors.RankcastError]]:
    return [
        kind,
        *(one for child in kind.__subclasses__() if child.__module__ == errors.__name__ for one in tree(child)),
    ]


def rest_codes() -> dict[str, set[int]]:
    """Each code of openapi.json's answers with the statuses it is declared under."""
    found: dict[str, set[int]] = {}

    def collect(node: Any) -> None:
        if isinstance(node, dict):
            fields = node.get("properties", {})
            if "code" in fields and "const" in fields["status"]:
                for code in fields["code"]["enum"]:
                    found.setdefault(code, set()).add(fields["status"]["const"])
            for one in node.values():
                collect(one)
        elif isinstance(node, list):
            for one in node:
                collect(one)

    collect(documents.openapi())
    return found


# -- openapi.json --------------------------------------------------------------------------------------------------------


def test_openapi_json_is_openapi() -> None:
    validate_openapi(documents.openapi())


def test_a_document_that_is_not_openapi_is_noticed() -> None:
    broken = copy.deepcopy(documents.openapi())
    broken["paths"]["/v1/boards"]["get"]["responses"]["200"].pop("description")
    with pytest.raises(Exception, match="description"):
        validate_openapi(broken)


def test_every_route_is_in_openapi_json_and_every_operation_has_a_route() -> None:
    routed = {
        (route.path, method.lower())
        for route in ROUTES
        if isinstance(route, Route)
        for method in (route.methods or ())
        if method != "HEAD"
    }
    declared = {
        (path, method)
        for path, item in documents.openapi()["paths"].items()
        for method in item
        if method in {"get", "put", "post", "delete", "patch"}
    }
    assert declared == routed
    assert {route.path for route in ROUTES if isinstance(route, Mount)} == {"/web"}


def test_every_live_route_is_a_channel_of_asyncapi_json() -> None:
    routed = {route.path for route in ROUTES if isinstance(route, WebSocketRoute)}
    assert {channel["address"] for channel in documents.asyncapi()["channels"].values()} == routed


def test_the_parameters_of_a_path_are_those_of_its_template() -> None:
    for path, item in documents.openapi()["paths"].items():
        named = [
            documents.resolved(documents.openapi(), one)[0]["name"]
            for one in item.get("parameters", [])
            if documents.resolved(documents.openapi(), one)[0]["in"] == "path"
        ]
        assert named == re.findall(r"\{(\w+)\}", path)


def test_every_code_of_the_error_tree_is_in_a_document_under_its_status() -> None:
    live = set(documents.asyncapi()["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    rest = rest_codes()
    for error in tree():
        if error.code in NEVER_ANSWERED:
            assert error.code not in live | rest.keys()
        else:
            assert error.code in live | rest.keys(), f"no document has {error.code}"
        if error.code in rest and error.code not in OF_STARLETTE:
            made = error.__new__(error)
            assert rest[error.code] == {problems.status_of(made)}


def test_every_code_of_the_documents_is_one_that_we_answer() -> None:
    ours = {error.code for error in tree()} - NEVER_ANSWERED | OF_STARLETTE.keys()
    live = set(documents.asyncapi()["components"]["schemas"]["Error"]["properties"]["code"]["enum"])
    assert set(documents.openapi()["components"]["schemas"]["Code"]["enum"]) == rest_codes().keys() | {"http_error"}
    assert rest_codes().keys() | live <= ours | NOTICES
    assert live == documents.asyncapi()["x-error-codes"].keys()
    for code, status in OF_STARLETTE.items():
        assert status is None or status in rest_codes()[code]


def test_what_is_never_answered_is_never_raised_to_a_caller() -> None:
    """The classes that group others are raised nowhere; so their codes need no place in a document."""
    sources = "".join(
        path.read_text()
        for folder in ("api", "realtime", "infra", "workers")
        for path in (documents.ROOT / folder).rglob("*.py")
    )
    groups = {
        error.__name__ for error in tree() if error.code in {"refused", "bad_request", "score_refused", "conflict"}
    }
    assert groups == {"Refused", "BadRequest", "ScoreRefused", "Conflict"}
    for name in groups:
        assert not re.search(rf"raise (errors\.)?{name}\b", sources)


EXAMPLES = list(documents.rest_examples())


def test_the_documents_have_examples() -> None:
    assert len(EXAMPLES) > 20


@pytest.mark.parametrize(
    ("where", "example"), [(at, one) for _, at, one in EXAMPLES], ids=[name for name, _, _ in EXAMPLES]
)
def test_an_example_of_openapi_json_is_what_its_schema_says(where: str, example: object) -> None:
    documents.check_rest_at(where, example)


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ("Integer", [0, -(2**53 - 1), 2**53 - 1, str(2**53), str(-(2**63))], [2**53, "1", "007", "1e5", 1.5, None]),
        ("IntegerSent", [0, 2**63 - 1, -(2**63), "0", "-1", str(2**63 - 1)], [2**63, 1.5, "1e5", "01", "", True, None]),
        ("Id", ["a", "A.b_c-9", "x" * 64], ["", "x" * 65, "a b", "ä", 7, "a/b"]),
        ("Name", ["Ada", "队伍", "🎈"], ["", "x" * 65, "a\nb", "a\x00", "a\u2028b", "a\x85b"]),
    ],
)
def test_a_schema_draws_the_line_where_the_service_does(schema: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        documents.check_rest(schema, value)
    for value in bad:
        with pytest.raises(ValidationError):
            documents.check_rest(schema, value)


# -- asyncapi.json -------------------------------------------------------------------------------------------------------


def asyncapi_schema() -> Draft7Validator:
    return Draft7Validator(orjson.loads((Path(__file__).parent / "asyncapi.schema.json").read_bytes()))


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [one for value in node.values() for one in references(value)]
    return [one for value in node for one in references(value)] if isinstance(node, list) else []


def test_asyncapi_json_is_asyncapi() -> None:
    asyncapi_schema().validate(documents.asyncapi())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("asyncapi"),
        lambda document: document["channels"]["live"].pop("address"),
        lambda document: document["operations"]["ping"].update(action="publish"),
        lambda document: document["components"]["schemas"]["Ping"].update(type="thing"),
        lambda document: document["components"]["messages"]["ping"].update(payload={"type": "object"}),
    ],
)
def test_a_document_that_is_not_asyncapi_is_noticed(spoil: Callable[[dict[str, Any]], object]) -> None:
    broken = copy.deepcopy(documents.asyncapi())
    spoil(broken)
    with pytest.raises(ValidationError):
        asyncapi_schema().validate(broken)


def test_every_reference_of_the_documents_leads_somewhere() -> None:
    for document in (documents.openapi(), documents.asyncapi()):
        for reference in references(document):
            documents.resolved(document, {"$ref": reference})


def test_nothing_stands_in_the_documents_that_nothing_refers_to() -> None:
    for document, unused in ((documents.openapi(), {"NotFound", "MethodNotAllowed"}), (documents.asyncapi(), set())):
        named = set(references(document))
        for kind, parts in document["components"].items():
            for part in parts:
                if part not in unused and kind != "securitySchemes":
                    assert f"#/components/{kind}/{part}" in named, f"{kind} {part}"


def test_the_schemas_of_both_documents_are_json_schema() -> None:
    for schema in documents.openapi()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for schema in documents.asyncapi()["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)


def test_what_both_documents_describe_they_describe_alike() -> None:
    rest, live = (one["components"]["schemas"] for one in (documents.openapi(), documents.asyncapi()))
    shared = {"Id", "Integer", "Score", "Seq", "Total", "RankMode", "ShownName", "Country", "Picture", "Entry"}
    assert shared <= rest.keys() & live.keys()
    for name in shared:
        assert rest[name] == live[name], name


def test_every_message_travels_and_is_what_its_name_says() -> None:
    document = documents.asyncapi()
    sent, taken = documents.messages("send"), documents.messages("receive")
    assert not sent & taken
    assert sent | taken == document["components"]["messages"].keys() == document["channels"]["live"]["messages"].keys()
    for name, message in document["components"]["messages"].items():
        assert message["name"] == name
        for example in message["examples"]:
            (documents.check_frame if name in sent else documents.check_op)(example["payload"])


def test_the_close_codes_are_those_of_the_one_table() -> None:
    declared = [(one["code"], one["reason"], one["comeBack"]) for one in documents.asyncapi()["x-close-codes"]]
    assert declared == [(close.code, close.reason, close.come_back) for close in closing.ALL]


def test_the_views_are_bounded_as_the_core_bounds_them() -> None:
    live = documents.asyncapi()["components"]["schemas"]
    parameters = documents.openapi()["paths"]["/v1/boards/{board}/live"]["get"]["parameters"]
    events = {one["name"]: one["schema"] for one in parameters}
    for limit, radius in (
        (live["SubscribeTop"]["properties"]["limit"], live["SubscribeAround"]["properties"]["radius"]),
        (events["limit"], events["radius"]),
    ):
        assert tuple(limit["enum"]) == messages.TOP_LIMITS
        assert limit["default"] == messages.TOP_LIMITS[0]
        assert (radius["minimum"], radius["maximum"]) == (1, messages.MAX_RADIUS)
        assert radius["default"] == messages.DEFAULT_RADIUS
    assert live["Watched"]["default"] == events["player"]["default"] == messages.ME


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("rank", {"topic": "harbin/top/10"}),
        ("rank", {"topic": "harbin/player/a/b"}),
        ("rank", {"rank": 0}),
        ("rank", {"passed_by": ["a", "b", "c", "d"]}),
        ("delta.around", {"position": -1}),
        ("delta.around", {"topic": "harbin/top/10"}),
        ("delta", {"position": 0}),
        ("snapshot.around", {"topic": "harbin/around/E10/11"}),
        ("check", {"rank": 1}),
        ("check.player", {"position": 1}),
        ("drain", {"reconnect_in_ms": -1}),
    ],
)
def test_what_is_of_another_view_or_out_of_bounds_is_not_in_asyncapi_json(kind: str, change: dict[str, Any]) -> None:
    frame = documents.vectors("server")[kind]["messages"][0]
    documents.check_frame(frame)
    with pytest.raises(ValidationError):
        documents.check_frame({**frame, **change})


def test_an_event_is_a_message_under_the_version_that_it_leads_to() -> None:
    for name, lead in (("delta", "7-414"), ("rank", "7-411"), ("snapshot", "7-412"), ("check", "7-415")):
        text = orjson.dumps(documents.vectors("server")[name]["messages"][0]).decode()
        assert documents.check_event(f"id: {lead}\ndata: {text}")["type"] == name
        for wrong in (f"data: {text}", f"id: 7-1\ndata: {text}", f"id: {lead}\ndata: {text}\nevent: x"):
            with pytest.raises(AssertionError):
                documents.check_event(wrong)
    assert documents.check_event('data: {"type":"pong"}') == {"type": "pong"}


def test_every_message_that_the_core_can_encode_is_in_asyncapi_json() -> None:
    helpers = {"parse", "view", "request_id", "entries", "checksum", "first_rank"}
    # Each kind of topic has an encoder of its own: `snapshot`, `snapshot_around`.
    encoders = {
        name.partition("_")[0]
        for name, one in inspect.getmembers(messages, inspect.isfunction)
        if one.__module__ == messages.__name__ and not name.startswith("_") and name not in helpers
    }
    assert encoders == documents.messages("send")
