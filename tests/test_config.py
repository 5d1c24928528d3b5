"""Configuration: every problem at once, each with its key, its line and what is wrong."""

from pathlib import Path

import pytest

from eventd.config import load
from eventd.document import parse_duration
from eventd.errors import ConfigError

MISTAKES = {
    "unknown section": ("[stoer]\n", "stoer: unknown key (did you mean store?)", 1),
    "unknown key": ('[store]\npth = "x"\n', "store.pth: unknown key (did you mean path?)", 2),
    "wrong type": ("[store]\npath = 5\n", "store.path: expected `str`, got `int`", 2),
    "bad duration": ('[correlate]\n\noutage_hold = "15 parsecs"\n', "correlate.outage_hold: '15 parsecs' is not a", 3),
    "bad choice": ('[store]\nsync = "sometimes"\n', "store.sync: invalid enum value 'sometimes'", 2),
    "bad address": ('[receivers.syslog_udp]\nlisten = "nowhere"\n', "receivers.syslog_udp: listen: ", 1),
    "bad network": ('[receivers.snmp]\nallow = ["10.0.0.0/99"]\n', "receivers.snmp: allow: ", 1),
    "certificate missing": (
        '[receivers.syslog_tls]\ncert_file = "a.pem"\n',
        "receivers.syslog_tls.key_file: is missing",
        1,
    ),
    "certificate unreadable": (
        '[receivers.syslog_tls]\ncert_file = "a.pem"\nkey_file = "b.pem"\n',
        "a.pem cannot be read",
        1,
    ),
    "user without key": (
        '[receivers.snmp]\n[[receivers.snmp.users]]\nname = "x"\nauth = "SHA256"\npriv = "AES128"\n',
        "receivers.snmp.users[0].auth_key: auth_key is missing (also possible: auth_key_file, auth_key_env)",
        2,
    ),
    "unknown channel type": (
        '[[channels]]\nname = "a"\ntype = "pigeon"\n',
        "channels[0].type: 'pigeon' is not one of",
        3,
    ),
    "two channels of one name": (
        '[[channels]]\nname = "a"\ntype = "console"\n[[channels]]\nname = "a"\ntype = "console"\n',
        "channels[1].name: 'a' is used twice",
        5,
    ),
    "channel without address": ('[[channels]]\nname = "a"\ntype = "slack"\n', "channels[0]: url is missing", 1),
    "route to nowhere": ('[[routes]]\nchannels = ["b"]\n', "routes[0].channels: there is no channel 'b'", 2),
    "route on nothing": (
        '[[routes]]\nmatch = { colour = "red" }\nchannels = ["console"]\n',
        "routes[0].match.colour: is not something to match on",
        2,
    ),
    "handlers that are not there": ('handlers = ["no_such_package"]\n', None, None),
    "inventory missing": ('inventory = "no.toml"\n', "no.toml: configuration: cannot be read: No such file", None),
    "reserved": ('[[maintenance]]\nreason = "x"\n', "maintenance: maintenance windows are not built yet", 1),
    "not toml": ("[store\n", "is not TOML", 1),
    "token too short": (
        '[[web.tokens]]\nname = "a"\ntoken = "short"\n',
        "web.tokens[0].token: is shorter than 16 characters",
        3,
    ),
    "secret twice": (
        '[[web.tokens]]\nname = "a"\ntoken = "x"\ntoken_env = "Y"\n',
        "web.tokens[0].token: token is given more than once: token, token_env",
        3,
    ),
    "no receiver": ("[receivers]\n", "receivers: no receiver is configured", 1),
}


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "eventd.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(str(file))
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize("mistake", [name for name, (_, what, _) in MISTAKES.items() if what])
def test_a_mistake_is_named_with_its_line(mistake: str, tmp_path: Path) -> None:
    text, expected, line = MISTAKES[mistake]
    found = problems(tmp_path, text)
    hits = [problem for problem in found if expected in problem]
    assert hits, found
    if line is not None:
        assert f"eventd.toml:{line}: " in hits[0]


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, '[store]\nsync = "no"\npth = 1\n[web]\nlisten = 5\n[correlate]\nflap_count = "many"\n')
    assert [problem.split(": ")[1] for problem in found] == [
        "store.pth",
        "store.sync",
        "web.listen",
        "correlate.flap_count",
    ]


def test_a_secret_never_shows_in_a_problem(tmp_path: Path) -> None:
    text = (
        '[receivers.snmp]\n[[receivers.snmp.users]]\nname = "x"\n'
        'auth = "SHA256"\nauth_key = "hush"\npriv = "AES128"\npriv_key = "hush"\n'
    )
    assert not any("hush" in problem for problem in problems(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1h30m", 5400), ("90d", 7776000), ("1.5h", 5400)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "s", "5 m", "-5s", "5y", "1h-3m"])
def test_what_is_not_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_secrets_come_from_files_beside_the_configuration_and_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "auth").write_text("authentication\n")
    monkeypatch.setenv("EVENTD_TEST_PRIV", "privacy-pass")
    file = tmp_path / "eventd.toml"
    file.write_text(
        "[receivers.snmp]\n[[receivers.snmp.users]]\n"
        'name = "x"\nauth = "SHA256"\nauth_key_file = "auth"\npriv = "AES128"\npriv_key_env = "EVENTD_TEST_PRIV"\n'
    )
    [user] = load(str(file)).access_users
    assert (user.auth_password, user.priv_password) == (b"authentication", b"privacy-pass")


def test_without_a_file_the_defaults_are_a_whole_service() -> None:
    config = load(None)
    assert config.receivers.syslog_udp is not None
    assert config.receivers.syslog_tcp is not None
    assert config.receivers.snmp is not None
    assert config.receivers.syslog_tls is None
    assert [(channel.name, channel.type) for channel in config.channels] == [("console", "console")]
