"""What the judgement and the catalogues say in English has a text in every other language, and values survive it.

A phrase that somebody adds in English is found missing here: eventd/notify/words/phrases.<language>.toml, or
handlers/<vendor>/reasons.<language>.toml for what a reason means and what to do (docs/channels.md, "Languages"). The
scenario book is looked through in tests/test_scenarios.py, where it is played.
"""

import re
from contextlib import suppress

import pytest
from examples import some
from hypothesis import example, given
from hypothesis import strategies as st
from languages import LANGUAGES, lexicon, say

import handlers.h3c.reasons
import handlers.huawei.reasons
from eventd.contract import Catalogue
from eventd.correlate import evidence, phrases
from eventd.correlate.texts import FAILOVERS, RESTARTS, TOLD, TRACKS
from eventd.model import INCIDENT_KINDS, SEVERITIES
from eventd.notify.render import view
from eventd.notify.samples import samples
from eventd.notify.unshown import UNSHOWN
from eventd.notify.words import words
from eventd.notify.words.phrases import MAX_LENGTH, MAX_TRIALS, SHAPES, _Search, _TooMuchError, gaps
from handlers._common.catalogue import DISPENSABLE, PLACEHOLDERS, Book

BOOKS: dict[str, Book] = {"huawei": handlers.huawei.reasons.BOOK, "h3c": handlers.h3c.reasons.BOOK}
FULL = {"peer": "203.0.113.7", "local": "198.51.100.1", "interface": "GigabitEthernet1/0/1", "policy": "p1"}


# --- the tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_phrase_of_the_tables_is_known(language: str) -> None:
    """Also those that no scenario brings about."""
    filled = {"peer": "b1", "device": "FW-1", "lost": "3 peers", "interface": "GE1/0/1", "over": "GE1/0/2"}
    ends = {"OVER": "FW-1: {} after 3 h.", "ENDED": "{} after 3 h", "STANDS": "{}, since 10:00 UTC"}
    texts = [evidence.ONE_PLACE, *evidence.TOGETHER.values(), phrases.CAUSE_KNOWN]
    texts.append(UNSHOWN.format(id="a1b2c3d4e5f6"))
    for found in (*evidence.EXPLANATIONS.values(), evidence.ORDERED, evidence.PACED):
        texts += [found.meaning, *found.actions]
    texts += [step.format(**filled) for step in phrases.UNEXPLAINED_STEPS]
    for table, around in ends.items():
        for sort, text in getattr(phrases, table).items():
            who = "" if table == "OVER" else "b1 " if sort in phrases.OF_PEERS else "FW-1 "
            texts.append(around.format(who + text.format(**filled)))
    for text in phrases.NOUNS.values():
        for heir in phrases.HEIRS.values():
            texts.append(f"FW-1: {text.format(**filled)} has become {heir} after 3 h")
    for text in phrases.AWAITS.values():
        texts.append(f"FW-1: the tunnel to b1 was taken down on purpose: x; {text}. Since 2026-01-05 10:00:00 UTC.")
    for text in (phrases.STALE, *phrases.STALE_WAITING.values()):
        texts.append(f"FW-1: the tunnel to b1 is down: x. Since 2026-01-05 10:00:00 UTC. {text}")
    chain = [
        *TOLD.values(),
        *filter(None, FAILOVERS.values()),
        *RESTARTS.values(),
        phrases.NOT_HEARD,
        *phrases.NOT_AWAITED.values(),
    ]
    chain += [f"{what} to b1 is back" for what in TRACKS.values()]
    texts += [f"10:00:00 {line}" for line in chain]
    assert [text for text in texts if lexicon(language)(text) is None] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_its_meaning_and_its_steps(language: str) -> None:
    missing = []
    for vendor, book in BOOKS.items():
        said = book.catalogue.texts[language]
        reasons = [book.unknown, *(row.reason for row in book.catalogue.rows)]
        for reason in reasons:
            parts = [("meaning", (reason.meaning or "").rstrip(".")), ("gloss", reason.gloss)]
            parts += [("step", step) for step in reason.actions]
            missing += [(vendor, part, text) for part, text in parts if text and text not in said[part]]
        names = [row.reason.text for row in book.catalogue.rows if row.space == "condition"]
        missing += [(vendor, "text", name) for name in names if name not in said["text"]]
    assert missing == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_of_a_vendor_is_of_use(language: str) -> None:
    """What nobody says any more goes."""
    left = []
    for vendor, book in BOOKS.items():
        reasons = [book.unknown, *(row.reason for row in book.catalogue.rows)]
        short = [without(step) for reason in reasons for step in reason.actions]
        used = {(reason.meaning or "").rstrip(".") for reason in reasons} | {reason.gloss for reason in reasons}
        used |= {step for reason in reasons for step in reason.actions} | {*short}
        used |= {row.reason.text for row in book.catalogue.rows if row.space == "condition"}
        said = book.catalogue.texts[language]
        left += [(vendor, text) for part in said.values() for text in part if text not in used]
    assert left == []


