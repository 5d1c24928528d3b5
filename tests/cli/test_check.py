"""``eventd check`` says what it accepts."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from eventd.cli.check import command
from eventd.store import Settings, SqliteStore


def test_a_recording_is_named_with_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text('[record]\npath = "r"\nfiles = 3\n')
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert "records   r, 3 × 67108864 bytes at most" in done.output


ROUTED = """
inventory = "peers.toml"
[[channels]]
name = "pager"
type = "console"
[[channels]]
name = "mail"
type = "console"
[[channels]]
name = "spare"
type = "console"
[[routes]]
match = { site = "L*", severity = ["critical", "major"] }
channels = ["pager", "mail"]
[[routes]]
match = { site = "Lyon", severity = "major", device = "fw-1" }
channels = ["mail"]
[[routes]]
match = { site = "Oslo" }
channels = ["mail"]
when = ["Mon-Fri 08:00-18:00"]
[[routes]]
match = { peer = "203.0.113.7", device = ["fw-*", "fw-9"] }
channels = ["mail"]
after = "10m"
continue = true
[[maintenance]]
match = { device = "fw-2" }
weekly = "Sat 22:00-Sun 02:00"
"""
PEERS = """
[[devices]]
name = "fw-1"
site = "Lyon"
[[peers]]
cidr = "203.0.113.0/24"
"""


ROUTES_NOTED = (
    "routes    1. site L*; severity critical, major → pager, mail",
    "          3. site Oslo, Mon-Fri 08:00-18:00 (UTC) → mail",
    "          4. peer 203.0.113.7; device fw-*, fw-9, if nobody acknowledges it for 10 min → mail, and on",
    "          what none of them takes → nobody",
    "note      routes[1] is never reached: routes[0] takes all of it",
    "note      channels.spare: no route leads to it",
    "note      routes[2].match.site: 'Oslo' fits nothing in the inventory",
    "note      routes[3].match.device: 'fw-9' fits nothing in the inventory",
    "note      maintenance[0].match.device: 'fw-2' fits nothing in the inventory",
)

DOUBTFUL = """
[[channels]]
name = "bot"
type = "slack"
token = "xoxp-1"
channel = "noc channel"
quiet = { when = ["daily 22:00-07:00"], time_zone = "Europe/Paris", below = "major" }
[[channels]]
name = "robot"
type = "dingtalk"
url = "https://oapi.dingtalk.com/robot/send?access_token=x"
mention = ["all", "+86-13800000000", "wang"]
quiet = { when = ["daily 00:00-24:00"] }
[[routes]]
match = { peer = ["203.0.113.0/24", "Lyon 1/2"] }
channels = ["bot", "robot"]
"""
DOUBTS_NOTED = (
    "quiet     bot, below major, daily 22:00-07:00 (Europe/Paris)",
    "          robot, below critical, daily 00:00-24:00 (UTC)",
    "note      channels.bot: token does not begin with xoxb-, as that of a bot does",
    "note      channels.bot: channel is neither a name, which holds no blanks, nor an id",
    "note      channels.robot: mention has what is no telephone number, and calls nobody",
    "note      channels.robot: its quiet hours are all hours of the week",
    "note      routes[0].match.peer: '203.0.113.0/24' is a network: write a pattern (203.0.113.*)",
)


@pytest.mark.parametrize(
    ("text", "noted"), [(ROUTED, ROUTES_NOTED), (DOUBTFUL, DOUBTS_NOTED)], ids=["routes", "what reaches nobody"]
)
def test_what_is_told_whom_is_shown_and_what_looks_like_a_mistake_is_noted(
    text: str, noted: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text(text)
    (tmp_path / "peers.toml").write_text(PEERS)
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert done.exit_code == 0
    for line in noted:
        assert f"  {line}\n" in done.output
    assert done.output.count("note      ") == 6  # and the community "public"


BY_UTC = """
[notify]
time_zone = "Asia/Shanghai"
[[channels]]
name = "chat"
type = "console"
quiet = { when = ["daily 22:00-07:00"] }
[[channels]]
name = "oslo"
type = "console"
time_zone = "Europe/Oslo"
quiet = { when = ["daily 22:00-07:00"], time_zone = "Europe/Oslo" }
[[channels]]
name = "meant"
type = "console"
quiet = { when = ["daily 22:00-07:00"], time_zone = "Etc/UTC" }
[[routes]]
channels = ["chat", "oslo", "meant"]
when = ["Mon-Fri 08:00-18:00"]
[[maintenance]]
match = { device = "fw-*" }
weekly = "Sat 22:00-Sun 02:00"
"""


def test_windows_by_utc_beside_messages_by_another_clock_are_noted(tmp_path: Path) -> None:
    """As they were written without a zone: it may be meant, but nothing else says so."""
    file = tmp_path / "eventd.toml"
    file.write_text(BY_UTC)
    done = CliRunner().invoke(command, ["-c", str(file)])
    noted = [line for line in done.output.splitlines() if " is by UTC " in line]
    assert [line.split()[1] for line in noted] == ["channels.chat:", "routes[0]:", "maintenance[0]:"]
    assert "note      channels.chat: quiet is by UTC and messages by Asia/Shanghai; quiet.time_zone says which" in (
        done.output
    )
    file.write_text(BY_UTC.replace('[notify]\ntime_zone = "Asia/Shanghai"\n', ""))
    assert "is by UTC" not in CliRunner().invoke(command, ["-c", str(file)]).output


def test_without_routes_every_channel_is_told_everything(tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text("")
    assert "routes    everything → every channel" in CliRunner().invoke(command, ["-c", str(file)]).output


def test_a_key_that_nobody_knows_hides_no_other_fault_of_its_channel(tmp_path: Path) -> None:
    file, template = tmp_path / "eventd.toml", tmp_path / "own.j2"
    template.write_text("{{ incident.peer }}")
    file.write_text('[[channels]]\nname = "a"\ntype = "console"\ncolour = true\ntemplate_file = "own.j2"\n')
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert "channels[0].colour: unknown key (did you mean color?)" in done.stderr
    assert "channels[0].template_file: TemplateRuntimeError: it prints a value that is None there" in done.stderr


SEVERAL = """
[[channels]]
name = "t"
type = "teams"
url = "https://x.example/y"
template_file = "none.j2"
max_per_minute = 0
[[channels]]
name = "t"
type = "teams"
url_env = "EVENTD_NO_SUCH_THING"
proxy_url = "socks5://127.0.0.1:1"
tls_ca_file = "none.j2"
digest_template_file = "none.j2"
[[channels]]
name = "tg"
type = "telegram"
token = "bad token"
chat_id = "noc"
[heartbeat]
url = "ftp://x"
tls_ca_file = "none.j2"
every = "1s"
alertmanager = true
"""


def test_one_mistake_in_a_table_hides_no_other(tmp_path: Path) -> None:
    (tmp_path / "none.j2").write_text(" \n")
    (tmp_path / "eventd.toml").write_text(SEVERAL)
    done = CliRunner().invoke(command, ["-c", str(tmp_path / "eventd.toml")])
    assert [line.split(": ")[1] for line in done.stderr.splitlines()[:-1]] == [
        "channels[0].template_file",
        "channels[0].max_per_minute",
        "channels[1].name",
        "channels[1].url_env",
        "channels[1].proxy_url",
        "channels[1].tls_ca_file",
        "channels[1].digest_template_file",
        "channels[2].token",
        "channels[2].chat_id",
        "heartbeat.url",
        "heartbeat.tls_ca_file",
        "heartbeat.every",
        "heartbeat.alertmanager",
    ]
    assert "none.j2 is empty: messages would say nothing" in done.stderr


ELSEWHERE = {
    ("wecom", "https://hooks.slack.com/services/T0/B0/SECRETWRONG"): (
        "leads to hooks.slack.com, which is of slack, not to qyapi.weixin.qq.com"
    ),
    ("wecom", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SECRET"): None,
    ("feishu", "http://127.0.0.1:8080/SECRET"): "leads to 127.0.0.1, not to open.feishu.cn or open.larksuite.com",
    ("teams", "https://prod-1.westeurope.logic.azure.com:443/workflows/SECRET"): None,
    ("discord", "https://canary.discord.com/api/webhooks/1/SECRET"): None,
    ("mattermost", "https://chat.example.net/hooks/SECRET"): None,
    ("mattermost", "https://discord.com/api/webhooks/1/SECRET"): "leads to discord.com, which is of discord",
    ("webhook", "https://hook.example.net/SECRET"): None,
    ("slack", "https://chat.example.net/hooks/SECRET"): (
        "leads to chat.example.net, not to hooks.slack.com or hooks.slack-gov.com"
    ),
}


def test_an_address_that_is_not_the_services_is_noted_and_no_error(tmp_path: Path) -> None:
    tables = []
    for index, (kind, url) in enumerate(ELSEWHERE):
        (tmp_path / f"url{index}").write_text(url)
        tables.append(f'[[channels]]\nname = "c{index}"\ntype = "{kind}"\nurl_file = "url{index}"\n')
    (tmp_path / "eventd.toml").write_text("".join(tables))
    done = CliRunner().invoke(command, ["-c", str(tmp_path / "eventd.toml")])
    assert (done.exit_code, "SECRET" in done.output) == (0, False)
    notes = [line.split("note      ")[1] for line in done.output.splitlines() if " leads to " in line]
    assert notes == [
        f"channels.c{index}: a channel of type {kind} {said}"
        for index, ((kind, _), said) in enumerate(ELSEWHERE.items())
        if said
    ]


GOOD = {
    "slack": ("https://hooks.slack.com/services/T0/B0/SECRET", "https://chat.example.net/hooks/1/SECRET"),
    "teams": (
        "https://prod-1.westeurope.logic.azure.com:443/workflows/1/triggers/manual/paths/invoke?sv=1.0&sig=SECRET",
        "https://a.environment.api.powerplatform.com/powerautomate/automations/direct/workflows/1/triggers/x?a=1&sig=SECRET",
        "https://x.webhook.office.com/webhookb2/1@2/IncomingWebhook/SECRET/3",
    ),
    "discord": (
        "https://discord.com/api/webhooks/1/SECRET",
        "https://relay.example/api/v10/webhooks/1/SECRET?thread_id=9",
    ),
    "mattermost": ("https://chat.example.net/sub/hooks/SECRET",),
    "feishu": (
        "https://open.feishu.cn/open-apis/bot/v2/hook/SECRET",
        "https://open.larksuite.com/open-apis/bot/hook/SECRET",
    ),
    "dingtalk": ("https://oapi.dingtalk.com/robot/send?access_token=SECRET",),
    "wecom": ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SECRET",),
}
LACKING = {
    ("slack", "https://hooks.slack.com/services/T0/SECRET"): ["url does not end in /services/T…/B…/KEY"],
    ("slack", "https://hooks.slack.com/triggers/T0/1/SECRET"): ["url does not end in /services/T…/B…/KEY"],
    ("teams", "https://prod-1.westeurope.logic.azure.com/workflows/SECRET?sig="): [
        "url has no /workflows/ID/triggers/… in its path",
        "url has no signature, sig=…, at its end",
    ],
    ("discord", "https://discord.com/api/webhooks/1"): ["url does not end in /api/webhooks/ID/TOKEN"],
    ("discord", "https://discord.com/api/webhooks/1/SECRET/slack"): ["url does not end in /api/webhooks/ID/TOKEN"],
    ("mattermost", "https://chat.example.net/hooks/"): ["url does not end in /hooks/ID"],
    ("feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/"): ["url does not end in /open-apis/bot/v2/hook/ID"],
    ("dingtalk", "https://oapi.dingtalk.com/robot/send?token=SECRET"): ["url has no key, access_token=…, at its end"],
    ("wecom", "https://qyapi.weixin.qq.com/SECRET?key="): [
        "url has not the path /cgi-bin/webhook/send",
        "url has no key, key=…, at its end",
    ],
}
TOKEN, BARE = "123456:AAH-SECRET_SECRET_SECRET_SECRET_SEC", "http://am:9093"
OTHER = {
    f'type = "telegram"\nchat_id = 1\ntoken = "{TOKEN}"': [],
    f'type = "telegram"\nchat_id = 1\ntoken = "{TOKEN}"\napi_url = "http://127.0.0.1:8081/"': [],
    'type = "telegram"\nchat_id = 1\ntoken = "SECRET"\napi_url = "http://127.0.0.1:8081/bot1:SECRET"': [
        "token is not of the form 123456:ABC-DEF…",
        "api_url is that of a bot: give the server alone",
    ],
    f'type = "alertmanager"\nurls = ["{BARE}", "{BARE}/", "{BARE}/prefix", "{BARE}/p/api/v2/alerts"]': [],
    **{
        f'type = "alertmanager"\nurls = ["{BARE}", "{BARE}{path}"]': [
            "urls: one has /api/… or #/… in it, and /api/v2/alerts is put behind that"
        ]
        for path in ("/api", "/api/v2", "/api/v1/alerts", "/#/alerts")
    },
    'type = "slack"\ntoken = "xoxb-SECRET"\nchannel = "C1"': [],
}


def test_what_an_address_lacks_is_noted_without_a_word_of_what_it_has(tmp_path: Path) -> None:
    tried = [(f'type = "{kind}"\nurl = "{url}"', list[str]()) for kind, urls in GOOD.items() for url in urls]
    tried += [(f'type = "{kind}"\nurl = "{url}"', notes) for (kind, url), notes in LACKING.items()]
    tried += OTHER.items()
    tables = (f'[[channels]]\nname = "c{index}"\n{table}\n' for index, (table, _) in enumerate(tried))
    (tmp_path / "eventd.toml").write_text("".join(tables))
    done = CliRunner().invoke(command, ["-c", str(tmp_path / "eventd.toml")])
    assert (done.exit_code, "SECRET" in done.output) == (0, False)
    said = [line.split("note      ")[1] for line in done.output.splitlines() if "note      channels" in line]
    wanted = [f"channels.c{index}: {note}" for index, (_, notes) in enumerate(tried) for note in notes]
    assert [line for line in said if " leads to " not in line] == wanted


# --- the store ----------------------------------------------------------------------------------------------------


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()


def _newer(path: Path) -> None:
    asyncio.run(_made(path))
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()


async def _made(path: Path) -> None:
    store = await SqliteStore.open(Settings(path=str(path)))
    await store.close()


UNUSABLE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a folder": ("x", Path.mkdir, "is a folder"),
    "below a file": ("x/eventd.db", lambda path: path.parent.write_bytes(b""), "Not a directory"),
    "far below a file": ("x/y/eventd.db", lambda path: path.parents[1].write_bytes(b""), "Not a directory"),
    "not SQLite": ("x", lambda path: path.write_text("[store]\n"), "is no SQLite file"),
    "cut": ("x", lambda path: path.write_bytes(b"SQLite format 3\0"), "is no SQLite file"),
    "of another program": ("x", _foreign, "is a database of another program"),
    "of a newer eventd": ("x", _newer, "is of a newer eventd: schema version 9999"),
    "a device": ("x", lambda path: path.symlink_to("/dev/null"), "is no ordinary file"),
    "a link to nothing": ("x", lambda path: path.symlink_to("nothing"), "is a link to what does not exist"),
}


def snapshot(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((str(path), path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*"))


@pytest.mark.parametrize("case", UNUSABLE)
def test_where_no_store_can_be_is_told_with_its_line_and_left_alone(tmp_path: Path, case: str) -> None:
    name, make, says = UNUSABLE[case]
    folder = tmp_path / "var"
    folder.mkdir()
    make(folder / name)
    file = tmp_path / "eventd.toml"
    file.write_text(
        f'[store]\npath = "{folder / name}"\n[[channels]]\nname = "c"\ntype = "console"\ntemplate_file = "-"\n'
    )
    before = snapshot(tmp_path)
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert done.exit_code == 2
    assert f"{file}:2: store.path: " in done.output
    assert says in done.output
    assert "template_file" in done.output, "all problems at once"
    assert snapshot(tmp_path) == before


def test_where_a_store_can_be_is_good_and_nothing_is_made(tmp_path: Path) -> None:
    asyncio.run(_made(tmp_path / "ours.db"))
    (tmp_path / "empty.db").write_bytes(b"")
    before = snapshot(tmp_path)
    for name in ("ours.db", "empty.db", "new.db", "deep/below/new.db"):
        file = tmp_path.with_suffix(".toml")
        file.write_text(f'[store]\npath = "{tmp_path / name}"\n')
        done = CliRunner().invoke(command, ["-c", str(file)])
        assert (done.exit_code, f"keeps     {tmp_path / name}" in done.output) == (0, True), done.output
    assert snapshot(tmp_path) == before


def test_a_store_in_use_is_good(tmp_path: Path) -> None:
    """Its header may say nothing yet: what it is stands in the write-ahead log."""

    async def used() -> None:
        store = await SqliteStore.open(Settings(path=str(tmp_path / "x.db")))
        file = tmp_path / "eventd.toml"
        file.write_text(f'[store]\npath = "{tmp_path / "x.db"}"\n')
        done = CliRunner().invoke(command, ["-c", str(file)])
        await store.close()
        assert done.exit_code == 0, done.output

    asyncio.run(used())


@pytest.mark.skipif(os.geteuid() != 0, reason="drops its rights, which only root can")
@pytest.mark.parametrize(
    ("name", "says"), [("x.db", "cannot write in "), ("a/x.db", "/a cannot be made"), ("kept.db", "kept.db")]
)
def test_who_cannot_write_there_is_told_so(name: str, says: str) -> None:
    """In a folder that everybody may enter: those of tests are for their owner alone."""
    code = f"""
import os, pathlib, tempfile
from click.testing import CliRunner
from eventd.cli.check import command
folder = pathlib.Path(tempfile.mkdtemp())
folder.chmod(0o755)
(folder / "kept.db").write_bytes(b"")
(folder / "eventd.toml").write_text('[store]\\npath = "%s/{name}"' % folder)
CliRunner().invoke(command, ["-c", str(folder / "eventd.toml")])  # what that user may not import
os.seteuid(65534)
done = CliRunner().invoke(command, ["-c", str(folder / "eventd.toml")])
print(done.exit_code, done.output)
os.seteuid(0)
[file.unlink() for file in folder.iterdir()]
folder.rmdir()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("2 ")
    assert "user 65534 cannot write" in done.stdout
    assert says in done.stdout
