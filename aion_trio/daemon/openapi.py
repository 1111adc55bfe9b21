"""The OpenAPI 3.1 description, generated from the operations and the wire models."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import msgspec

import aion_trio

from ..protocol import API, KINDS, MEDIA_TYPE, models
from .operations import OPERATIONS, STREAMS, Operation, Stream

_REF = "#/components/schemas/{name}"
_ALWAYS = (
    "malformed_request",
    "unauthorized",
    "host_not_allowed",
    "headers_too_large",
    "unavailable",
    "internal_error",
    "engine_timed_out",
)
_WRITES = ("forbidden", "cross_site", "unsupported_media_type", "request_too_large", "request_timed_out")


@cache
def document() -> bytes:
    """The description as JSON."""
    return json.dumps(description(), indent=1, ensure_ascii=False).encode()


def description() -> dict[str, Any]:
    """The description as plain data."""
    bodies = [each.body for each in OPERATIONS if each.body is not None]
    answers = [*(each.answer for each in OPERATIONS), models.Problem, models.StatusChange, models.Health]
    _, components = msgspec.json.schema_components([*bodies, *answers], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(API + operation.path, {})[operation.method.lower()] = _operation(operation)
    for stream in STREAMS:
        paths.setdefault(API + stream.path, {})["get"] = _stream(stream)
    paths["/health/live"] = {"get": _health("live", "Whether the daemon's gateway answers.")}
    paths["/health/ready"] = {"get": _health("ready", "Whether the engine has recovered and answers; 503 while it drains.")}
    return {
        "openapi": "3.1.0",
        "info": {"title": "aion-trio", "version": aion_trio.__version__, "description": (models.__doc__ or "").strip()},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{}, {"token": []}],
    }


def _operation(operation: Operation) -> dict[str, Any]:
    kinds = (*_ALWAYS, *(_WRITES if operation.body is not None else ()), *operation.errors)
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.doc,
        "parameters": _parameters(operation.path, operation.params),
        "responses": {"200": _content("application/json", _ref(operation.answer), operation.answer.__doc__ or ""), **_problems(kinds)},
    }
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(operation.body)}}}
    return described


def _stream(stream: Stream) -> dict[str, Any]:
    parameters = _parameters(stream.path, stream.params)
    if stream.params is models.FollowParams:
        parameters.append({"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "integer", "minimum": 0}})
    return {
        "operationId": stream.name,
        "summary": stream.doc,
        "parameters": parameters,
        "responses": {"200": _content(stream.media_type, {"type": "string"}, stream.doc), **_problems((*_ALWAYS, *stream.errors))},
    }


def _health(name: str, doc: str) -> dict[str, Any]:
    answer = _content("application/json", _ref(models.Health), doc)
    return {
        "operationId": name,
        "summary": doc,
        "security": [{}],
        "responses": {"200": answer, "503": answer, **_problems(("host_not_allowed",))},
    }


def _parameters(path: str, params: type[models.Request]) -> list[dict[str, Any]]:
    (_,), components = msgspec.json.schema_components([params], ref_template=_REF)
    schema = components[params.__name__]
    return [
        {
            "name": name,
            "in": "path" if f"{{{name}}}" in path else "query",
            "required": name in schema.get("required", ()),
            "schema": _without_null(found),
        }
        for name, found in schema["properties"].items()
    ]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter is left out rather than null."""
    kinds = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else {key: part for key, part in schema.items() if part is not None}


def _ref(model: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=model.__name__)}


def _content(media_type: str, schema: dict[str, Any], doc: str) -> dict[str, Any]:
    return {"description": doc, "content": {media_type: {"schema": schema}}}


def _problems(codes: tuple[str, ...]) -> dict[str, Any]:
    """The answers with a problem, by status; each says which codes it may have."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        str(status): _content(MEDIA_TYPE, _ref(models.Problem), "Problem: " + ", ".join(dict.fromkeys(found)))
        for status, found in sorted(by_status.items())
    }
