"""What a try that failed says of the far end, and of what was told."""

from typing import TypeGuard

from eventd.errors import DeliveryError, DeliveryFailure
from eventd.model import Digest, Told
from eventd.notify.render import latest

#: A far end that fails this often on one message may be failing because of it: from then on plain text is tried too.
PLAIN_AFTER_TRIES = 3

#: Failures that are ours or the layout's: a simpler text may still get through.
PLAIN_MAY_HELP = {DeliveryFailure.RENDER, DeliveryFailure.TOO_LARGE, DeliveryFailure.INTERNAL}

#: Failures that say that nobody is there, or may be asked now.
AWAY = {DeliveryFailure.CONNECT, DeliveryFailure.TLS, DeliveryFailure.RATE_LIMITED}
#: Failures after which the channel rests for a while.
TROUBLE = {*AWAY, DeliveryFailure.TIMEOUT, DeliveryFailure.SERVER_ERROR, DeliveryFailure.REFUSED}


def away(error: DeliveryError) -> bool:
    """Whether another message would fare no better, so that the same one is tried again and again. Other failures may
    be due to the message: also that the far end breaks the connection off once it has heard it."""
    return error.reason in AWAY and not (error.reason == DeliveryFailure.CONNECT and error.heard)


def plain_may_help(told: Told, error: DeliveryError) -> bool:
    """Whether ``told`` may get through without a layout."""
    often = error.reason == DeliveryFailure.SERVER_ERROR and told.attempts >= PLAIN_AFTER_TRIES
    return often or error.reason in PLAIN_MAY_HELP


def several(told: Told) -> TypeGuard[Digest]:
    """Whether it can be taken apart."""
    return isinstance(told, Digest) and len(latest(told)) > 1


def holds_a_culprit(told: Told, error: DeliveryError) -> TypeGuard[Digest]:
    """Whether the far end, or our own code, will not take a digest in any form, and may take most of it in smaller
    ones."""
    return several(told) and (not error.retryable or error.reason == DeliveryFailure.INTERNAL)
