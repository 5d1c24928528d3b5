"""Feishu's own ways: the card, the signature in the body, the codes."""

import hashlib
from base64 import b64encode
from typing import Any

import pytest
from chat_server import ChatServer, answer
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify import feishu
from eventd.notify.session import Answer, Session

TAKEN = '{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}'


def bot(url: str = "http://127.0.0.1:9/x", **keys: Any) -> Any:
    return feishu.NOTIFIER.build("ops", feishu.Settings(url=url, **keys), Session(clock=HandClock()))


def card_of(channel: Any, told: Any) -> Any:
    return channel.message(channel.card(told, channel.body(told)))["card"]


def hmac_sha256(key: bytes, text: bytes) -> str:
    """RFC 2104, by hand."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + text).digest()
    return b64encode(hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()).decode()


def test_the_signature_is_that_of_the_guide() -> None:
    """The guide's secret and time; the value was computed with OpenSSL."""
    assert feishu.signature("demo", 1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="
    assert feishu.signature("demo", 1599360473) == hmac_sha256(b"1599360473\ndemo", b"")


async def test_a_request_is_signed_in_its_body_when_it_is_sent() -> None:
    async with ChatServer() as server:
        server.always = answer(200, TAKEN)
        channel = bot(server.url + "/x", secret="demo")
        await channel.deliver(make_notification())
        channel.session.clock.jump(3600)
        await channel.deliver_plain(make_notification())
        await channel.session.close()
    first, second = (seen.json for seen in server.seen)
    assert (first["timestamp"], first["sign"]) == (str(int(T0)), hmac_sha256(f"{int(T0)}\ndemo".encode(), b""))
    assert second["timestamp"] == str(int(T0) + 3600)
    assert (first["msg_type"], second["msg_type"]) == ("interactive", "text")
    assert second.keys() == {"timestamp", "sign", "msg_type", "content"}


def test_the_header_has_title_and_colour_and_the_body_the_rest() -> None:
    card = card_of(bot(), make_notification(incident=make_incident(url="https://eventd.example/i/1")))
    assert card["header"]["template"] == "orange"
    assert card["header"]["title"]["tag"] == "plain_text"
    assert card["header"]["title"]["content"].startswith("MAJOR Tunnel to branch-7")
    body = card["elements"][0]["text"]
    assert body["tag"] == "lark_md"
    assert "**Device:** FW1" in body["content"]
    assert "[a1b2c3d4e5f6](https://eventd.example/i/1)" in body["content"]
    assert "Tunnel to branch-7" not in body["content"].splitlines()[0]


@pytest.mark.parametrize(
    ("severity", "template"), [("critical", "red"), ("major", "orange"), ("warning", "yellow"), ("info", "blue")]
)
def test_a_severity_has_its_colour_until_it_is_over(severity: str, template: str) -> None:
    assert (
        card_of(bot(), make_notification(incident=make_incident(severity=severity)))["header"]["template"] == template
    )
    over = make_notification(incident=make_resolved(severity=severity))
    assert card_of(bot(), over)["header"]["template"] == "green"


@pytest.mark.parametrize(
    ("status", "body", "reason", "retryable"),
    [
        (200, '{"code":11232,"msg":"frequency limited psm[lark.oapi]"}', DeliveryFailure.RATE_LIMITED, True),
        (400, '{"code":9499,"msg":"too many request","data":{}}', DeliveryFailure.RATE_LIMITED, True),
        (200, '{"code":9499,"msg":"frequency limited psm test"}', DeliveryFailure.RATE_LIMITED, True),
        (200, '{"code":9499,"msg":"Bad Request","data":{}}', DeliveryFailure.RENDER, False),
        (400, '{"code":99991400,"msg":"request trigger frequency limit"}', DeliveryFailure.RATE_LIMITED, True),
        (200, '{"code":2200,"msg":"internal error"}', DeliveryFailure.SERVER_ERROR, True),
        (200, '{"code":11246,"msg":"ErrCode: 11310"}', DeliveryFailure.RENDER, False),
        (200, '{"code":19001,"msg":"access token invalid"}', DeliveryFailure.REFUSED, True),
        (200, '{"code":19002,"msg":"incorrect input format"}', DeliveryFailure.RENDER, False),
        (200, '{"code":19007,"msg":"Bot Not Enabled"}', DeliveryFailure.REFUSED, True),
        (200, '{"code":19021,"msg":"sign match fail","StatusCode":0}', DeliveryFailure.REFUSED, True),
        (200, '{"code":19022,"msg":"Ip Not Allowed"}', DeliveryFailure.REFUSED, True),
        (200, '{"code":19024,"msg":"Key Words Not Found"}', DeliveryFailure.RENDER, False),
        (200, '{"code":19036,"msg":"exceeds the size limit of 30KB"}', DeliveryFailure.TOO_LARGE, False),
        (200, '{"StatusCode":19021,"StatusMessage":"sign error"}', DeliveryFailure.REFUSED, True),
    ],
)
def test_a_code_under_any_status_is_a_verdict(status: int, body: str, reason: DeliveryFailure, retryable: bool) -> None:
    error = bot().judge(Answer(status, body))
    assert (error.reason, error.retryable) == (reason, retryable)


@pytest.mark.parametrize("body", [TAKEN, '{"code":0}', '{"StatusCode":0,"StatusMessage":"success"}'])
def test_taken_is_what_says_zero(body: str) -> None:
    assert bot().judge(Answer(200, body)) is None


async def test_the_gateway_says_how_long_to_wait() -> None:
    async with ChatServer() as server:
        server.then(answer(429, '{"code":99991400,"msg":"limit"}', {"x-ogw-ratelimit-reset": "52"}))
        channel = bot(server.url + "/x")
        with pytest.raises(DeliveryError) as caught:
            await channel.deliver(make_notification())
        await channel.session.close()
    assert (caught.value.reason, caught.value.retry_after_s) == (DeliveryFailure.RATE_LIMITED, 52.0)


def test_calls_are_in_the_form_of_each_message() -> None:
    channel = bot(mention=["all", "ou_1"])
    assert channel.calls(bare=False) == "<at id=all></at><at id=ou_1></at>"
    assert channel.calls(bare=True) == '<at user_id="all"></at><at user_id="ou_1"></at>'
