"""The description of the API against the API."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from correlate_strategies import inventory
from web_fakes import FakeService, Site, serving

from eventd.web.openapi import OPERATIONS, document
from eventd.web.server import WebServer

STORY = (
    "0 stop dpd timeout\n1 fail authentication fail\n2 start peer=2.1.1.2 device=FW2\n3 stop aaa cut user peer=2.1.1.3"
)


@pytest.fixture
async def site():
    async with serving(FakeService(inventory=inventory(name="Branch-1", site="Oslo"))) as site:
        await site.service.tell(STORY, until=120)
        yield site


def test_every_route_is_described_and_everything_described_is_a_route() -> None:
    app = WebServer(FakeService()).make_app()
    routes = {(route.method.lower(), route.resource.canonical) for route in app.router.routes()}
    described = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert routes - {("head", path) for _, path in described} == described
    assert len(described) == len(OPERATIONS)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.path.startswith("/api/")], ids=lambda o: o.path)
async def test_every_query_key_is_described_and_every_key_described_is_taken(site: Site, operation) -> None:
    told = await site.ask(operation.path.replace("{id}", "x") + "?no-such-key=1")
    assert told[0] == 400
    known = json.loads(told[2])["error"].rpartition("known keys: ")[2]
    parameters = document()["paths"][operation.path]["get"]["parameters"]
    assert [p["name"] for p in parameters if p["in"] == "query"] == ([] if known == "none" else known.split(", "))


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if "limit" in o.keys], ids=lambda o: o.path)
async def test_every_value_of_a_closed_set_is_taken(site: Site, operation) -> None:
    for name, key in operation.keys.items():
        for value in key.schema.get("enum", ()):
            assert (await site.ask(f"{operation.path}?{name}={value}"))[0] == 200, (name, value)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if not isinstance(o.returns, tuple)], ids=lambda o: o.path)
async def test_answers_have_the_keys_that_are_described(site: Site, operation) -> None:
    [incident, *_] = (await site.json("incidents"))["items"]
    answer = json.loads((await site.ask(operation.path.replace("{id}", incident["id"])))[2])
    schema = document()["components"]["schemas"][operation.returns.__name__]
    rows = answer["items"] if operation.pages else [answer]
    assert rows
    for row in rows:
        assert list(row) == list(schema["properties"])
        assert set(schema["required"]) == set(schema["properties"])
        msgspec.convert(row, operation.returns)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method} {o.path}")
async def test_answers_have_the_media_type_that_is_described(site: Site, operation) -> None:
    [incident, *_] = (await site.json("incidents"))["items"]
    path = operation.path.replace("{id}", incident["id"])
    status, headers, _ = await site.ask(path, method=operation.method.upper())
    described = document()["paths"][operation.path][operation.method]["responses"][str(status)]["content"]
    assert headers["Content-Type"].partition(";")[0] in described


async def test_the_document_is_served_and_every_reference_in_it_leads_somewhere(site: Site) -> None:
    served = await site.json("openapi.json")
    assert served == json.loads(json.dumps(document()))
    assert served["openapi"] == "3.1.0"

    def references(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            return own + [found for value in node.values() for found in references(value)]
        return [found for value in node for found in references(value)] if isinstance(node, list) else []

    assert references(served)
    for reference in references(served):
        target = served
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]


def test_only_the_change_needs_a_token_by_itself() -> None:
    for operation in OPERATIONS:
        security = document()["paths"][operation.path][operation.method]["security"]
        assert ({} in security) == (operation.method == "get")


def test_the_document_for_people_names_every_path_and_key() -> None:
    text = (Path(__file__).parent.parent.parent / "docs/events.md").read_text()
    for operation in OPERATIONS:
        if operation.path.startswith("/api/"):
            [line] = [line for line in text.splitlines() if re.match(rf"\| `GET {re.escape(operation.path)}[?`]", line)]
            told = re.findall(
                r"[?&](\w+)=", line.split("|", 2)[1] if operation.keys == {} else line.partition("` |")[0]
            )
            assert told == list(operation.keys), operation.path
