"""The judgement: events in, incidents out (docs/incidents.md). Pure: no clock, no I/O, no randomness.

``engine`` finds the state and keeps the timers; one module per family of rules: ``tunnels``, ``negotiation``,
``flapping``, ``devices``; ``twins`` and ``context`` before them, ``cases`` and ``texts`` behind them.
"""

from eventd.correlate.engine import Correlator
from eventd.correlate.settings import Settings

__all__ = ["Correlator", "Settings"]
