"""Whether the places that channels tell can be reached: a connection, its TLS, and nothing else. No alert is sent."""

import asyncio
import contextlib
import io
import os
import socket
import ssl
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from eventd.config import ChannelConfig, Config
from eventd.doctor.files import expiry
from eventd.doctor.finding import Finding
from eventd.errors import DeliveryError
from eventd.notify.endpoint import Endpoint, Greeting, Reaching
from eventd.notify.session import Session
from eventd.registry import load_notifiers

#: Long enough for a slow link, short enough for somebody who waits; all are tried at the same time.
TIMEOUT_S = 5.0


async def examine(config: Config) -> list[Finding]:
    """Every far end of every channel."""
    tries = [tried for channel in config.channels for tried in await _tries(channel)]
    if (watcher := config.heartbeat.far_end()) is not None:
        tries.append(_reach("heartbeat", watcher))
    found = await asyncio.gather(*tries)
    return [finding for findings in found for finding in findings]


async def _tries(channel: ChannelConfig) -> list[Awaitable[list[Finding]]]:
    built = load_notifiers()[channel.type].build(channel.name, channel.settings, Session(stdout=io.StringIO()))
    await built.close()
    if not isinstance(built, Reaching):
        return [_untried(channel)]
    if isinstance(built, Greeting):
        return [_greet(channel.name, end, built) for end in built.far_ends]
    return [_reach(channel.name, end) for end in built.far_ends]


async def _untried(channel: ChannelConfig) -> list[Finding]:
    """Where it goes only the channel knows, or it goes nowhere."""
    if channel.type == "console":
        return []
    seen = f"{channel.name}: whether its far ends are reached can be tried only by telling them something"
    return [Finding("channels", "note", seen, f"eventd test-alert {channel.name}")]


async def _greet(name: str, end: Endpoint, channel: Greeting) -> list[Finding]:
    """A mail server, whose TLS may begin in the middle of the talk."""
    what = f"{name}: {end.place}"
    try:
        async with asyncio.timeout(TIMEOUT_S):
            certificate = await channel.greet()
    except DeliveryError as error:
        why = error.detail.removeprefix(f"{end.place}: ")
        advice = "server, port and security of the channel, tls_ca_file, and firewalls on the way"
        return [Finding("channels", "problem", f"{what} is not reached: {why}", advice)]
    except TimeoutError as error:
        return [Finding("channels", "problem", f"{what} is not reached: {_why(error)}", _advice(error))]
    return _reached(what, certificate)


async def _reach(name: str, end: Endpoint) -> list[Finding]:
    what = f"{name}: {end.place}"
    address = urlsplit(end.proxy or end.url)
    secure = address.scheme in {"https", "smtps"}
    port = address.port or (443 if secure else 80)
    if end.proxy:
        what += f" by the proxy {address.hostname}:{port}"
    tls = (end.tls or ssl.create_default_context()) if secure else None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            _, writer = await asyncio.open_connection(
                address.hostname, port, ssl=tls, server_hostname=address.hostname if tls else None
            )
    except (OSError, TimeoutError) as error:
        return [Finding("channels", "problem", f"{what} is not reached: {_why(error)}", _advice(error))]
    certificate = writer.get_extra_info("peercert") or {}
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()
    return _reached(what, certificate)


def _reached(what: str, certificate: Mapping[str, Any]) -> list[Finding]:
    found = [Finding("channels", "ok", f"{what} is reached")]
    if "notAfter" in certificate:
        end_s = ssl.cert_time_to_seconds(certificate["notAfter"])
        about = expiry("channels", f"the certificate of {what}", datetime.fromtimestamp(end_s, UTC))
        found += [about] if about.level != "ok" else []
    return found


def _why(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS fails: {error.reason or 'no TLS there'}"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} s"
    # asyncio puts the address into strerror; behind several addresses there are several errors and no number.
    number = getattr(error, "errno", None)
    return os.strerror(number) if number else str(error)


def _advice(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "tls_ca_file of the channel, if the certificate is of an authority of your own"
    if isinstance(error, ssl.SSLError):
        return "the address of the channel: does that port speak TLS?"
    return "the address of the channel, the far end, and firewalls on the way (proxy_url)"
