"""Every kind of channel as it is set up in tests. A new notifier joins by one line in ``MAKERS``."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from peers import library
from smtp_server import SmtpServer

from eventd.notify import (
    alertmanager,
    apprise,
    console,
    dingtalk,
    discord,
    email,
    feishu,
    mattermost,
    slack,
    teams,
    telegram,
    webhook,
    wecom,
)

SECRET = "T0PSECRETKEY/B0T-verysecret"
TOKEN = "tok-en-of-forty-two"

MAKERS: dict[str, Callable[[str, dict[str, Any]], Any]] = {
    "webhook": lambda url, keys: webhook.Settings(url=f"{url}/hook/{SECRET}?key={TOKEN}", bearer_token=TOKEN, **keys),
    "alertmanager": lambda url, keys: alertmanager.Settings(urls=(f"{url}/{SECRET}",), bearer_token=TOKEN, **keys),
    "slack": lambda url, keys: slack.Settings(url=f"{url}/services/{SECRET}", **keys),
    "teams": lambda url, keys: teams.Settings(url=f"{url}/workflows/{SECRET}?sig={TOKEN}", **keys),
    "discord": lambda url, keys: discord.Settings(url=f"{url}/api/webhooks/{SECRET}", **keys),
    "mattermost": lambda url, keys: mattermost.Settings(url=f"{url}/hooks/{SECRET}", **keys),
    "telegram": lambda url, keys: telegram.Settings(api_url=url, token=TOKEN, chat_id=-1001, **keys),
    "feishu": lambda url, keys: feishu.Settings(url=f"{url}/hook/{SECRET}", secret=TOKEN, **keys),
    "dingtalk": lambda url, keys: dingtalk.Settings(url=f"{url}/{SECRET}?access_token={TOKEN}", secret=TOKEN, **keys),
    "wecom": lambda url, keys: wecom.Settings(url=f"{url}/{SECRET}?key={TOKEN}", **keys),
    "console": lambda _url, keys: console.Settings(**keys),
    "email": lambda url, keys: email.Settings(
        server="127.0.0.1", port=urlsplit(url).port, security="none", from_="e@b.example", to=("c@d.example",), **keys
    ),
    "apprise": lambda url, keys: (
        library("apprise") and apprise.Settings(urls=(f"{url.replace('http', 'json', 1)}/{SECRET}",), **keys)
    ),
}
#: Far ends that do not speak HTTP.
SERVERS: dict[str, Callable[[], Any]] = {"email": SmtpServer}
HTTP = [kind for kind in MAKERS if kind not in {"console", "apprise", *SERVERS}]
#: Those that have templates.
TEMPLATED = [kind for kind in MAKERS if kind not in {"webhook", "alertmanager"}]
#: What says that a message was taken, where it is not ``ok``.
TAKEN = {
    "feishu": '{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}',
    "dingtalk": '{"errcode":0,"errmsg":"ok"}',
    "wecom": '{"errcode":0,"errmsg":"ok"}',
    "discord": '{"id":"1100000000000000001"}',
    "telegram": '{"ok":true,"result":{"message_id":7}}',
}