def without(step: str) -> str:
    """A step without the words that can be left out."""
    for pattern in DISPENSABLE.values():
        step = pattern.sub("", step)
    return step


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("missing", [(), *((name,) for name in PLACEHOLDERS), PLACEHOLDERS])
def test_steps_are_known_whatever_value_is_missing(language: str, missing: tuple[str, ...]) -> None:
    context = {name: value for name, value in FULL.items() if name not in missing}
    unknown = []
    for book in BOOKS.values():
        for row in book.catalogue.rows:
            for step in book.resolve(row.space, row.reason.text, None, context).actions:
                for text in (step, f"For one of them: {step}", f"On FW-1: {step}"):
                    other = lexicon(language)(text)
                    if other is None or any(f"<{name}>" in other for name in PLACEHOLDERS):
                        unknown.append(text)
    assert unknown == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_translation_asks_for_a_gap_that_its_phrase_has_not(language: str) -> None:
    wrong = []
    for name, pairs in lexicon(language)._sources.items():
        wrong += [(name, english) for english, other in pairs.items() if gaps(other) != gaps(english)]
    for book in BOOKS.values():
        for part in book.catalogue.texts[language].values():
            for english, other in part.items():
                if sorted(re.findall(r"`[^`]*`", english)) != sorted(re.findall(r"`[^`]*`", other)):
                    wrong.append((book.catalogue.vendor, english))
                if set(re.findall(r"<\w+>", english)) != set(re.findall(r"<\w+>", other)):
                    wrong.append((book.catalogue.vendor, english))
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_a_gap_is_a_section_or_a_shape(language: str) -> None:
    """A misspelt one would take anything for a value."""
    known = {*lexicon(language)._sources, *SHAPES}
    keys = "\n".join(english for pairs in lexicon(language)._sources.values() for english in pairs)
    assert {kind for kind in re.findall(r"\{\w+:(\w+)\}", keys) if kind not in known} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_messages_are_of_the_language(language: str) -> None:
    """The samples of every kind of incident, rendered: only the values of the sample are English."""
    for name, one in samples(of_digests=False):
        shown = view(one, say(language))  # type: ignore[arg-type]
        kinds = "|".join(kind for kind in INCIDENT_KINDS)
        for text in (shown["state"], *(fact for fact, _ in shown["facts"])):
            assert not re.search(rf"[A-Za-z]{{3,}}|{kinds}", text), (name, text)
        assert not [grave for grave in SEVERITIES if grave.upper() in shown["headline"]]


# --- hostile texts ----------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        " on ",
        " is ",
        ": ",
        ", ",
        " after ",
        " to ",
        " (",
        ")",
        " says ",
        "the tunnel",
        "down",
        "10:00:00 ",
        "3 peers",
        "x",
    ]
)


@some(50)
@given(st.lists(WORDS, max_size=60).map("".join) | st.text(max_size=200))
@example(" on : " * 400)
@example("10:00:00 " + "a: " * 900)
@example("FW: the tunnel to " + " is down: " * 700)
@example("a, " * 2000)
@example("x" * (MAX_LENGTH + 1))
def test_nothing_that_a_device_says_breaks_it(text: str) -> None:
    assert isinstance(say("zh").text(text), str)
    assert isinstance(say("zh").reason(text), str)


@some(50)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
@example(" on FW-1")
@example("{peer}")
@example("a: b, since 10:00 UTC")
@example("\\1")
@example("a board restarted")
@example("FW-2: tunnel started")
def test_a_hostile_reason_keeps_all_its_characters(said: str) -> None:
    other = say("zh").text(f"10:00:00 tunnel stopped: {said}")
    assert said in other or said in lexicon("zh").sections["text"].fixed


def test_a_text_that_nearly_fits_everything_is_given_up_in_time() -> None:
    search = _Search(lexicon("zh").sections, lexicon("zh").loose)
    with suppress(_TooMuchError):
        search.phrase("summary", "FW: " + "the tunnel to  is down: was lost by says (), " * 150)
    assert search._trials <= MAX_TRIALS + 1


def test_a_text_cut_short_is_told_whole_where_it_is_known() -> None:
    cut = "b1 cannot negotiate with FW-1: malformed message (pre-shared keys di…, since 10:00 UTC"
    assert say("zh").text(cut) == "b1 与 FW-1 协商失败：malformed message（预共享密钥不一致），始于 10:00 UTC"


def test_without_a_catalogue_the_reasons_of_vendors_stay_english() -> None:
    text = "Look for a reset command or the end of the IKE SA just before"
    assert words("zh").text(text) == text
    assert say("zh").text(text) != text


def test_a_catalogue_without_the_language_is_none() -> None:
    assert words("zh", [Catalogue("acme", ())]).text("cause known") == "原因已明确"


def test_it_reads_as_people_write_it() -> None:
    told = {
        "unknown peer 192.0.2.1 cannot negotiate with FW-1: no reason given, since 05 Mar 10:00 UTC": (
            "未知对端 192.0.2.1 与 FW-1 协商失败：未给出原因，始于 3 月 05 日 10:00 UTC"
        ),
        "b1 (vsys v2) up again on FW-1 after 1 min 5 s": "b1（虚拟系统 v2）在 FW-1 上已恢复，历时 1 分 5 秒",
        "was info, not back after 2 min": "原级别提示，2 分钟后仍未恢复",
        "8 of 10 are back": "10 个中的 8 个已恢复",
        "FW-1 lost 2 peers (10.0.0.1, b 2 (10.0.0.2)) after 5 min": (
            "FW-1 上 2 个对端（10.0.0.1、b 2（10.0.0.2））中断，历时 5 分钟"
        ),
        "b1 lost by 3 devices, since 10:20 UTC": "b1 与 3 台设备的隧道中断，始于 10:20 UTC",
        "FW-1: the outage of the tunnel to b1 (10.0.0.1) is over after 2 min 49 s.": (
            "FW-1：到 b1（10.0.0.1）的隧道已恢复，历时 2 分 49 秒。"
        ),
        "10:00:00 FW-2: tunnel stopped: peer request, 3 s before (twice, last 10:00:09)": (
            "10:00:00 FW-2：隧道中断：peer request，早于中断 3 秒（2 次，最近 10:00:09）"
        ),
    }
    assert {english: say("zh").text(english) for english in told} == told
