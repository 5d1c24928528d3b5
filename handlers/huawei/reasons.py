"""Why a tunnel ended or was not made: `reasons.toml` as a catalogue, and the look-up of what a device gave as reason.

Offline reasons are OfflineReason of IPSECTUNNELSTOP (text only), negotiation reasons are Reason and ReasonCode of
IPSECNEGOFAIL.
"""

from eventd.model import Reason
from handlers._common.catalogue import CONDITION, MAX_REMEMBERED, PLACEHOLDERS, SPACES, Book, normalise

__all__ = ("CATALOGUE", "CONDITION", "MAX_REMEMBERED", "PLACEHOLDERS", "SPACES", "normalise")

BOOK = Book(
    "huawei",
    __package__,
    unknown=Reason(
        text="",
        meaning="The device gave a reason that this catalogue does not list.",
        actions=(
            "Look at the device itself: `display ike error-info` and `display ike offline-info`",
            "See whether the tunnel to <peer> is back: `display ike sa remote <peer>`",
            "Look the text up in the alarm or log reference of this device's release, and report it to be added",
        ),
    ),
)
CATALOGUE = BOOK.catalogue
resolve, find, lists = BOOK.resolve, BOOK.find, BOOK.lists
