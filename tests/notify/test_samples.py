"""Templates are tried with every kind of incident and digest before they are needed."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from notify_fakes import make_notification
from peers import library

from eventd.cli.check import command
from eventd.errors import DeliveryError
from eventd.model import INCIDENT_KINDS, ChangeKind, Digest, DigestReason, Notification
from eventd.notify import template
from eventd.notify.chat import Chat
from eventd.notify.markup import BARE
from eventd.notify.samples import samples
from eventd.notify.session import Session
from eventd.notify.template import Renderer, own_template
from eventd.notify.tried import tried_template
from eventd.registry import load_notifiers

PAGE = (Path(__file__).parents[2] / "docs/channels.md").read_text(encoding="utf-8")
ONE_BY_ONE, TOGETHER = samples(of_digests=False), samples(of_digests=True)

#: Whatever its type needs, with one mistake of each sort.
KEYS = {
    "webhook": ['url = "https://hook.example/x"', 'bearer_token_file = "gone"'],
    "alertmanager": ['urls = ["https://am.example"]', 'bearer_token_file = "gone"'],
    "slack": ['token_file = "gone"', 'channel = "C1"'],
    "teams": ['url_file = "gone"'],
    "discord": ['url_file = "gone"'],
    "mattermost": ['url_file = "gone"'],
    "telegram": ['token_file = "gone"', "chat_id = -1"],
    "feishu": ['url = "https://open.feishu.cn/open-apis/bot/v2/hook/x"', 'secret_file = "gone"'],
    "dingtalk": ['url = "https://oapi.dingtalk.com/robot/send?access_token=x"', 'secret_file = "gone"'],
    "wecom": ['url_file = "gone"'],
    "apprise": ['urls_file = "gone"'],
    "email": [
        'server = "mail.example"',
        'from = "e@b.example"',
        'to = ["c@d.example"]',
        'username = "e"',
        'password_file = "gone"',
    ],
    "console": [],
}
ADDRESSES = {
    "alertmanager": ['urls = ["am.example"]'],
    "apprise": ['urls = ["pigeon://x"]'],
    "telegram": ['api_url = "ftp://x"', 'token = "1:A"', "chat_id = -1"],
    "email": ['server = "mail example"', 'from = "e@b.example"', 'to = ["c@d.example"]'],
}


def checked(folder: Path, kind: str, *keys: str) -> str:
    """What ``eventd check`` says of a channel, which must be wrong."""
    if kind == "apprise":
        library("apprise")
    file = folder / "eventd.toml"
    file.write_text("\n".join(["[[channels]]", 'name = "ops"', f'type = "{kind}"', *keys]))
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert done.exit_code == 2, done.output
    assert "channels[0]." in done.output
    return done.output


def settings_of(kind: str) -> set[str]:
    return set(load_notifiers()[kind].settings.__struct_fields__)


TEMPLATED = [kind for kind in KEYS if "template_file" in settings_of(kind)]


def test_every_type_is_tried_here() -> None:
    assert set(load_notifiers()) == set(KEYS)


def test_the_samples_have_every_kind_at_every_step_and_every_digest() -> None:
    told = [one for _, one in ONE_BY_ONE if isinstance(one, Notification)]
    steps = {(one.incident.kind, one.what) for one in told}
    assert steps == {(kind, what) for kind in INCIDENT_KINDS for what in get_args(ChangeKind)}
    assert {one.why for _, one in TOGETHER if isinstance(one, Digest)} == set(get_args(DigestReason))
    assert any(one.incident.children for one in told)
    optional = ("peer", "peer_name", "site", "interface", "vsys", "cause", "url", "acked_by", "late_s", "news")
    assert all(any(getattr(one.incident, name) is None for one in told) for name in optional)
    names = [name for name, _ in (*ONE_BY_ONE, *TOGETHER)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("titled", [True, False])
def test_our_own_templates_render_every_sample(titled: bool) -> None:
    for name, given in (("message.j2", ONE_BY_ONE), ("digest.j2", TOGETHER)):
        renderer = Renderer(own_template(name), BARE, titled=titled)
        assert all(renderer(told) for _, told in given)


@pytest.mark.parametrize(
    ("source", "sample", "count"),
    [
        ("{{ incident.peer.upper() }}", "interface outage, opened", "15 of 42"),
        ("{{ incident.cause.text }}", "hardly anything known, opened", "3 of 42"),
        ("{{ actions[0] }}", "tunnel down, resolved", "16 of 42"),
        ("{% if incident.children %}{{ nothing }}{% endif %}", "outage of many, opened", "3 of 42"),
        ("{{ nothing }}", "tunnel down, opened", "42 of 42"),
        ("{{ incident.peer }}", "interface outage, opened", "15 of 42"),
    ],
)
def test_a_template_that_fails_on_some_is_refused_with_a_sample(
    source: str, sample: str, count: str, tmp_path: Path
) -> None:
    (tmp_path / "own.j2").write_text(source)
    with pytest.raises(ValueError, match=f"template_file: .*\\(sample '.*{sample}'; it fails on {count}"):
        tried_template("message.j2", "own.j2", BARE, tmp_path)


def test_a_template_of_digests_is_tried_with_digests(tmp_path: Path) -> None:
    (tmp_path / "own.j2").write_text("{{ why }}{% for line in lines %}{{ line.incident.cause.text }}{% endfor %}")
    with pytest.raises(ValueError, match=r"digest_template_file: .*\(sample 'digest \(storm\)'; it fails on 4 of 5"):
        tried_template("digest.j2", "own.j2", BARE, tmp_path, key="digest_template_file")


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("{{ lines | length }} of them", 10),
        ("{% for line in lines[:5] %}{{ line.headline }}{% endfor %}", 5),
        ("{% for line in lines %}{{ line.state }}{% endfor %}", 10),
    ],
)
def test_a_digest_that_does_not_list_every_incident_is_refused(source: str, left: int, tmp_path: Path) -> None:
    (tmp_path / "own.j2").write_text(source)
    with pytest.raises(
        ValueError, match=f"^digest_template_file: it must list every incident, and of 10 it .* {left}$"
    ):
        tried_template("digest.j2", "own.j2", BARE, tmp_path, key="digest_template_file")


@pytest.mark.parametrize("shown", ["headline", "incident.id", "incident.peer_name", "incident.url", "incident.device"])
def test_by_which_of_its_names_it_lists_them_is_its_own_affair(shown: str, tmp_path: Path) -> None:
    (tmp_path / "own.j2").write_text("{% for line in lines %}{{ line." + shown + " or '-' }}{% endfor %}")
    tried_template("digest.j2", "own.j2", BARE, tmp_path, key="digest_template_file")


@pytest.mark.parametrize(
    "forever",
    [
        "{% for n in range(99999) %}{% for m in range(99999) %}{{ n }}{% endfor %}{% endfor %}",
        "{% for a in t %}{% for b in t %}{% for c in t %}{% for d in t %}" + 4 * "{% endfor %}",
        "{% for a in t recursive %}{% if loop.depth < 6 %}{% set _ = loop(t) %}{% endif %}{% endfor %}",
        "{% macro m(n) %}{% if n %}{% set _ = m(n - 1) ~ m(n - 1) %}{% endif %}{% endmacro %}{% set _ = m(30) %}",
    ],
)
def test_a_template_that_takes_too_long_is_stopped_and_says_so(
    forever: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that prints nothing meanwhile."""
    monkeypatch.setattr(template, "MAX_RENDER_S", 0.05)
    forever = "{% set t = 'x' * 99 %}{{ t }}" + forever
    (tmp_path / "own.j2").write_text(forever)
    with pytest.raises(ValueError, match=r"template_file: .*takes longer than 0.05 s .*; the others were not tried\)$"):
        tried_template("message.j2", "own.j2", BARE, tmp_path)
    with pytest.raises(DeliveryError, match=r"render: .*rendering takes longer than 0.05 s"):
        Renderer(forever)(make_notification())


