"""What was told is forgotten once nothing will be compared with it, whether or not its peer speaks again."""

from correlate_strategies import EPOCH, Story, tell

from eventd.correlate import Correlator, Settings
from eventd.inventory import Inventory


def told(story: Story) -> int:
    fleet = story.correlator.fleet
    return sum(len(state.facts) for state in (*fleet.peers.values(), *fleet.devices.values()))


def test_facts_of_who_is_quiet_fade() -> None:
    story = tell("0 stop dpd timeout\n0 stop dpd timeout peer=2.1.1.2\n0 stop dpd timeout device=FW2", until=4)
    assert told(story) == 3
    story.correlator.tick(EPOCH + 10)
    assert told(story) == 0
    assert len(story.correlator._fading) == 0


def test_what_is_told_again_and_again_stays_until_it_is_quiet() -> None:
    story = tell("\n".join(f"{second} fail authentication fail" for second in range(0, 30, 3)), until=30)
    assert 1 <= told(story) <= 3
    story.correlator.tick(EPOCH + 40)
    assert told(story) == 0


def test_facts_fade_after_a_restart_and_after_the_clock_was_set_back() -> None:
    story = tell("0 stop dpd timeout", until=2)
    story.correlator = Correlator(Settings(), Inventory())
    story.correlator.load(story.saved.items())
    story.correlator.tick(EPOCH + 3)
    assert told(story) == 1, "its twin may still come"
    story.correlator.rebase(-3600.0)
    story.correlator.tick(EPOCH - 3600.0 + 10)
    assert told(story) == 0
