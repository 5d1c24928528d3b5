"""A scrape is what the client library would write, however many series are remembered."""

from collections.abc import Iterable, Mapping
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder

from eventd.metrics import SPECS, Labels, Spec
from eventd.telemetry import Telemetry, family, process_registry
from eventd.web import exposition
from eventd.web.exposition import MANY, Exposition

ACCEPT = ("", "application/openmetrics-text; version=1.0.0", "text/plain; version=1.0.0; escaping=allow-utf-8")
UP, TURNS = (next(spec for spec in SPECS if spec.name == name) for name in ("peer_up", "peer_state_changes"))
#: What looks like the end of a line, of a label or of a number to one reader or another.
ODD = ["a", " ", "\n", "\r", '"', "\\", "{", "}", "#", "\x0b", "\u2028", "1", "\x00", "é"]
AWKWARD = st.text(st.sampled_from(ODD), max_size=6)


Seen = tuple[Spec, Mapping[Labels, float]]


class These(CollectorRegistry):
    """Metrics as they were seen."""

    def __init__(self, seen: Iterable[Seen]) -> None:
        super().__init__(auto_describe=False)
        self.seen = seen

    def collect(self) -> Iterable[Metric]:
        return [family(*one) for one in self.seen]


def by_library(accept: str, seen: Iterable[Seen]) -> list[str]:
    encode, _ = choose_encoder(accept)
    return sorted(encode(These(seen)).decode().split("\n"))


@pytest.mark.parametrize("accept", ACCEPT)
@given(
    labels=st.lists(st.tuples(*[AWKWARD] * 4), min_size=1, max_size=30, unique=True),
    values=st.lists(st.floats().map(lambda value: value or 0.0)),
)
def test_every_line_is_that_of_the_library(accept: str, labels: list[Labels], values: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exposition, "MANY", 1)
        made, numbers = Exposition(accept), count()
        for some in (labels[:3], labels, labels[1:], labels[1:]):
            given_values = {one: values[next(numbers) % len(values)] if values else 1.0 for one in some}
            seen: list[Seen] = [(UP, given_values), (TURNS, {one[:2]: 3.0 for one in some})]
            assert sorted("".join(made.parts(seen, [])).split("\n")) == by_library(accept, seen)


@pytest.mark.parametrize("accept", ACCEPT)
def test_a_scrape_has_all_families_whole_and_one_end(accept: str) -> None:
    telemetry = Telemetry()
    telemetry.know("peer_up", [("FW1", f"10.0.{n // 250}.{n % 250}", "", "") for n in range(MANY)])
    text = "".join(Exposition(accept).parts(telemetry.seen(), process_registry().collect()))
    assert text.count("# EOF") == text.endswith("# EOF\n") == ("openmetrics" in accept)
    names = [line.split()[2] for line in text.split("\n") if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) > len(SPECS)
    lines = text.split("\n")
    at = [number for number, line in enumerate(lines) if line.startswith("eventd_peer_up{")]
    assert at == list(range(at[0], at[0] + MANY))
    assert lines[at[0] - 1].startswith("# TYPE eventd_peer_up gauge")


def test_what_is_gone_is_not_remembered() -> None:
    made = Exposition("")
    for first in range(0, 5 * MANY, MANY):
        for _ in made.parts([(UP, {("FW1", f"peer{n}", "", ""): 1.0 for n in range(first, first + MANY)})], []):
            pass
    assert len(made._series["peer_up"]) == MANY