# --- eventd check, for every type ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind, keys in KEYS.items() if keys])
def test_a_secret_that_cannot_be_read_is_told(kind: str, tmp_path: Path) -> None:
    assert re.search(r"channels\[0\]\.\w+_file: .*cannot be read", checked(tmp_path, kind, *KEYS[kind]))


@pytest.mark.parametrize("kind", [kind for kind in KEYS if kind != "console"])
def test_an_address_that_is_none_is_told(kind: str, tmp_path: Path) -> None:
    said = checked(tmp_path, kind, *ADDRESSES.get(kind, ['url = "ftp://x.example/"']))
    assert re.search(r"channels\[0\]\.(url|urls|api_url|server)\b", said)


@pytest.mark.parametrize("kind", TEMPLATED)
def test_a_template_that_fails_on_one_sample_is_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "gone").write_text("0123456789abcdef")
    (tmp_path / "own.j2").write_text("{% if incident.kind == 'capacity' %}{{ nothing }}{% endif %}")
    said = checked(tmp_path, kind, *(key.replace('"gone"', f'"{_address(kind, tmp_path)}"') for key in KEYS[kind]),
                   'template_file = "own.j2"')  # fmt: skip
    assert "channels[0].template_file: UndefinedError: 'nothing' is undefined (sample 'capacity, opened'" in said


def _address(kind: str, folder: Path) -> str:
    """A file with something that is good as the secret of a type."""
    if kind != "apprise" and "url_file" not in "".join(KEYS[kind]):
        return "gone"
    (folder / "address").write_text(
        "json://hook.example/x"
        if kind == "apprise"
        else "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0123456789abcdef"
    )
    return "address"


# --- the documented example ---------------------------------------------------------------------------------------


def example(name: str) -> str:
    """A template of the page, as it stands there."""
    found = re.search(rf"`{name}`:\n\n?```jinja\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, f"the page shows no {name}"
    return found[1]


@pytest.mark.parametrize("kind", ["slack", "telegram", "teams", "wecom"])
def test_the_example_of_the_page_works_in_chats(kind: str, tmp_path: Path) -> None:
    for name in ("short.j2", "short-digest.j2"):
        (tmp_path / name).write_text(example(name))
    keys: dict[str, Any] = {"template_file": "short.j2", "digest_template_file": "short-digest.j2"}
    keys |= {"token": "1:A", "chat_id": -1} if kind == "telegram" else {"url": "https://chat.example/x?key=1"}
    notifier = load_notifiers()[kind]
    channel: Chat = notifier.build("ops", notifier.settings(**keys), Session(base=tmp_path))
    texts = {name: channel.text(told) for name, told in ONE_BY_ONE}
    assert "because test" in texts["tunnel down, opened"]
    assert "over" in texts["tunnel down, resolved"]
    assert "40 are hit" in texts["outage of many, opened"]
    assert "Nothing has to be done." in texts["tunnel down, opened"]
    assert "Nothing has to be done." not in texts["tunnel down, updated"]
    digest = next(told for name, told in TOGETHER if name == "digest (storm)")
    assert len(channel.body(digest).splitlines()) >= len(INCIDENT_KINDS)
