"""Certificates, revocation lists and weak algorithms (``extra["kind"]`` is ``certificate`` or ``hygiene``).

Good news about a certificate has ``extra["state"] = "clear"`` and names what it ends in ``extra["clears"]``.

The logs of module PKI are listed by name in EDOC1100126883; their texts were not found, so each means what its name
says and its fields are read whatever they are. CA_VALID, LOCAL_VALID and CRL_VALID are left alone: the list does not
say whether they tell that a certificate is valid or that it will be.
"""

from eventd.contract import SyslogTemplate
from handlers.huawei._family import handler, logs
from handlers.huawei._fields import WIRE_KEYS
from handlers.huawei._tables import Kind
from handlers.huawei._templates import alarm, wire_fields
from handlers.huawei.reasons import CONDITION

EVENT = "ipsec.security"
CERTIFICATE = {"kind": "certificate"}
#: Mnemonic of module PKI → the condition that its name states, and whether that already keeps peers out.
BAD = {
    "LOCAL_EXPIRED": "own certificate expired",
    "LOCAL_WILL_EXPIRED": "own certificate about to expire",
    "CA_EXPIRED": "CA certificate expired",
    "CA_WILL_EXPIRED": "CA certificate about to expire",
    "CRL_EXPIRED": "CRL expired",
    "CRL_WILL_EXPIRED": "CRL about to expire",
    "GET_CRL_ERR": "CRL not fetched",
    "HTTP_GET_CRL_ERR": "CRL not fetched",
    "HTTP_AUTO_GET_CRL_ERR": "CRL not fetched",
    "GET_CA_CERT_ERR": "certificate not fetched",
    "GET_CERT_ERR": "certificate not fetched",
    "GET_LOCAL_CERT_ERR": "certificate not fetched",
    "HTTP_GET_CERT_ERR": "certificate not fetched",
    "CMP_UPDATE_LOCAL_CERT_ERR": "certificate not fetched",
    "SCEP_UPDATE_LOCAL_CERT_ERR": "certificate not fetched",
}
#: Good news → what it ends.
GOOD = {
    name: name.removesuffix("OK") + "ERR"
    for name in (
        "GET_CRL_OK",
        "GET_CA_CERT_OK",
        "GET_CERT_OK",
        "GET_LOCAL_CERT_OK",
        "CMP_UPDATE_LOCAL_CERT_OK",
        "SCEP_UPDATE_LOCAL_CERT_OK",
    )
}
DATES = {"StartTime": "2024-11-21 00:00:00", "FinishTime": "2026-12-01 00:00:00"}


def _nearly_expired(row: str, whose: str, prefix: str) -> SyslogTemplate:
    """ALM-15795006 and ALM-15795010, which differ in whose certificate it is."""
    given = {"Issuer": "CN=Example CA", "Subject": "CN=FW1", **DATES}
    fields = {prefix + key: value for key, value in given.items()}
    text = f"the {whose} certificate is nearly expired."
    return alarm(row, 4, text, " ".join(fields), "PKI", "", WIRE_KEYS, **fields)


HANDLER = handler(
    "security",
    logs(
        *(Kind(name, EVENT, "warning", CERTIFICATE, CONDITION, implies) for name, implies in BAD.items()),
        *(Kind(name, EVENT, mark={**CERTIFICATE, "state": "clear", "clears": ends}) for name, ends in GOOD.items()),
    ),
    syslog_templates=(
        _nearly_expired("hwPKILocalCertNearlyExpired", "local", "LocalCert"),
        _nearly_expired("hwPKICACertNearlyExpired", "CA", "CACert"),
        SyslogTemplate(
            EVENT,
            "PKI",
            4,
            "LOCAL_EXPIRED",
            "The local certificate has expired.",  # our words: the text was not found
            wire_fields("Issuer Subject", Issuer="CN=Example CA", Subject="CN=FW1"),
            source="https://support.huawei.com/enterprise/en/doc/EDOC1100126883/2b0704da/pki (name only)",
        ),
    ),
)
