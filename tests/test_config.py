"""Configuration: every problem at once, each with its key, its line and what is wrong."""

from pathlib import Path

import pytest

from eventd.config import load
from eventd.durations import parse_duration
from eventd.errors import ConfigError
from eventd.verify import verify

MISTAKES = {
    "unknown section": ("[stoer]\n", "stoer: unknown key (did you mean store?)", 1),
    "unknown key": ('[store]\npth = "x"\n', "store.pth: unknown key (did you mean path?)", 2),
    "wrong type": ("[store]\npath = 5\n", "store.path: must be text, not a whole number", 2),
    "bad duration": ('[correlate]\n\noutage_hold = "15 parsecs"\n', "correlate.outage_hold: '15 parsecs' is not a", 3),
    "bad choice": ('[store]\nsync = "sometimes"\n', "store.sync: is not one of full, normal", 2),
    "bad address": ('[receivers.syslog_udp]\nlisten = "nowhere"\n', "receivers.syslog_udp.listen: ", 2),
    "bad network": ('[receivers.snmp]\nallow = ["10.0.0.0/99"]\n', "receivers.snmp.allow: ", 2),
    "certificate missing": (
        '[receivers.syslog_tls]\ncert_file = "a.pem"\n',
        "receivers.syslog_tls.key_file: is missing",
        1,
    ),
    "certificate unreadable": (
        '[receivers.syslog_tls]\ncert_file = "a.pem"\nkey_file = "b.pem"\n',
        "a.pem cannot be read",
        2,
    ),
    "user without key": (
        '[receivers.snmp]\n[[receivers.snmp.users]]\nname = "x"\nauth = "SHA256"\npriv = "AES128"\n',
        "receivers.snmp.users[0].auth_key: is missing (also possible: auth_key_file, auth_key_env)",
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
    "channel without address": ('[[channels]]\nname = "a"\ntype = "slack"\n', "channels[0].url: is missing", 1),
    "route to nowhere": ('[[routes]]\nchannels = ["b"]\n', "routes[0].channels: there is no channel 'b'", 2),
    "route on nothing": (
        '[[routes]]\nmatch = { colour = "red" }\nchannels = ["console"]\n',
        "routes[0].match.colour: is not something to match on",
        2,
    ),
    "handlers that are not there": ('handlers = ["no_such_package"]\n', None, None),
    "inventory missing": ('inventory = "no.toml"\n', "no.toml: configuration: cannot be read: No such file", None),
    "window": ('[[maintenance]]\nreason = "x"\n', "maintenance[0]: needs either start and end, or weekly", 1),
    "window of whom": (
        '[[maintenance]]\nweekly = "Sat 22:00-23:00"\nmatch = { devise = "x" }\n',
        "maintenance[0].match.devise: is not something to match on",
        3,
    ),
    "not toml": ("[store\n", "is not TOML", 1),
    "token too short": (
        '[[web.tokens]]\nname = "a"\ntoken = "short"\n',
        "web.tokens[0].token: is shorter than 16 characters",
        3,
    ),
    "secret twice": (
        '[[web.tokens]]\nname = "a"\ntoken = "x"\ntoken_env = "Y"\n',
        "web.tokens[0].token: is given more than once: token, token_env",
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
        "store.sync",
        "store.pth",
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


BEYOND = {
    "correlate": [
        'reminder = "0s"',
        "reminder = -1",
        "stale_after = 0",
        "selfheal_window = 0",
        "flap_window = 0",
        *(
            f"{key} = {value}"
            for key in ("outage_hold", "recovery_hold", "rekey_hold", "twin_window", "flap_window", "reminder")
            for value in ("-1", "nan", "inf", "1e300", f'"{"9" * 400}d"')
        ),
        "flap_count = 0",
        "selfheal_count = 0",
        "selfheal_count = 1000000",
        "group_share = 7.0",
        "group_peers = 0",
    ],
    "store": [
        *(f"retention = {value}" for value in ("inf", "nan", "1e300", '"0s"', "-1", '"59m"', "1" + "0" * 400)),
        "max_malformed = -1",
        "max_malformed_bytes = -1",
        f"max_malformed_bytes = {2**63}",
        'path = ""',
    ],
    "receivers.syslog_udp": [f"recv_buffer_bytes = {2**32}", "recv_buffer_bytes = 0"],
    "receivers.syslog_tcp": [
        "idle_timeout = nan",
        "max_messages_per_second_per_source = nan",
        "max_messages_per_second_per_source = inf",
        "max_messages_per_second_per_source = 0",
        f"max_message_bytes = {2**40}",
        f"max_connections = {2**40}",
    ],
    "metrics": ["max_peers = -1", f"max_peers = {2**40}"],
}


@pytest.mark.parametrize(("section", "line"), [(section, line) for section in BEYOND for line in BEYOND[section]])
def test_a_value_beyond_its_bounds_is_refused_by_name(section: str, line: str, tmp_path: Path) -> None:
    [found] = problems(tmp_path, f"[{section}]\n{line}\n")
    assert f"eventd.toml:2: {section}.{line.split(' ')[0]}: " in found


@pytest.mark.parametrize("text", ["retention = " + "1" * 5000, "x = " + "[" * 5000])
def test_a_text_that_no_toml_reader_takes_is_a_problem_and_no_crash(text: str, tmp_path: Path) -> None:
    [found] = problems(tmp_path, text + "\n")
    assert "configuration: " in found


def test_holds_may_be_zero(tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text('[correlate]\noutage_hold = "0s"\nrekey_hold = 0\nrecovery_hold = 0\ntwin_window = 0\n')
    assert load(str(file)).correlate.outage_hold == 0


PORTS = {
    "two receivers": (
        '[receivers.syslog_udp]\nlisten = "127.0.0.1:5514"\n[receivers.snmp]\nlisten = "127.0.0.1:5514"\n',
        "receivers.snmp.listen: 127.0.0.1:5514 is taken by receivers.syslog_udp.listen (127.0.0.1:5514)",
    ),
    "TCP and web": (
        '[receivers.syslog_tcp]\nlisten = "[::]:9514"\n',
        "web.listen: [::]:9514 is taken by receivers.syslog_tcp.listen ([::]:9514)",
    ),
    "all and all of IPv4": (
        '[receivers.syslog_udp]\nlisten = ["[::]:5514", "0.0.0.0:5514"]\n',
        "receivers.syslog_udp.listen: 0.0.0.0:5514 is taken by receivers.syslog_udp.listen ([::]:5514)",
    ),
    "all of IPv4 and one": (
        '[receivers.syslog_udp]\nlisten = ["0.0.0.0:5514", "192.0.2.1:5514"]\n',
        "receivers.syslog_udp.listen: 192.0.2.1:5514 is taken by receivers.syslog_udp.listen (0.0.0.0:5514)",
    ),
}


@pytest.mark.parametrize("case", PORTS)
def test_a_port_wanted_twice_is_refused(case: str, tmp_path: Path) -> None:
    text, expected = PORTS[case]
    assert any(expected in problem for problem in problems(tmp_path, text))


@pytest.mark.parametrize(
    "addresses", ['["127.0.0.1:0", "127.0.0.1:0"]', '["127.0.0.1:5514", "127.0.0.2:5514"]', '["0.0.0.0:1", "[::1]:1"]']
)
def test_listen_addresses_that_do_not_meet_are_taken(addresses: str, tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text(f"[receivers.syslog_udp]\nlisten = {addresses}\n")
    assert load(str(file)).receivers.syslog_udp is not None


def test_one_secret_for_two_tokens_is_refused_without_showing_it(tmp_path: Path) -> None:
    token = '[[web.tokens]]\nname = "{0}"\ntoken = "0123456789abcdef"\nrole = "{1}"\n'
    [found] = problems(tmp_path, token.format("ops", "operate") + token.format("screen", "read"))
    assert "web.tokens[1].token: 'screen' has the same secret as 'ops'" in found


def test_a_web_certificate_without_its_key_is_told_beside_everything_else(tmp_path: Path) -> None:
    found = problems(tmp_path, '[web]\ntls_cert_file = "gone.pem"\n[metrics]\nmax_peers = -1\n')
    assert any("web.tls_cert_file: a TLS certificate and its key are needed together" in problem for problem in found)
    assert any("metrics.max_peers" in problem for problem in found)


# --- what only trying finds ------------------------------------------------------------------------------------------


def tried(folder: Path, text: str) -> list[str]:
    file = folder / "eventd.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        verify(load(str(file)))
    return [str(problem) for problem in caught.value.problems]


USER = '[[receivers.snmp.users]]\nname = "fw"\nlevel = "noAuthNoPriv"\n'


def test_everything_that_only_trying_finds_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_text("rubbish")
    (tmp_path / "k.pem").write_text("rubbish")
    found = tried(
        tmp_path,
        f'handlers = ["no_such_package"]\n[receivers.snmp]\n{USER}{USER}'
        '[web]\ntls_cert_file = "c.pem"\ntls_key_file = "k.pem"\n',
    )
    assert len(found) == 3
    assert [int(line.split(":")[1]) for line in found] == [1, 7, 10]
    assert "package 'no_such_package' cannot be imported" in found[0]
    assert "user 'fw' is listed twice" in found[1]
    assert "web.tls_cert_file: " in found[2]
    assert "no PEM certificate" in found[2]


@pytest.mark.parametrize("name", ["", ".x"])
def test_a_handler_package_without_a_proper_name_is_a_problem(name: str, tmp_path: Path) -> None:
    [found] = tried(tmp_path, f'handlers = ["{name}"]\n')
    assert f"handlers: package {name!r} cannot be imported" in found


@pytest.mark.parametrize("broken", ["__init__.py", "below.py"])
def test_a_handler_package_that_is_no_python_is_a_problem_that_names_it(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = f"broken_{broken.strip('_').partition('.')[0]}"
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").touch()
    (tmp_path / package / broken).write_text("this is no Python")
    monkeypatch.syspath_prepend(str(tmp_path))
    [found] = tried(tmp_path, f'handlers = ["handlers", "{package}"]\n')
    assert f"package '{package}" in found
    assert "SyntaxError" in found
