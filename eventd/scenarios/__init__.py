"""The scenario book: a unit test of alerting. A scenario is a file that tells what devices send and when, and what must
and must not be concluded from it; all of it runs through the real decoder, judgement and routing on a virtual clock.

``script`` reads the lines of a timeline, ``book`` the files, ``wire`` makes the messages, ``play`` lets them happen and
``verdict`` compares. The format is described in docs/scenario-format.md.
"""

from eventd.scenarios.book import Scenario, read_book
from eventd.scenarios.play import Player
from eventd.scenarios.verdict import Outcome, judge

__all__ = ["Outcome", "Player", "Scenario", "judge", "read_book"]
