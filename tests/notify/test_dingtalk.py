"""DingTalk's own ways: Markdown with a title of its own, the signature in the address, the codes."""

import hashlib
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from chat_server import ChatServer, answer
from notify_fakes import T0, HandClock, make_incident, make_notification, make_resolved

from eventd.errors import DeliveryFailure
from eventd.notify import dingtalk
from eventd.notify.session import Answer, Session


def robot(url: str = "http://127.0.0.1:9/x", **keys: Any) -> Any:
    return dingtalk.NOTIFIER.build("ops", dingtalk.Settings(url=url, **keys), Session(clock=HandClock()))


def message_of(channel: Any, told: Any) -> Any:
    return channel.message(channel.card(told, channel.body(told)))


def hmac_sha256(key: bytes, text: bytes) -> str:
    """RFC 2104, by hand."""
    key = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + text).digest()
    return b64encode(hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()).decode()


def test_the_signature_is_over_time_and_secret_under_the_secret() -> None:
    """The value was computed with OpenSSL."""
    assert dingtalk.signature("SECdemo", 1700000000000) == "lOvVf9TQCVugV68mGbSZCg0gzOl1SVjxWi1MyVZCUuA="
    assert dingtalk.signature("SECdemo", 1700000000000) == hmac_sha256(b"SECdemo", b"1700000000000\nSECdemo")


async def test_a_request_is_signed_in_its_address_when_it_is_sent() -> None:
    async with ChatServer() as server:
        server.always = answer(200, '{"errcode":0,"errmsg":"ok"}')
        channel = robot(server.url + "/robot/send?access_token=tok", secret="SECdemo")
        for seconds in range(40):
            channel.session.clock.now = T0 + seconds
            await channel.deliver_plain(make_notification())
        await channel.session.close()
    for seconds, seen in enumerate(server.seen):
        stamp = f"{int(T0) + seconds}000"
        query = parse_qs(urlsplit(seen.path).query)
        sign = hmac_sha256(b"SECdemo", f"{stamp}\nSECdemo".encode())
        assert query == {"access_token": ["tok"], "timestamp": [stamp], "sign": [sign]}
    assert any("%2B" in seen.path for seen in server.seen), "a plus would be read as a blank"


async def test_without_a_secret_nothing_is_added() -> None:
    async with ChatServer() as server:
        server.always = answer(200, '{"errcode":0,"errmsg":"ok"}')
        channel = robot(server.url + "/robot/send?access_token=tok")
        await channel.deliver(make_notification())
        await channel.session.close()
    assert server.seen[0].path == "/robot/send?access_token=tok"


def test_the_title_is_in_the_message_too_and_has_the_colour() -> None:
    markdown = message_of(robot(), make_notification())["markdown"]
    assert markdown["title"].startswith("MAJOR Tunnel to branch-7")
    assert markdown["text"].startswith(f'<font color="{dingtalk.COLOURS["major"]}">**MAJOR Tunnel to branch-7')
    over = message_of(robot(), make_notification(incident=make_resolved()))["markdown"]
    assert dingtalk.COLOURS["resolved"] in over["text"]


def test_every_line_ends_with_two_blanks() -> None:
    lines = message_of(robot(), make_notification())["markdown"]["text"].split("\n")
    assert len(lines) > 8
    assert all(line.endswith("  ") for line in lines[:-1])


@pytest.mark.parametrize(
    ("body", "reason", "retryable", "wait"),
    [
        ('{"errcode":-1,"errmsg":"系统繁忙"}', DeliveryFailure.SERVER_ERROR, True, None),
        (
            '{"status":1111,"wait":5,"source":"x5","punish":"deny","errcode":130101,"errmsg":"send too fast"}',
            DeliveryFailure.RATE_LIMITED,
            True,
            600.0,
        ),
        ('{"errcode":410100,"errmsg":"x"}', DeliveryFailure.RATE_LIMITED, True, 600.0),
        ('{"errcode":660026,"errmsg":"x"}', DeliveryFailure.RATE_LIMITED, True, None),
        ('{"errcode":90030,"errmsg":"webhook over limit"}', DeliveryFailure.RATE_LIMITED, True, None),
        ('{"errcode":310000,"errmsg":"keywords not in content"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":310000,"errmsg":"sign not match"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":310000,"errmsg":"ip 192.0.2.1 not in whitelist"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":310000,"errmsg":"invalid timestamp"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":300001,"errmsg":"token is not exist"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":300005,"errmsg":"token is not exist"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":400101,"errmsg":"x"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":400102,"errmsg":"x"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":400013,"errmsg":"x"}', DeliveryFailure.REFUSED, True, None),
        ('{"errcode":400105,"errmsg":"x"}', DeliveryFailure.RENDER, False, None),
        ('{"errcode":430101,"errmsg":"x"}', DeliveryFailure.RENDER, False, None),
        ('{"errcode":460101,"errmsg":"message too long, exceed 20000 bytes"}', DeliveryFailure.TOO_LARGE, False, None),
        ('{"errcode":101002,"errmsg":"message is too long"}', DeliveryFailure.TOO_LARGE, False, None),
    ],
)
def test_a_code_under_200_is_a_verdict(body: str, reason: DeliveryFailure, retryable: bool, wait: float | None) -> None:
    error = robot().judge(Answer(200, body))
    assert (error.reason, error.retryable, error.retry_after_s) == (reason, retryable, wait)


def test_a_longer_wait_that_is_asked_for_goes_before_ours() -> None:
    assert robot().judge(Answer(200, '{"errcode":130101}', 900.0)).retry_after_s == 900.0
    assert robot().judge(Answer(200, '{"errcode":130101}', 5.0)).retry_after_s == 600.0


def test_who_is_called_is_named_and_listed() -> None:
    critical = make_notification(incident=make_incident(severity="critical"))
    message = message_of(robot(mention=["13800000000", "all"]), critical)
    assert message["at"] == {"atMobiles": ["13800000000"], "isAtAll": True}
    assert message["markdown"]["text"].endswith("@13800000000 @all")
    assert "at" not in message_of(robot(mention=["13800000000"]), make_notification())
