"""Whether scraping delays reception: the same load, in turn without and with somebody who asks every second."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from results import Borne, Scraped
from states import Side

#: Share of the capacity at which reception is looked at.
SHARE = 0.5
SCRAPER = Path(__file__).with_name("scraper.py")


@contextmanager
def asking(side: Side, answers: dict[str, list[float]]) -> Iterator[None]:
    """Somebody asks meanwhile; what each answer took is added to ``answers``."""
    command = [sys.executable, str(SCRAPER), str(side.eventd.service.ports["web"])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as scraper:
        try:
            yield
        finally:
            scraper.terminate()
            told, _ = scraper.communicate(timeout=60)
    assert scraper.returncode == 0, "an answer was refused"
    for path, took in msgspec.json.decode(told, type=dict[str, list[float]]).items():
        answers[path] += took


def beside(side: Side, peers: int, capacity: float, pairs: int, seconds: float) -> Scraped:
    """Tries at `SHARE` of ``capacity`` (messages/s), in turn without and with scrapes."""
    rate = capacity * SHARE
    without, asked = list[Borne](), list[Borne]()
    answers = defaultdict[str, list[float]](list)
    for _ in range(pairs):
        without.append(side.watch(rate, seconds))
        with asking(side, answers):
            asked.append(side.watch(rate, seconds))
    return Scraped(peers, rate, tuple(without), tuple(asked), {path: tuple(took) for path, took in answers.items()})
