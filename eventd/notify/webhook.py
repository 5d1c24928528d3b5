"""Generic webhook: Alertmanager's payload, version "4", so that every existing bridge understands it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from eventd.checked import Fault
from eventd.contract import Channel, Notifier, Pace
from eventd.model import Digest, Incident, Notification, Told
from eventd.notify.alert import NEVER, Alert, alerts, fingerprint
from eventd.notify.endpoint import Endpoint, HttpSettings, configuring, endpoint
from eventd.notify.render import as_heard
from eventd.notify.secrets import read_secret, ways_faults
from eventd.notify.session import ID_HEADER, Session


class Settings(HttpSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``url`` (or ``url_file``, ``url_env``) takes the POST."""

    url: str | None = None
    url_file: str | None = None
    url_env: str | None = None

    @classmethod
    def faults(cls, given: Mapping[str, Any]) -> Iterator[Fault]:
        yield from super().faults(given)
        yield from ways_faults(given, "url", required=True)


def _common(sets: Sequence[dict[str, str]]) -> dict[str, str]:
    first, *rest = sets
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in rest)}


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "status": "firing" if alert.ends_at == NEVER else "resolved",
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at,
        "endsAt": alert.ends_at,
        "generatorURL": alert.generator_url or "",
        "fingerprint": fingerprint(alert.labels),
    }


def payload(notification: Notification, external_url: str | None = None) -> dict[str, Any]:
    """The body: Alertmanager's documented webhook format, plus ``notificationId``.

    Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
    """
    incident = as_heard(notification)
    shown = alerts(incident, NEVER)
    group = {"incident": shown[0].labels["incident"]}
    return {
        "version": "4",
        "groupKey": f'{{}}:{{incident="{group["incident"]}"}}',
        "truncatedAlerts": 0,
        "status": "resolved" if incident.status == "resolved" else "firing",
        "receiver": notification.channel,
        "groupLabels": group,
        "commonLabels": _common([alert.labels for alert in shown]),
        "commonAnnotations": _common([alert.annotations for alert in shown]),
        "externalURL": external_url or "",
        "alerts": [_alert(alert) for alert in shown],
        "notificationId": notification.id,
    }


class Webhook:
    """Accepted is any 2xx; what else means is in `session.STATUSES`."""

    refresh_s: float | None = None
    pace = Pace()
    digests = 0

    def __init__(self, to: Endpoint, session: Session) -> None:
        self.far_ends = (to,)
        self._to, self._session = to, session

    async def deliver(self, told: Told) -> str | None:
        """Raises TypeError for a digest, which this channel does not take."""
        if isinstance(told, Digest):
            raise TypeError("takes no digests")
        body = payload(told, self._session.external_url)
        answer = await self._session.post(self._to, body, {ID_HEADER: told.id})
        if not answer.ok:
            raise answer.error(self._to)
        return None

    async def refresh(self, incidents: Sequence[Incident], now: float) -> None: ...

    async def close(self) -> None: ...


def build(name: str, settings: Settings, session: Session) -> Channel:
    """Raises `ConfigError` where the address, a secret or the CA file cannot be used."""
    with configuring(name):
        url = read_secret(settings, "url", session.base) or ""
        return Webhook(endpoint(url, settings, session.base), session)


NOTIFIER = Notifier(kind="webhook", settings=Settings, build=build)
