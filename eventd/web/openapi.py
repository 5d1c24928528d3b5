"""``/api/v1/openapi.json``: the operations as OpenAPI 3.1."""

from functools import cache
from typing import Any

import msgspec

import eventd
from eventd.web import query as q
from eventd.web.operations import JSON, OPERATIONS, SCHEMAS, TEXT, Operation

MEANINGS = {
    400: "A key of the query or body is unknown or has no usable value; the error names all that can be given.",
    401: "A token is needed.",
    403: "The token does not allow this, or none that would is configured.",
    404: "There is no such thing.",
    409: "It is over or done already, or cannot be done right now; the error says why.",
    413: "The body is too long.",
    422: "The configuration cannot be used; the old one keeps running.",
    503: "The store cannot be read or written, or eventd cannot be relied on right now.",
}
#: Refusals whose text is not JSON: operations are used from shells.
PLAIN_REFUSALS = {"/-/ready", "/-/reload"}


@cache
def document() -> dict[str, Any]:
    """The whole document, fit for `eventd.model.to_json`."""
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eventd",
            "version": eventd.__version__,
            "description": "Why IPsec tunnels went down. Times are RFC 3339 in UTC; lists are paged by `next`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY},
    }


_SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token of [[web.tokens]]."},
    "password": {"type": "http", "scheme": "basic", "description": "A token as password, to read with a browser."},
}
#: Reading needs a token only where one of role `read` is configured.
_MAY_READ: list[dict[str, list[str]]] = [{}, {"bearer": []}, {"password": []}]
_MAY_CHANGE: list[dict[str, list[str]]] = [{"bearer": []}]


def _operation(operation: Operation) -> dict[str, Any]:
    refusals = {str(status): _refusal(operation.path, status) for status in operation.refusals}
    described = {
        "summary": operation.does,
        "tags": [operation.tag],
        "security": _MAY_READ if operation.method == "get" else _MAY_CHANGE,
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation.keys)],
        "responses": {
            str(operation.status): {"description": "The answer.", "content": _content(operation)},
            **refusals,
        },
    }
    return described | {"requestBody": _body(operation)} if operation.takes else described


def _body(operation: Operation) -> dict[str, Any]:
    properties = {name: {"description": key.description, **key.schema} for name, key in operation.takes.items()}
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(operation.needs),
        "additionalProperties": False,
    }
    return {"required": bool(operation.needs), "content": {JSON: {"schema": schema}}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}] if "{id}" in path else []


def _query_parameters(keys: q.Keys) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "description": key.description, "schema": dict(key.schema)}
        for name, key in keys.items()
    ]


def _refusal(path: str, status: int) -> dict[str, Any]:
    plain = path in PLAIN_REFUSALS and status not in (401, 403)
    content = {TEXT: {"schema": {"type": "string"}}} if plain else {JSON: {"schema": _reference("Error")}}
    return {"description": MEANINGS[status], "content": content}


def _content(operation: Operation) -> dict[str, Any]:
    if isinstance(operation.returns, tuple):
        return {media: {"schema": {"type": "object" if media == JSON else "string"}} for media in operation.returns}
    one = _reference(operation.returns.__name__)
    return {JSON: {"schema": _page_of(one, operation.keys["before"]) if operation.pages else one}}


def _page_of(row: dict[str, str], cursor: q.Key) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": row},
            "next": {"type": [cursor.schema["type"], "null"], "description": "Pass it as `before`; null at the end."},
        },
    }


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas() -> dict[str, Any]:
    """JSON schemas of all rows. Answers have every key always, also where the type has a default."""
    _, schemas = msgspec.json.schema_components(SCHEMAS, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        schema["required"] = list(schema["properties"])
        for key in schema["properties"].values():
            key.pop("default", None)
    return schemas
