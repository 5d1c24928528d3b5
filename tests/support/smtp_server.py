"""A real SMTP server as the far end: it keeps what it is sent, and answers, refuses or hangs as told.

``seen`` has the surface of `chat_server.Seen`: ``body`` is everything that a person would read.
"""

import asyncio
import contextlib
import ssl
import warnings
from collections import deque
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP as POLICY
from typing import Any, NamedTuple, Self

from peers import library

PASSWORD = "correct-horse-battery"


class Mail(NamedTuple):
    """One mail as it was taken: the envelope, its bytes, and what it says."""

    sender: str
    to: list[str]
    raw: bytes
    message: EmailMessage

    @property
    def body(self) -> bytes:
        """Subject and all parts, decoded."""
        parts = [_text(part) for part in self.message.walk() if part.get_content_maintype() == "text"]
        return "\n".join([str(self.message["Subject"]), *parts]).encode("utf-8", "surrogatepass")

    def part(self, subtype: str) -> str | None:
        """``plain`` or ``html``."""
        found = self.message.get_body((subtype,))
        return None if found is None else _text(found)


def _text(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


#: Replies by command, the next of them each time; ``hang`` never comes, ``close`` breaks the connection.
Script = dict[str, deque[str]]


class SmtpServer:
    """``url`` is its address. ``then`` scripts replies, ``always`` one for every time."""

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, implicit: bool = False, auth: bool = False, size: int = 1 << 20
    ) -> None:
        self.seen: list[Mail] = []
        self.logins: list[tuple[str, str]] = []
        self.always: dict[str, str] = {}
        self.url = ""
        self.port = 0
        self.connections = 0
        self._script: Script = {}
        self._tls, self._implicit, self._auth, self._size = tls, implicit, auth, size
        self._hanging: set[asyncio.Future[None]] = set()
        self._smtp = library("aiosmtpd.smtp")

    def then(self, command: str, *replies: str) -> None:
        """Answer the next of this command so."""
        self._script.setdefault(command, deque()).extend(replies)

    async def _reply(self, command: str, usual: str) -> str:
        waiting = self._script.get(command)
        reply = waiting.popleft() if waiting else self.always.get(command, usual)
        if reply == "hang":
            forever: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._hanging.add(forever)
            await forever
        return reply

    # --- what aiosmtpd asks its handler ---------------------------------------------------------------------------

    async def handle_EHLO(self, server: Any, session: Any, envelope: Any, hostname: str, replies: list[str]) -> Any:
        session.host_name = hostname
        reply = await self._reply("EHLO", "")
        return [reply] if reply else replies

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        reply = await self._reply("MAIL", "250 fine")
        if reply.startswith("2"):
            envelope.mail_from = address
        return reply

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        reply = await self._reply(f"RCPT {address}", "") or await self._reply("RCPT", "250 fine")
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        reply = await self._reply("DATA", "250 taken")
        if reply == "close":
            server.transport.abort()
            return "250 never said"
        if reply.startswith("2"):
            message = BytesParser(policy=POLICY).parsebytes(envelope.content)
            assert isinstance(message, EmailMessage)
            self.seen.append(Mail(envelope.mail_from, list(envelope.rcpt_tos), envelope.content, message))
        return reply

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return await self._reply("QUIT", "221 bye")

    def _login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> Any:
        name, password = data.login.decode(), data.password.decode()
        self.logins.append((name, password))
        if password == PASSWORD:
            return self._smtp.AuthResult(success=True)
        return self._smtp.AuthResult(success=False, handled=False, message="535 5.7.8 no")

    # --- life -----------------------------------------------------------------------------------------------------

    def _protocol(self) -> Any:
        self.connections += 1
        over_tls = self._tls is not None and self._implicit
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not see that TLS comes first
            return self._smtp.SMTP(
                self,
                loop=asyncio.get_running_loop(),
                hostname="mail.example",
                data_size_limit=self._size,
                tls_context=None if over_tls else self._tls,
                require_starttls=self._tls is not None and not over_tls,
                authenticator=self._login if self._auth else None,
                auth_required=self._auth,
                auth_require_tls=not over_tls,
            )

    async def __aenter__(self) -> Self:
        make: Callable[[], Any] = self._protocol
        tls = self._tls if self._implicit else None
        self._server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"smtp://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for forever in self._hanging:
            forever.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server.wait_closed(), 1)
