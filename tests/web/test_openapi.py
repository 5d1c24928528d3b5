"""The description of the API against the API."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from correlate_strategies import EPOCH, inventory
from web_fakes import FakeService, Site, serving

from eventd.contract import Batch
from eventd.correlate.hush import Silence
from eventd.model import Fault, Malformed, Notification, utc
from eventd.web.openapi import document
from eventd.web.operations import OPERATIONS, Operation
from eventd.web.server import WebServer
from eventd.web.settings import Token
from eventd.web.stream import EVENT_STREAM

STORY = (
    "0 stop dpd timeout\n1 fail authentication fail\n2 start peer=2.1.1.2 device=FW2\n3 stop aaa cut user peer=2.1.1.3"
)


TOKEN = "operate-token-0123456789"
#: What each change is asked to do, and which query each list needs.
BODIES = {"/api/v1/silences": {"match": {"device": "FW9"}, "duration": "1h"}}
QUERIES = {"/api/v1/explain": "?peer=2.1.1.1", "/why": "?peer=2.1.1.1"}
API = [operation for operation in OPERATIONS if operation.path.startswith("/api/")]
#: A stream does not end by itself; `test_stream.py` has it.
ENDING = [operation for operation in OPERATIONS if operation.returns != (EVENT_STREAM,)]


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


@pytest.fixture
async def site():
    tokens = {TOKEN: Token(name="ops", role="operate")}
    async with serving(FakeService(inventory=inventory(name="Branch-1", site="Oslo"), tokens=tokens)) as site:
        await site.service.tell(STORY, until=120)
        error = Fault(reason="bad_ber", offset=3)
        refused = Malformed(None, "snmp-v2c", utc(EPOCH), "192.0.2.1", error, "3003")
        about = site.service.correlator.open_incidents()[0]
        waits = Notification("n1", "noc", "opened", about, utc(EPOCH))
        await site.service.store.commit(Batch(malformed=[refused], notifications=[waits]))
        site.service.correlator.silence(Silence("s1", {"device": "FW9"}, EPOCH, EPOCH + 900, "ann"), EPOCH + 120)
        yield site


async def asked(site: Site, operation: Operation) -> tuple[int, Mapping[str, str], str]:
    [incident, *_] = (await site.json("incidents?status=open"))["items"]
    rooms = {"silences": "s1", "outbox": "n1"}
    ident = next((known for room, known in rooms.items() if room in operation.path), incident["id"])
    path = operation.path.replace("{id}", ident) + QUERIES.get(operation.path, "")
    sent = {"json": BODIES.get(operation.path, {})} if operation.takes else {}
    return await site.ask(path, method=operation.method.upper(), token=TOKEN, **sent)


def test_every_route_is_described_and_everything_described_is_a_route() -> None:
    app = WebServer(FakeService()).make_app()
    routes = {(route.method.lower(), route.resource.canonical) for route in app.router.routes()}
    described = {(method, path) for path, methods in document()["paths"].items() for method in methods}
    assert routes - {("head", path) for _, path in described} == described
    assert len(described) == len(OPERATIONS)


@pytest.mark.parametrize("operation", API, ids=named)
async def test_every_query_key_is_described_and_every_key_described_is_taken(site: Site, operation) -> None:
    path = operation.path.replace("{id}", "x") + "?no-such-key=1"
    told = await site.ask(path, method=operation.method.upper(), token=TOKEN)
    assert told[0] == 400
    known = json.loads(told[2])["error"].rpartition("known keys: ")[2]
    parameters = document()["paths"][operation.path][operation.method]["parameters"]
    assert [p["name"] for p in parameters if p["in"] == "query"] == ([] if known == "none" else known.split(", "))


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.takes], ids=named)
async def test_every_key_of_a_body_is_described_and_every_key_described_is_taken(site: Site, operation) -> None:
    path, method = operation.path.replace("{id}", "x"), operation.method
    told = await site.ask(path, method=method.upper(), token=TOKEN, json={"no-such-key": 1})
    assert told[0] == 400
    known = json.loads(told[2])["error"].rpartition("known keys: ")[2].split(", ")
    schema = document()["paths"][operation.path][method]["requestBody"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == known
    assert all(f"{name}: is missing" in told[2] for name in schema["required"])


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if "limit" in o.keys], ids=named)
async def test_every_value_of_a_closed_set_is_taken(site: Site, operation) -> None:
    for name, key in operation.keys.items():
        for value in key.schema.get("enum", ()):
            assert (await site.ask(f"{operation.path}?{name}={value}"))[0] == 200, (name, value)


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if not isinstance(o.returns, tuple)], ids=named)
async def test_answers_have_the_keys_that_are_described(site: Site, operation) -> None:
    status, _, text = await asked(site, operation)
    assert status == operation.status, text
    answer = json.loads(text)
    schema = document()["components"]["schemas"][operation.returns.__name__]
    rows = answer["items"] if operation.pages else [answer]
    assert rows
    for row in rows:
        assert list(row) == list(schema["properties"])
        assert set(schema["required"]) == set(schema["properties"])
        msgspec.convert(row, operation.returns)


@pytest.mark.parametrize("operation", ENDING, ids=named)
async def test_answers_have_the_media_type_that_is_described(site: Site, operation) -> None:
    status, headers, _ = await asked(site, operation)
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
            begin = rf"\| `{operation.method.upper()} {re.escape(operation.path)}[?`]"
            [line] = [line for line in text.splitlines() if re.match(begin, line)]
            told = re.findall(
                r"[?&](\w+)=", line.split("|", 2)[1] if operation.keys == {} else line.partition("` |")[0]
            )
            assert told == list(operation.keys), operation.path
            assert all(f"`{name}`" in line for name in operation.takes), operation.path
