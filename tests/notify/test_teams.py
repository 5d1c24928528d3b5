"""Teams' own ways: failures under 200, a card of text that is never markup, 28 KB."""

import json
import re
from functools import cache
from typing import Any

import msgspec
import pytest
from chat_server import ChatServer, answer
from hostile import PAGE, RUNBOOK, TRIED, incident_of, over, texts, told_of
from hypothesis import given
from hypothesis import strategies as st
from notify_fakes import make_notification

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Told
from eventd.notify import teams
from eventd.notify.endpoint import Endpoint
from eventd.notify.session import Answer, Session

HERE = Endpoint("https://prod-01.westeurope.logic.azure.com/workflows/abc?sig=verysecret")
OF_OLD = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {} with ContextId x"


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (200, OF_OLD.format(429), DeliveryFailure.RATE_LIMITED, True),
        (200, OF_OLD.format(413), DeliveryFailure.TOO_LARGE, False),
        (200, OF_OLD.format(403), DeliveryFailure.REFUSED, True),
        (200, OF_OLD.format(503), DeliveryFailure.SERVER_ERROR, True),
        (200, "429", DeliveryFailure.RATE_LIMITED, True),
        (202, '{"error":{"code":"x"}}', DeliveryFailure.SERVER_ERROR, True),
        (200, "Webhook message delivery failed", DeliveryFailure.SERVER_ERROR, True),
        (200, "<html>please log in</html>", DeliveryFailure.SERVER_ERROR, True),
        (400, '{"error":{"code":"WorkflowTriggerIsNotEnabled"}}', DeliveryFailure.REFUSED, True),
        (401, '{"error":{"code":"DirectApiAuthorizationRequired"}}', DeliveryFailure.REFUSED, True),
        (404, '{"error":{"code":"WorkflowNotFound"}}', DeliveryFailure.REFUSED, True),
        (413, "", DeliveryFailure.TOO_LARGE, False),
        (429, "", DeliveryFailure.RATE_LIMITED, True),
        (502, "", DeliveryFailure.SERVER_ERROR, True),
    ],
)
def test_what_an_answer_means(status: int, body: str, reason: DeliveryFailure, retryable: bool) -> None:
    error = teams.judge(Answer(status, body), HERE)
    assert error is not None
    assert (error.reason, error.retryable) == (reason, retryable)


@pytest.mark.parametrize(("status", "body"), [(202, ""), (200, "1"), (200, ""), (200, '{"posted":true}')])
def test_taken(status: int, body: str) -> None:
    assert teams.judge(Answer(status, body), HERE) is None


@cache
def nowhere() -> Any:
    return teams.NOTIFIER.build("ops", teams.Settings(url="http://127.0.0.1:9/x"), Session())


def sent(told: Told) -> bytes:
    return msgspec.json.encode(nowhere().message(nowhere().card(told, nowhere().body(told))))


def card_of(message: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message)["attachments"][0]["content"]
    return found


def objects(found: Any) -> list[dict[str, Any]]:
    """Every object in a card."""
    if isinstance(found, list):
        return [each for one in found for each in objects(one)]
    if not isinstance(found, dict):
        return []
    return [found, *(each for one in found.values() for each in objects(one))]


def text_of(card: dict[str, Any]) -> str:
    blocks = [each for each in objects(card) if each.get("type") == "RichTextBlock"]
    return "\n".join("".join(run["text"] for run in block["inlines"]) for block in blocks)


def test_a_card_reads_as_the_layout_says() -> None:
    card = card_of(sent(make_notification(incident=incident_of("FW1", title="down: dpd timeout"))))
    text = text_of(card)
    assert text.startswith("MAJOR down: dpd timeout\nWhat: FW1\nDevice: FW1 (site FW1")
    assert "What happened\n• FW1\n• 22:13:00 FW1" in text
    bold = [run["text"] for run in objects(card) if run.get("weight") == "Bolder"]
    assert "Device:" in bold
    links = {run["text"]: run["selectAction"]["url"] for run in objects(card) if "selectAction" in run}
    assert links == {RUNBOOK: RUNBOOK, "a1b2c3d4e5f6": PAGE}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "eventd", "url": PAGE}]


@TRIED
@given(texts)
def test_nothing_from_the_wire_is_more_than_text(text: str) -> None:
    message = sent(told_of(text))
    assert len(message) <= teams.MAX_MESSAGE
    card = card_of(message)
    kinds = {each["type"] for each in objects(card) if "type" in each}
    assert kinds <= {"AdaptiveCard", "Container", "RichTextBlock", "TextRun", "Action.OpenUrl"}, "no TextBlock"
    assert {each["url"] for each in objects(card) if "url" in each} <= {PAGE, RUNBOOK}
    assert not re.search(r"\{\{|\$\{|[\ue000-\ue004\n]", text_of(card).replace("\n", ""))
    assert "entities" not in card["msteams"]


@TRIED
@given(st.sampled_from(['"', "\\", "é", "本", "\U0001f525", "x", "a "]), st.integers(1, 700))
def test_no_message_is_larger_than_28_kb(char: str, times: int) -> None:
    long = incident_of(char * times, chain=(char * times,) * 50, actions=(char * times,) * 50)
    assert len(sent(make_notification(incident=long))) <= teams.MAX_MESSAGE


def test_a_rehearsal_shows_text_without_our_marks() -> None:
    text = nowhere().text(told_of("x"))
    assert not re.search("[\ue000-\ue004]", text)
    assert f"a1b2c3d4e5f6 {PAGE}" in text


def test_an_address_that_would_not_fit_has_no_button() -> None:
    told = make_notification(incident=incident_of("x", url="https://e.example/" + "y" * 5000, runbook_url=None))
    message = sent(told)
    assert len(message) <= teams.MAX_MESSAGE
    assert "actions" not in card_of(message)


def test_lines_keep_together_what_the_layout_keeps_together() -> None:
    spacings = [block["spacing"] for block in teams.blocks("a\nb\n\nc")]
    assert spacings == ["Default", "None", "Default"]


@pytest.mark.parametrize(("told", "style"), [(make_notification(), "attention"), (over(), "good")])
def test_the_head_has_the_colour(told: Told, style: str) -> None:
    assert card_of(sent(told))["body"][0]["style"] == style


async def test_the_fallback_is_lines_without_a_head() -> None:
    async with ChatServer() as server:
        session = Session()
        channel: Any = teams.NOTIFIER.build("ops", teams.Settings(url=server.url + "/workflows/x?sig=y"), session)
        server.then(answer(200, OF_OLD.format(413)))
        with pytest.raises(DeliveryError, match="too_large"):
            await channel.deliver(make_notification())
        server.always = answer(202, "")
        assert await channel.deliver_plain(told_of("{{DATE(x)}}")) is None
        await session.close()
    card = card_of(server.seen[1].body)
    assert {block["type"] for block in card["body"]} == {"TextBlock"}
    assert "actions" not in card
    assert "{{" not in text_of(card)
