"""Every timer and limit of the judgement: what operators may set, and what is fixed with its reason."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from msgspec import Meta

from eventd.checked import Checked, Fault

#: A century: far beyond any use, and a moment this far ahead is still one that a calendar can name.
LONGEST = 36_525 * 86_400.0
#: Ups and downs remembered per tunnel are twice this; who waits for more of them will not be told.
MAX_COUNT = 100

#: What is held back longer than a day is told to nobody in time: more is a typing error.
LONGEST_HOLD = 86_400.0
#: A timer that may be 0: what it delays is then not delayed.
Hold = Annotated[float, Meta(ge=0, le=LONGEST_HOLD)]
#: A timer that starts itself again, or a stretch to count in: 0 would never end, or never hold anything.
Timer = Annotated[float, Meta(gt=0, le=LONGEST)]
Count = Annotated[int, Meta(ge=1, le=MAX_COUNT)]


class Settings(Checked, frozen=True, forbid_unknown_fields=True):
    """``[correlate]`` of the configuration; durations in seconds."""

    outage_hold: Hold = 15.0
    rekey_hold: Hold = 30.0
    recovery_hold: Hold = 5.0
    twin_window: Hold = 5.0
    flap_count: Count = 4
    flap_window: Timer = 900.0
    group_peers: Annotated[int, Meta(ge=1, le=50_000)] = 5
    group_share: Annotated[float, Meta(ge=0, le=1)] = 0.5
    group_window: Timer = 60.0
    reminder: Timer = 14_400.0
    stale_after: Timer = 86_400.0
    selfheal_count: Count = 3
    selfheal_window: Timer = 3600.0

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        if "flap_window" in given and "twin_window" in given and given["flap_window"] <= given["twin_window"]:
            yield "flap_window", "must be longer than twin_window: what follows within that one is no second change"


# --- timers that are not settings: each follows from how the devices behave, not from taste -------------------------

#: A sign that a peer lives but no proof that its tunnel does (phase 1 up, DPD answered) clears only after this long
#: without a new failure: phase 2 follows phase 1 within seconds, and retries come well inside a minute.
WEAK_HOLD = 60.0
#: A stop this soon after `reset ike sa`, a detached policy or a typed command is taken as its effect.
ADMIN_WINDOW = 30.0
#: After a stop on purpose an automatically triggered tunnel renegotiates at once; two minutes allow for every retry.
ADMIN_AUTO_WAIT = 120.0
#: The same where nobody told us the trigger: traffic on a used tunnel should have come within a quarter of an hour.
ADMIN_UNKNOWN_WAIT = 900.0
#: A peer without any tunnel, taken down on purpose and of unknown trigger, is a warning after `ADMIN_UNKNOWN_WAIT` and
#: major after this: an hour is longer than most planned work on one tunnel, and nobody is cut off unnoticed for longer.
ADMIN_DOWN_WAIT = 3600.0
#: A lone negotiation failure of a stranger is remembered this long while waiting for its second.
FAIL_MEMORY = 600.0
#: A stranger (not in the inventory, never seen up) that stops trying for this long is no longer an incident.
STRANGER_QUIET = 3600.0
#: A proof "this tunnel is up" is trusted for one day: every rekey renews it, and IKE lifetimes default to a day.
UP_TRUST = 86_400.0
#: Device-level conditions (capacity, security) without a clear of their own end after an hour without repetition.
CONDITION_QUIET = 3600.0
#: What else happened on a device is told in a chain when it lies this close before the first sign.
CONTEXT_WINDOW = 60.0
#: A line that was away for less fails no dead-peer probe for good: they go out every 10 to 60 s and are repeated.
DPD_TAKES = 30.0
#: A device may find out that a line is dead later than its tunnels do, up to 90 s by LACP (IEEE 802.1AX, long timeout),
#: and its word may be late: so long after the loss it is still why. What is told later happened later.
LINE_TOLD = 120.0
#: Changes nobody is told about (counters) are published at most this often per incident: retries come every few
#: seconds, and each publication is a row in the store.
QUIET_UPDATE = 60.0
#: Reminders come no more often than this, whatever is set: below it they are noise, and 0 would be without end.
MIN_REMINDER = 60.0
#: A timer that would fire again at its own instant waits this long, so that time always gets on.
TIMER_STEP = 1.0
#: After a rule failed, its timer is tried again this much later: what is to be announced must not be lost to a bug
#: that may depend on the moment, and one exception a minute harms nobody.
FAULT_PAUSE = 60.0

#: Fewer peers than this are no group by their share alone: two branches that fail in one minute may well be two faults.
MIN_GROUP = 3
#: Unless something near them names a common cause (a link that went down, a restart).
MIN_EXPLAINED = 2
#: One interface holds this share of the peers lost on a device: it is the interface, not the device.
MOSTLY = 0.8
#: A recovery one by one is told once, and again when no more than this share of those then missing is left.
TOLD_AGAIN = 0.25
#: While peers keep coming and going, an outage of many is counted this soon after it was opened, and then no sooner
#: than this after its number was last told: holds end within seconds of each other, and who is called needs the whole.
TALLY, TALLY_AGAIN = 20.0, 60.0
#: Once some were told to be back: so many times those who were then missing are missing again, and that is news.
LOST_AGAIN = 2.0
#: That count is told when the number has become so many times what was told, the second where no hold is running and
#: it is the total; or when no more than this share is still missing, the first time.
TALLY_MORE, TALLY_TOTAL, TALLY_LEFT = 2.0, 1.5, 0.5
#: Stops that come at a steady pace: so many of them, each distance within this share of their mean, and no shorter
#: than two minutes (faster ones are flapping anyhow). Keepalive timeouts are 20 s to 8 h.
PACE_STOPS = 4
PACE_SPREAD = 0.1
MIN_PACE = 120.0
#: Peers of one device that come up on another one, so soon after each other: it has taken them over, whoever says so.
#: Fewer may be two faults; after three minutes a branch that has a second gateway may have gone there by itself.
MOVED_PEERS = 3
TAKEOVER_WINDOW = 180.0
#: A peer that more devices have is a hub that all of them see: no pair shares it.
MAX_UNITS = 4
#: Moves remembered per device: those that make it evident, and a few for a third device between them.
MAX_MOVES = 8
#: After a restart of its device a peer is missed when it is not back by then: a far end notices within two minutes that
#: nobody answers (DPD waits half a minute, then repeats some times), tries again at least every minute, and the device
#: lets hundreds in one after the other. What the device says of a restart meanwhile is told of the same one.
RESTART_WAIT = 300.0
#: A device is up again, and says so, within a quarter of an hour of what led to its restart.
RESTART_TOLD = 900.0
#: No firewall boots faster: what started less than this before the word of its restart came after it.
BOOT_TAKES = 120.0
#: The two ends of a link find out apart: probes go out every 10 to 60 s and are repeated some times.
LINK_WINDOW = 300.0

# --- bounds: a hostile or broken sender must not fill the memory ----------------------------------------------------

#: Two and a half times the largest installation planned for (20k peers); about 1 KB each.
MAX_PEERS = 50_000
#: How many of the oldest peers are looked at to find one without an incident to forget.
EVICT_SCAN = 64
#: Timers may have so many entries, and two for each that is set, before those that were overtaken are thrown out.
HEAP_SLACK = 1024
#: More devices than any one collector is asked to serve.
MAX_DEVICES = 10_000
#: The largest template ends protect some hundred flows per branch.
MAX_TUNNELS_PER_PEER = 256
#: Facts remembered per peer for `twin_window`. They are scanned for every message, and what a lost twin costs is small:
#: a stop of what is down changes nothing, and a failure counts twice.
MAX_FACTS = 128
#: Lines of a chain; beyond, the middle is left out. An alert with more is not read.
MAX_STEPS = 30
#: Of those, the first ones are always kept: they tell how it began.
MAX_FIRST_STEPS = 10
#: Witnesses are (transport, device) pairs: seven transports, a handful of devices.
MAX_WITNESSES = 16
#: Incidents listed under one: an uplink of the largest hub planned for.
MAX_CHILDREN = 1_000
#: Silences at one time; each is looked at for every message that would be told.
MAX_SILENCES = 1_000
#: A silence that is over is listed for a day.
KEEP_SILENCES = 86_400.0
#: Decisions remembered per peer and device, for whoever asks why: the latest, repetitions counted.
MAX_DECISIONS = 12
#: Reasons told one by one of peers that were lost at once for several.
MAX_MIXED = 3
#: Names of peers in one sentence.
MAX_NAMED = 5
#: Steps to take that a person reads at three in the morning.
MAX_ACTIONS = 8
#: Neighbouring happenings kept per device.
MAX_NOTES = 64
#: Device-level conditions open at the same time per device; more are folded into one.
MAX_CONDITIONS = 64
#: Self-heals counted per device; the rule needs `selfheal_count` of them.
MAX_HEALS = 100
#: Text from the wire inside one line.
MAX_TEXT = 200
#: A headline: what a phone shows of a message before it is opened.
MAX_TITLE = 120
#: What is out of a peer, in a headline: the first network of a flow, and a bit of the second.
MAX_WHICH = 32
#: Peers that a headline names; of more it tells the number.
MAX_TITLE_NAMES = 2
#: Exceptions kept until somebody takes them; they are for the log, where the first ones tell all.
MAX_FAULTS = 16
