"""What the group robots of Feishu, DingTalk and WeCom have in common: an answer of 200 that says in a number whether
the message was taken, a keyword and a signature that may be asked for, people to call, and text made harmless where
a dialect documents no escape."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from eventd.checked import Fault
from eventd.errors import DeliveryError, DeliveryFailure
from eventd.notify.chat import Card, Chat, UrlSettings
from eventd.notify.endpoint import Endpoint
from eventd.notify.markdown import flat_underscores
from eventd.notify.secrets import ways_faults
from eventd.notify.session import Answer, Session

#: Whom a message may call: user ids and telephone numbers. More people than this are a group and are all called.
MAX_MENTIONS = 10
_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,64}")
#: Keywords that the services let one set are words, not sentences.
MAX_KEYWORD = 64


class RobotSettings(UrlSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``mention``: who is called when something critical opens."""

    mention: Annotated[tuple[str, ...], Meta(max_length=MAX_MENTIONS)] = ()

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        for who in given.get("mention", ()):
            if not _NAME.fullmatch(who):
                instead = f"; write {who.removeprefix('@')}" if _NAME.fullmatch(who.removeprefix("@")) else ""
                yield "mention", f"{who!r} is no user id or telephone number{instead}"


class GuardedSettings(RobotSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Keys of a robot that may be guarded: ``secret`` (or ``secret_file``, ``secret_env``) signs each request;
    ``keyword`` is put into each message that lacks it."""

    secret: str | None = None
    secret_file: str | None = None
    secret_env: str | None = None
    keyword: Annotated[str, Meta(min_length=1, max_length=MAX_KEYWORD)] | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        yield from ways_faults(given, "secret")


# --- what an answer means -------------------------------------------------------------------------------------------


class Verdict(NamedTuple):
    """What a code means: whether the same bytes may succeed later, and not before how many seconds."""

    failure: DeliveryFailure
    retryable: bool = False
    wait_s: float | None = None


#: The robot is gone, a guard is set up otherwise, our clock is wrong: somebody may mend that.
REFUSED = Verdict(DeliveryFailure.REFUSED, retryable=True)
#: Plain text is tried at once.
LAYOUT, TOO_LARGE = Verdict(DeliveryFailure.RENDER), Verdict(DeliveryFailure.TOO_LARGE)
BUSY = Verdict(DeliveryFailure.SERVER_ERROR, retryable=True)
LIMITED = Verdict(DeliveryFailure.RATE_LIMITED, retryable=True)
#: The codes of these services are many and change. A wrong "never" loses an alarm; a wrong "later" costs a try every
#: few minutes, of which from the fourth on plain text is a part, and ends after a day.
UNKNOWN = BUSY

#: Looks at code and text of an answer; None where neither says anything that is known.
Reading = Callable[[int, str], Verdict | None]


def said(answer: Answer, code_keys: tuple[str, ...], text_keys: tuple[str, ...]) -> tuple[int | None, str]:
    """Code and text of an answer, each from the first of the keys that is there; no code where it is not such JSON."""
    try:
        found = msgspec.json.decode(answer.text)
    except msgspec.DecodeError:
        return None, ""
    if not isinstance(found, dict):
        return None, ""
    code = next((found[key] for key in code_keys if key in found), None)
    text = next((found[key] for key in text_keys if key in found), "")
    return (code if type(code) is int else None), str(text)


def judge(answer: Answer, to: Endpoint, code: int | None, text: str, reading: Reading) -> DeliveryError | None:
    """None where the far end says 0 under a status of success. A code that is known goes before the status; no code
    at all under 200 is no receipt."""
    if code == 0 and answer.ok:
        return None
    verdict = reading(code, text) if code else None
    if verdict is None:
        if not answer.ok:
            return answer.error(to)
        verdict = UNKNOWN
    wait = max(answer.retry_after_s or 0.0, verdict.wait_s or 0.0) or answer.retry_after_s
    return replace(answer, retry_after_s=wait).error(to, verdict.failure, verdict.retryable)


# --- text -----------------------------------------------------------------------------------------------------------

#: Characters that mark text up, and what looks like them and does not.
_LOOKALIKES = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "*": "∗", "`": "'", "\\": "＼", "~": "～"})
#: A word in brackets before a blank is no link: it stays, as does the mark of a trial.
_TAG = re.compile(r"［(\w+)］(?=\s)")
#: What clients may show as the character that it stands for.
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
#: Where clients begin to see a mention or, in bare text, a link.
_BEGINS = re.compile(r"@|:(?=//)|www(?=\.)", re.IGNORECASE)


def harmless(text: str) -> str:
    """Any text where no escape is documented: what marks up is replaced by what looks like it, and a word joiner after
    ``@`` and within ``://`` keeps clients from seeing names and links."""
    shown = flat_underscores(_TAG.sub(r"[\1]", _ENTITY.sub("＆", text).translate(_LOOKALIKES)))
    return _BEGINS.sub("\\g<0>\u2060", "＃" + shown[1:] if shown.startswith("#") else shown)


def address(url: str) -> str:
    """An address within ``[…](…)``: what could end it, or begin markup, is percent-encoded."""
    return quote(url, safe="%:/?#[]@!$&+,;=-._~")


def link(text: str, url: str) -> str:
    """The link of all three dialects."""
    return f"[{text}]({address(url)})"


def json_octets(text: str) -> int:
    """Length of a text within an encoded request: JSON in UTF-8."""
    return len(msgspec.json.encode(text)) - 2


def signed(key: str, text: str) -> str:
    """HMAC-SHA256 in Base64."""
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


class Robot(Chat):
    """One group robot: a `Chat` that calls people and puts in the keyword."""

    #: Where the answer has its code and its text.
    codes: ClassVar[tuple[str, ...]] = ("errcode",)
    texts: ClassVar[tuple[str, ...]] = ("errmsg",)
    harmless = harmless

    def __init__(self, to: Endpoint, settings: RobotSettings, session: Session) -> None:
        super().__init__(to, settings, session)
        self.mention = settings.mention
        self.keyword = getattr(settings, "keyword", None)
        room = sum(type(self).size(text) + 1 for text in (self.calls(bare=False), self.keyword) if text)
        self.limit -= room
        self.plain_limit = None if self.plain_limit is None else self.plain_limit - room

    # --- what a robot says of itself ------------------------------------------------------------------------------

    def calls(self, *, bare: bool) -> str:
        """Text that calls the people of ``mention``; empty where there are none."""
        raise NotImplementedError

    def read(self, code: int, text: str) -> Verdict | None:
        """What a code other than 0 means; None for one that is not known."""
        raise NotImplementedError

    # --- for them -------------------------------------------------------------------------------------------------

    def called(self, card: Card, text: str) -> str:
        """``text`` and, where something critical opened, the calls."""
        calls = self.calls(bare=card.bare) if card.urgent else ""
        return f"{text}\n{calls}" if calls else text

    def keyed(self, text: str, between: str = "\n") -> str:
        """``text`` with the keyword, where it is asked for and missing."""
        return f"{text}{between}{self.keyword}" if self.keyword and self.keyword not in text else text

    def judge(self, answer: Answer) -> DeliveryError | None:
        """By the code in the answer."""
        return judge(answer, self.to, *said(answer, self.codes, self.texts), self.read)
