"""Whether the places that channels tell can be reached: a connection, its TLS, and nothing else. No alert is sent."""

import asyncio
import contextlib
import io
import os
import socket
import ssl
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from eventd.config import ChannelConfig, Config
from eventd.doctor.files import expiry
from eventd.doctor.finding import Finding
from eventd.notify.endpoint import Endpoint, Reaching
from eventd.notify.session import Session
from eventd.registry import load_notifiers

#: Long enough for a slow link, short enough for somebody who waits; all are tried at the same time.
TIMEOUT_S = 5.0


async def examine(config: Config) -> list[Finding]:
    """Every far end of every channel."""
    ends = [(channel.name, end) for channel in config.channels for end in await _far_ends(channel)]
    if (watcher := config.heartbeat.far_end()) is not None:
        ends.append(("heartbeat", watcher))
    found = await asyncio.gather(*(_reach(name, end) for name, end in ends))
    return [finding for findings in found for finding in findings]


async def _far_ends(channel: ChannelConfig) -> Iterable[Endpoint]:
    built = load_notifiers()[channel.type].build(channel.name, channel.settings, Session(stdout=io.StringIO()))
    await built.close()
    return built.far_ends if isinstance(built, Reaching) else ()


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
