"""The judgement: events in, incidents out (docs/incidents.md). Pure: no clock, no I/O, no randomness.

``engine`` drives, ``fleet`` remembers and finds. Per device: one module per family of rules (``tunnels``,
``negotiation``, ``flapping``, ``devices``, ``switchover``), ``twins`` and ``context`` before them. Then how it is told
(``opening``): by the other end of the link (``links``, ``echoes``), by a group (``groups``, ``tallies``), by itself,
or not now (``hush``). ``cases`` and ``texts`` behind all; ``rules`` and ``explain`` say why.
"""

from eventd.correlate.engine import Correlator
from eventd.correlate.explain import Explanation
from eventd.correlate.hush import Maintenance, Silence
from eventd.correlate.settings import Settings

__all__ = ["Correlator", "Explanation", "Maintenance", "Settings", "Silence"]
