"""Every timer and limit of the judgement: what operators may set, and what is fixed with its reason."""

from msgspec import Struct


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """``[correlate]`` of the configuration; durations in seconds. ``group_*`` belong to outages of many peers."""

    outage_hold: float = 15.0
    rekey_hold: float = 30.0
    recovery_hold: float = 5.0
    twin_window: float = 5.0
    flap_count: int = 4
    flap_window: float = 900.0
    group_peers: int = 5
    group_share: float = 0.5
    group_window: float = 60.0
    reminder: float = 14_400.0
    stale_after: float = 86_400.0
    selfheal_count: int = 3
    selfheal_window: float = 3600.0


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
#: Changes nobody is told about (counters) are published at most this often per incident: retries come every few
#: seconds, and each publication is a row in the store.
QUIET_UPDATE = 60.0

# --- bounds: a hostile or broken sender must not fill the memory ----------------------------------------------------

#: Two and a half times the largest installation planned for (20k peers); about 1 KB each.
MAX_PEERS = 50_000
#: How many of the oldest peers are looked at to find one without an incident to forget.
EVICT_SCAN = 64
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
