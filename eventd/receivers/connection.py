"""One admitted stream connection, from its first byte to its last."""

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from eventd.receivers.tcp import StreamReceiver

#: A message that has begun and is not whole after so long is not on its way: senders write a message at once, and what
#: the network holds up comes within some ten seconds or not at all. Who dribbles longer stays as long as there is room.
FRAME_PATIENCE_S = 30.0

#: The frame error after which the rest of a stream has no meaning any more.
SYNC_LOST = "sync_lost"


def cause(error: Exception) -> str:
    """An error of a connection in words for the log."""
    reason = getattr(error, "reason", None)  # OpenSSL's name for it, such as NO_SHARED_CIPHER
    return reason.lower().replace("_", " ") if isinstance(reason, str) else str(error) or type(error).__name__


class Connection(asyncio.Protocol):
    """One admitted connection, read until its end.

    Not a `asyncio.BufferedProtocol`: behind TLS, that loses what does not fit its buffer when the stream ends
    (asyncio.sslproto reads it once more and then shuts down).
    """

    def __init__(self, receiver: "StreamReceiver", source: str, port: int) -> None:
        self.source = source
        self.opening: asyncio.Task[None] | None = None
        self._receiver, self._framer, self._port = receiver, receiver.framer(), port
        self._transport: asyncio.Transport | None = None
        self._reported: dict[str, int] = {}
        self._idle_timer: asyncio.TimerHandle | None = None
        self._hold: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._spoke = self._over = False
        self._pending_since: float | None = None

    @property
    def proven(self) -> bool:
        """Whether it has sent a whole message, and is not dawdling over the next one."""
        since = self._pending_since
        if since is None or self._hold or self._receiver.holds(self.source):
            return self._spoke
        return self._spoke and asyncio.get_running_loop().time() - since < FRAME_PATIENCE_S

    def pause(self) -> None:
        """Stop reading, if that is still wanted."""
        held = self._receiver.holds(self.source) or self._hold
        if held and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again, unless something else is still against it."""
        if (
            self._hold is None
            and not self._receiver.holds(self.source)
            and self._transport is not None
            and not self._transport.is_closing()
        ):
            self._heard_at = asyncio.get_running_loop().time()
            if self._pending_since is not None:
                self._pending_since = self._heard_at  # it could not go on
            self._transport.resume_reading()

    def end(self) -> None:
        """Close from our side, now."""
        if self.opening is not None:
            self.opening.cancel()
        self._finish()
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio ------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are of no asyncio class
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None and not self._receiver.fingerprints.admit(tls.getpeercert(binary_form=True)):
            self._receiver.refuse("certificate", self.source)
            self.end()
            return
        if self._receiver.holds(self.source):
            self.pause()
            asyncio.get_running_loop().call_soon(self._pause_again)
        if self._receiver.idle_timeout:
            self._heard_at = asyncio.get_running_loop().time()
            self._watch(self._receiver.idle_timeout)

    def _pause_again(self) -> None:
        """uvloop, and asyncio of Python 3.11.2, begin to read after `connection_made`, whatever was said in it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()  # of one that it believes to be paused it would go on to read
            self.pause()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._heard_at = asyncio.get_running_loop().time() if self._idle_timer else 0.0
        payloads = self._framer.feed(data)
        self._spoke = self._spoke or bool(payloads)
        if not self._framer.pending:
            self._pending_since = None
        elif payloads or self._pending_since is None:
            self._pending_since = asyncio.get_running_loop().time()
        wait = self._receiver.take(payloads, self.source, self._port)
        if wait and self._hold is None:
            self._hold = asyncio.get_running_loop().call_later(wait, self._let_go)
            self.pause()
        self._report()

    def eof_received(self) -> None:
        """Nothing to do: the transport closes itself, and `connection_lost` takes what is left."""

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._receiver.broken(self.source, exc)
        self._finish()

    # --- inside -------------------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        if self._hold is not None:
            self._hold.cancel()
            self._hold = None
            self.resume()

    def _finish(self) -> None:
        self._over = True
        for timer in (self._idle_timer, self._hold):
            if timer is not None:
                timer.cancel()
        if self._receiver.release(self):
            self._receiver.take(self._framer.finish(), self.source, self._port)
            self._report()

    def _report(self) -> None:
        errors = self._framer.errors
        if errors == self._reported:
            return
        known, self._reported = self._reported, dict(errors)
        for reason, count in self._reported.items():
            if more := count - known.get(reason, 0):
                self._receiver.damaged(reason, more, self.source)
        if SYNC_LOST in self._reported and SYNC_LOST not in known:
            self._receiver.refuse(SYNC_LOST, self.source)
            self.end()

    def _watch(self, delay: float) -> None:
        self._idle_timer = asyncio.get_running_loop().call_later(delay, self._check_idle)

    def _check_idle(self) -> None:
        """Close after enough silence. A timer set anew for every read would cost more than the read."""
        left = self._heard_at + self._receiver.idle_timeout - asyncio.get_running_loop().time()
        if self._receiver.holds(self.source) or self._hold:  # the silence is ours
            left = self._receiver.idle_timeout
        if left > 0:
            self._watch(left)
        else:
            self._receiver.refuse("idle", self.source)
            self._finish()
            assert self._transport is not None
            self._transport.close()
