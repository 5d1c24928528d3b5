"""The payload that Alertmanager's own webhooks send."""

from typing import Any

from chat_server import ChatServer
from notify_fakes import make_incident, make_notification, make_resolved

from eventd.model import Incident
from eventd.notify import webhook
from eventd.notify.endpoint import BasicAuth
from eventd.notify.session import Session


async def sent(incident: Incident, **keys: Any) -> Any:
    async with ChatServer() as server:
        session = Session(external_url="https://eventd.example/")
        channel = webhook.build("hook", webhook.Settings(url=server.url + "/x", **keys), session)
        await channel.deliver(make_notification("hook", incident))
        await session.close()
        return server.seen[0]


async def test_the_payload_has_every_field_of_version_4() -> None:
    body = (await sent(make_incident(url="https://eventd.example/i/1"))).json
    labels = {
        "alertname": "IPsecTunnelDown",
        "severity": "major",
        "device": "FW1",
        "peer": "203.0.113.7",
        "interface": "GigabitEthernet0/0/1",
        "vsys": "public",
        "site": "Lyon",
        "incident": "a1b2c3d4e5f6",
    }
    annotations = body.pop("commonAnnotations")
    assert annotations["summary"].startswith("Tunnel to branch-7")
    (alert,) = body.pop("alerts")
    assert len(alert.pop("fingerprint")) == 16
    assert alert == {
        "status": "firing",
        "labels": labels,
        "annotations": annotations,
        "startsAt": "2023-11-14T22:13:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "https://eventd.example/i/1",
    }
    assert body == {
        "version": "4",
        "groupKey": '{}:{incident="a1b2c3d4e5f6"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "hook",
        "groupLabels": {"incident": "a1b2c3d4e5f6"},
        "commonLabels": labels,
        "externalURL": "https://eventd.example",
        "notificationId": "n-a1b2c3d4e5f6-opened",
    }


async def test_an_end_is_resolved_and_has_its_time() -> None:
    body = (await sent(make_resolved())).json
    assert body["status"] == body["alerts"][0]["status"] == "resolved"
    assert body["alerts"][0]["endsAt"] == "2023-11-14T22:16:20Z"


async def test_a_rise_in_severity_resolves_the_old_label_and_fires_the_new_one() -> None:
    body = (await sent(make_incident(opened_severity="major", severity="critical"))).json
    assert body["status"] == "firing"
    shown = [(alert["labels"]["severity"], alert["status"]) for alert in body["alerts"]]
    assert shown == [("critical", "firing"), ("major", "resolved")]
    assert "severity" not in body["commonLabels"]
    assert len({alert["fingerprint"] for alert in body["alerts"]}) == 2


async def test_the_id_travels_as_header_too_so_that_a_repetition_can_be_told() -> None:
    seen = await sent(make_incident())
    assert seen.headers["X-Eventd-Notification-Id"] == seen.json["notificationId"]
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.headers["User-Agent"].startswith("eventd/")


async def test_headers_and_credentials_are_sent() -> None:
    seen = await sent(make_incident(), headers={"X-Team": "net"}, basic_auth=BasicAuth(username="u", password="pä"))
    assert seen.headers["X-Team"] == "net"
    assert seen.headers["Authorization"] == "Basic dTpww6Q="
    seen = await sent(make_incident(), bearer_token="abc")
    assert seen.headers["Authorization"] == "Bearer abc"
