"""The tree of everything eventd raises on purpose.

    EventdError
    ├── ConfigError    the configuration cannot be used; carries every problem at once
    ├── ParseError     bytes are not a well-formed message of their protocol, or may not be accepted
    ├── DecodeError    a well-formed message of a known kind lacks what makes it that event
    ├── StoreError     the database cannot be opened, read or written
    │   └── UnstorableError  what was to be written can never be: trying again is no use
    ├── OutboxError    what an operator asked for cannot be done to a notification as it stands
    └── DeliveryError  one notification was not accepted by the far end

``reason`` is always one of a short closed set, so that it can be a metric label; the detail is for the log.
"""

import math
from collections.abc import Mapping
from enum import StrEnum


class EventdError(Exception):
    """Base of all errors that eventd raises on purpose."""


class Problem:
    """One thing wrong with a configuration: ``key: what is wrong``, with the file and, where known, the line."""

    __slots__ = ("file", "key", "line", "what")

    def __init__(self, key: str, what: str, file: str | None = None, line: int | None = None) -> None:
        self.key, self.what, self.file, self.line = key, what, file, line

    def __str__(self) -> str:
        place = "" if self.file is None else self.file + ("" if self.line is None else f":{self.line}") + ": "
        return f"{place}{self.key}: {self.what}"


class ConfigError(EventdError):
    """The configuration cannot be used. ``problems`` lists everything found, by file and line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=_place)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def _place(problem: Problem) -> tuple[str, float]:
    """Where it stands; what has no line comes last."""
    return problem.file or "", math.inf if problem.line is None else problem.line


class RejectReason(StrEnum):
    """Why a received message was not parsed: the closed set behind ``eventd_rejected_total{reason}``."""

    EMPTY = "empty"
    OVERSIZE = "oversize"
    BAD_FRAME = "bad_frame"
    BAD_PRI = "bad_pri"
    BAD_HEADER = "bad_header"
    BAD_BER = "bad_ber"
    BAD_VERSION = "bad_version"
    UNKNOWN_SECURITY_MODEL = "unknown_security_model"
    INVALID_MESSAGE = "invalid_message"
    BAD_PDU = "bad_pdu"
    BAD_VARBIND = "bad_varbind"
    NOT_NOTIFICATION = "not_notification"
    WRONG_PDU_VERSION = "wrong_pdu_version"
    WRONG_COMMUNITY = "wrong_community"
    UNKNOWN_USER = "unknown_user"
    UNKNOWN_ENGINE = "unknown_engine"
    WRONG_DIGEST = "wrong_digest"
    LEVEL_TOO_LOW = "level_too_low"
    UNSUPPORTED_LEVEL = "unsupported_level"
    NOT_IN_TIME_WINDOW = "not_in_time_window"
    REPLAYED = "replayed"
    DECRYPTION_ERROR = "decryption_error"
    UNDECODABLE = "undecodable"
    HANDLER_ERROR = "handler_error"
    NOT_ALLOWED = "not_allowed"
    RATE_LIMITED = "rate_limited"


#: Standard object (RFC 3418, RFC 3412 section 5, RFC 3414 section 5) → the reasons for which it counts a message.
#: snmpUnknownContexts is missing because every context is taken.
SNMP_MIB: Mapping[str, tuple[RejectReason, ...]] = {
    "snmpInBadVersions": (RejectReason.BAD_VERSION,),
    "snmpInBadCommunityNames": (RejectReason.WRONG_COMMUNITY,),
    "snmpInASNParseErrs": (
        RejectReason.EMPTY,
        RejectReason.OVERSIZE,
        RejectReason.BAD_BER,
        RejectReason.BAD_PDU,
        RejectReason.BAD_VARBIND,
    ),
    "snmpUnknownSecurityModels": (RejectReason.UNKNOWN_SECURITY_MODEL,),
    "snmpInvalidMsgs": (RejectReason.INVALID_MESSAGE,),
    "snmpUnknownPDUHandlers": (RejectReason.NOT_NOTIFICATION, RejectReason.WRONG_PDU_VERSION),
    "usmStatsUnsupportedSecLevels": (RejectReason.UNSUPPORTED_LEVEL,),
    "usmStatsNotInTimeWindows": (RejectReason.NOT_IN_TIME_WINDOW,),
    "usmStatsUnknownUserNames": (RejectReason.UNKNOWN_USER,),
    "usmStatsUnknownEngineIDs": (RejectReason.UNKNOWN_ENGINE,),
    "usmStatsWrongDigests": (RejectReason.WRONG_DIGEST,),
    "usmStatsDecryptionErrors": (RejectReason.DECRYPTION_ERROR,),
}


class ParseError(EventdError):
    """Bytes that are not a well-formed, acceptable message.

    ``offset`` counts bytes from the start of the message (0 where no place can be named). What to do: count it under
    ``reason``, keep the raw bytes, go on.
    """

    def __init__(self, reason: RejectReason, offset: int = 0, detail: str = "") -> None:
        super().__init__(f"{reason} at byte {offset}" + (f": {detail}" if detail else ""))
        self.reason, self.offset, self.detail = reason, offset, detail


class DecodeError(EventdError):
    """A handler met a message of its own kind that lacks what makes it that event. Counted as ``undecodable``."""

    def __init__(self, handler: str, detail: str) -> None:
        super().__init__(f"{handler}: {detail}")
        self.handler, self.detail = handler, detail


class StoreError(EventdError):
    """The database cannot be opened, read or written; the message says which file and what the system answered."""


class UnstorableError(StoreError):
    """The values handed over cannot be written, now or later: a bug of whoever made them. Do not try again."""


class OutboxError(EventdError):
    """What an operator asked for cannot be done to a notification as it stands; ``missing``: there is none."""

    def __init__(self, text: str, *, missing: bool = False) -> None:
        super().__init__(text)
        self.missing = missing


class DeliveryFailure(StrEnum):
    """Why a delivery failed: the closed set behind ``eventd_notification_failures_total{reason}``."""

    CONNECT = "connect"
    TIMEOUT = "timeout"
    TLS = "tls"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    TOO_LARGE = "too_large"
    RENDER = "render"
    INTERNAL = "internal"


#: Failures after which the far end may have the message all the same, unless whoever saw it fail knows better.
MAY_BE_HEARD = frozenset(
    {DeliveryFailure.CONNECT, DeliveryFailure.TIMEOUT, DeliveryFailure.SERVER_ERROR, DeliveryFailure.INTERNAL}
)


class DeliveryError(EventdError):
    """One notification was not accepted.

    ``retryable`` says whether the same bytes may succeed later; ``retry_after_s`` is what the far end asked for, in
    seconds; ``heard`` whether the far end may have it all the same (None: as `MAY_BE_HEARD` says). The message never
    contains a secret (URLs are cut to scheme and host).
    """

    def __init__(
        self,
        reason: DeliveryFailure,
        detail: str,
        *,
        retryable: bool,
        retry_after_s: float | None = None,
        heard: bool | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.retryable, self.retry_after_s = reason, detail, retryable, retry_after_s
        self.heard = reason in MAY_BE_HEARD if heard is None else heard
