"""One mail: addresses, headers and parts (RFC 5322, 2045, 2047, 3834). Nothing here sends anything."""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from eventd.model import Digest, Told
from eventd.notify.markup import clean
from eventd.notify.session import ID_HEADER

#: Seven bits, which every transport carries.
_POLICY = SMTP.clone(cte_type="7bit")
#: RFC 5321 section 4.5.3.1.3.
MAX_ADDRESS = 254
#: An id beyond this would have its line folded, which `email` does by means that break it.
MAX_ID = 48
#: Characters of a subject: prefix, state and headline have room; a line may have 998 octets (RFC 5322 section 2.1.1).
MAX_SUBJECT = 400
#: Octets in one encoded word, which may have 75 characters (RFC 2047 section 2).
WORD = 45
#: What stands before and after the ``@``; quoted local parts are not taken, nor what would need SMTPUTF8.
_MAILBOX = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+|[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@\[[0-9A-Fa-f:.IPv]+\]"
)
#: A domain that is an address, of which `parseaddr` makes nothing in Debian 12; what stands in for it.
_LITERAL = re.compile(r"@\[[^\[\]@]*\]")
_PLACE_OF_LITERAL = "@literal.invalid"
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._-]")


def address(text: str) -> Address:
    """``ops@example.net`` or ``Operations <ops@example.net>``.

    Raises:
        ValueError: it is not one mailbox, or one that not every mail server takes.
    """
    name, mailbox = _taken_apart(text)
    if clean(text) != text.strip() or "=?" in text or len(mailbox) > MAX_ADDRESS or not _MAILBOX.fullmatch(mailbox):
        raise ValueError(
            f"{clean(text)!r} is not a mail address in ASCII; one address each, name <address> is possible"
        )
    if not name and mailbox != text.strip().removeprefix("<").removesuffix(">"):
        raise ValueError(f"{clean(text)!r} is more than one mail address")
    try:
        return Address(name, addr_spec=mailbox)
    except (ValueError, MessageError) as error:
        raise ValueError(f"{clean(text)!r} is not a mail address: {error}") from None


def _taken_apart(text: str) -> tuple[str, str]:
    """Name and mailbox, both empty where it is no address."""
    literal = _LITERAL.search(text)
    if literal is None:
        return parseaddr(text)
    name, mailbox = parseaddr(_LITERAL.sub(_PLACE_OF_LITERAL, text, count=1))
    return name, mailbox.replace(_PLACE_OF_LITERAL, literal[0])


def message_id(what: str, domain: str) -> str:
    """The id of a mail or of a thread: the same for the same, whenever it is asked."""
    if len(what) > MAX_ID:
        what = hashlib.sha256(what.encode("utf-8", "replace")).hexdigest()
    return f"<{_NOT_IN_AN_ID.sub('-', what)}@{domain.strip('[]').replace(':', '-')}>"


def subject_line(subject: str) -> bytes:
    """The header, in one line where it is ASCII. `email` would start long ones on a line of their own, and lose blanks
    between words that it encodes (CPython gh-92081)."""
    text = clean(subject)
    if text.isascii() and "=?" not in text:
        return f"Subject: {text[:MAX_SUBJECT]}\r\n".encode()
    words, word = list[bytes](), b""
    for letter_ in text[:MAX_SUBJECT]:
        octets = letter_.encode("utf-8", "replace")
        if len(word) + len(octets) > WORD:
            words.append(word)
            word = b""
        word += octets
    encoded = (b"=?utf-8?b?" + base64.b64encode(one) + b"?=" for one in (*words, word))
    return b"Subject: " + b"\r\n ".join(encoded) + b"\r\n"


def letter(
    told: Told,
    sender: Address,
    to: Sequence[Address],
    subject: str,
    text: str,
    html: str | None = None,
    now: datetime | None = None,
) -> bytes:
    """The mail as it is sent at ``now`` (None: when there was news), under the same id at every try. ``html`` None:
    text only.

    All mails about an incident name the same mail that they answer to. It does not exist, which mail programs bear:
    the first one told may be any.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"] = sender, tuple(to)
    mail["Date"] = format_datetime(now or told.created_at)
    mail["Message-ID"] = message_id(told.id, sender.domain)
    if not isinstance(told, Digest):
        mail["In-Reply-To"] = mail["References"] = message_id(f"incident.{told.incident.id}", sender.domain)
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"  # Exchange looks at this one
    mail[ID_HEADER] = _NOT_IN_AN_ID.sub("-", told.id)  # `email` decodes encoded words, line ends and all
    mail.set_content(text + "\n")
    if html is not None:
        mail.add_alternative(html + "\n", subtype="html")
        # "=_" is in no quoted-printable or base64 text (RFC 2045 section 6.7)
        mail.set_boundary("=_" + hashlib.sha256(told.id.encode("utf-8", "replace")).hexdigest()[:32])
    return subject_line(subject) + mail.as_bytes(policy=_POLICY)
