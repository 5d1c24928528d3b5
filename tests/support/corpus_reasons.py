"""Reasons of IPsec messages with severity, category and code, for the corpus.

Huawei's offline reasons: EDOC1100086053, ALM-4285734913, ALM-303046743. Its negotiation reasons and their codes:
ALM-4285734925, ALM-303046755, ALM-15795028. Severity and category are eventd's own, put down a second time on purpose:
the corpus has to notice when one of them changes. ``spelling = name`` is another spelling that a page or a line has.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """What the catalogue says of a reason."""

    name: str
    severity: str
    category: str
    code: int | None = None


def _table(text: str) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for line in text.strip().splitlines():
        if " = " in line:
            spelling, name = line.split(" = ")
            found[spelling] = found[name]
        else:
            name, severity, category, *code = line.split(" | ")
            found[name] = Row(name, severity, category, int(code[0]) if code else None)
    return found


OFFLINE = _table("""
dpd timeout | major | peer-unreachable
dpd-timeout = dpd timeout
peer request | warning | administrative
config modify or manual offline | info | administrative
manual offline | info | administrative
reset sa by ike user | info | administrative
admin down | warning | administrative
aaa cut user | info | administrative
phase1 hard expiry | major | lifetime
phase1 hardware expire = phase1 hard expiry
phase2 hard expiry | warning | lifetime
hard expiry | warning | lifetime
hardware-timeout = hard expiry
hard expiry triggered by port mismatch | major | address
port mismatch after inbound sa miss | major | address
heartbeat timeout | major | peer-unreachable
exchange timeout | major | peer-unreachable
modecfg address soft expiry | info | address
re-auth timeout | warning | authentication
kick old sa with same flow | info | rekey
spi conflict | warning | sa-desync
phase1 sa replace | info | rekey
phase2 sa replace | info | rekey
disconnect track nqa/bfd/vrrp | warning | policy-track
receive invalid spi notify | warning | sa-desync
dns resolution status change | major | dns
ikev1 phase1-phase2 sa dependent offline | info | rekey
cpu table updated | warning | sa-desync
hash gene adjusted | info | administrative
flow overlap | major | configuration
ip address syn failed | major | address
nhrp notify | warning | policy-track
peer address switch | warning | address
receive backup delete info | info | sa-desync
eap delete old sa | info | authentication
forward down | major | policy-track
sa with same user exists | warning | sa-desync
""")

NEGOTIATION = _table("""
phase1 proposal mismatch | major | configuration | 1
phase1 proposal encryption algorithm mismatch | major | configuration
phase1 proposal authentication method mismatch | major | configuration
phase1 proposal authentication algorithm mismatch | major | configuration
phase1 proposal dh mismatch | major | configuration
phase1 proposal integrity algorithm mismatch | major | configuration
phase2 proposal or pfs mismatch | major | configuration | 2
encapsulation mode mismatch | major | configuration | 3
flow or peer mismatch | major | configuration | 4
acl configuration mismatch = flow or peer mismatch
flow mismatch = flow or peer mismatch
version mismatch | major | configuration | 5
responder dh mismatch | major | configuration | 6
initiator dh mismatch | major | configuration | 7
ip assigned fail | major | address | 10
peer address mismatch | major | configuration | 12
config ID mismatch | major | authentication | 13
construct local ID fail | major | configuration | 14
authentication fail | major | authentication | 15
rekey no find old sa | warning | sa-desync | 16
rekey fail | warning | rekey | 17
first packet limited | warning | capacity | 18
invalid cookie | warning | sa-desync | 21
invalid length | warning | unknown | 24
unsupported version | warning | configuration | 26
malformed payload | major | unknown | 28
malformed message | major | authentication | 30
malformed-message = malformed message
cookie mismatch | warning | sa-desync | 31
exchange mode mismatch | major | configuration | 32
unknown exchange type | warning | configuration | 33
critical drop | warning | configuration | 34
uncritical drop | info | unknown | 35
route limit | major | capacity | 36
local address mismatch | major | configuration | 39
nat detection fail | warning | address | 40
ipsec tunnel number reaches limitation | critical | capacity | 41
dynamic peers number reaches limitation | critical | capacity | 42
none of user's interface is selected | warning | configuration | 43
in disconnect state | warning | policy-track | 44
proposal mismatch or use sm in ikev2 | major | configuration | 45
flow conflict | major | configuration | 46
flow confict = flow conflict
ikev2 not support sm in ipsec proposal | major | configuration | 47
ikev2 not support sm in ipsec proposal ikev2 = ikev2 not support sm in ipsec proposal
netmask mismatch | major | configuration | 48
no policy applied on interface | major | configuration | 49
fragment packet limit | warning | capacity | 50
fragment packet reassemble timeout | warning | peer-unreachable | 51
form cert payload fail | major | authentication | 52
max transmit reached | major | peer-unreachable | 53
no valid local cert | critical | authentication | 54
peer cert is expired | critical | authentication
peer cert is revoked by CRL | critical | authentication
eap authentication fail | warning | authentication
eap authentication timeout | warning | authentication
xauth authentication fail | warning | authentication
xauth authentication timeout | warning | authentication
license or specification limited | critical | capacity
role mismatch | major | configuration
short packet | warning | unknown
sa with same user exists | warning | sa-desync
""")

#: H3C gives no codes. Wording as recalled from the log books of Comware 7; severity and category as above.
H3C_OFFLINE = _table("""
dpd timeout | major | peer-unreachable
dead peer detection timeout = dpd timeout
keepalive timeout | major | peer-unreachable
isakmp sa timeout = keepalive timeout
ike keepalive timeout = keepalive timeout
new ike sa had been negotiated | info | rekey
new ike sa has been negotiated = new ike sa had been negotiated
the ike sa is redundant | info | rekey
ike sa is redundant = the ike sa is redundant
an ike sa deletion message was received from peer | warning | administrative
ike sa deletion message received from peer = an ike sa deletion message was received from peer
an ike sa deletion message was received = an ike sa deletion message was received from peer
an ipsec sa deletion message was received from peer | warning | administrative
ipsec sa deletion message received from peer = an ipsec sa deletion message was received from peer
an ike ipsec sa deletion message was received = an ipsec sa deletion message was received from peer
an ipsec sa deletion message was received = an ipsec sa deletion message was received from peer
the sa expired | info | lifetime
sa expired = the sa expired
new p2 sa had been negotiated | info | rekey
new p2 sa has been negotiated = new p2 sa had been negotiated
all p2 sas were deleted | warning | administrative
all p2 sas deleted = all p2 sas were deleted
the p2 sa was deleted by spid | warning | configuration
p2 sa was deleted by spid = the p2 sa was deleted by spid
the p2 sa was deleted by ifindex | warning | configuration
p2 sa was deleted by ifindex = the p2 sa was deleted by ifindex
the p2 sa was deleted by sa index | warning | administrative
p2 sa was deleted by sa index = the p2 sa was deleted by sa index
sa idle timeout | info | lifetime
idle timeout = sa idle timeout
ipsec sa idle timeout = sa idle timeout
the reset command was executed | info | administrative
reset command executed = the reset command was executed
reset command was executed = the reset command was executed
configuration change | warning | configuration
configuration changed = configuration change
internal event | warning | unknown
internal event occurred = internal event
unspecified | warning | unknown
no reason given = unspecified
""")

H3C_NEGOTIATION = _table("""
no matching proposal | major | configuration
no proposal chosen = no matching proposal
no_proposal_chosen = no matching proposal
unavailable proposal | major | configuration
proposal unavailable = unavailable proposal
invalid id information | major | configuration
invalid_id_information = invalid id information
invalid id = invalid id information
authentication failure | major | authentication
authentication failed = authentication failure
unavailable certificate | major | authentication
certificate unavailable = unavailable certificate
invalid certificate | major | authentication
certificate invalid = invalid certificate
unsupported certificate type | warning | authentication
certificate type unsupported = unsupported certificate type
invalid signature | major | authentication
signature invalid = invalid signature
unsupported doi | warning | configuration
unsupported situation | warning | configuration
unsupported attribute | warning | configuration
attribute not supported = unsupported attribute
unsupported exchange type | major | configuration
exchange type not supported = unsupported exchange type
invalid proposal syntax | warning | configuration
bad proposal syntax = invalid proposal syntax
invalid spi | warning | sa-desync
invalid protocol id | warning | configuration
invalid transform id | warning | configuration
invalid key information | major | configuration
invalid hash information | warning | authentication
invalid message header | warning | unknown
malformed payload | warning | authentication
payload malformed = malformed payload
invalid cookie | warning | sa-desync
no ike sa | warning | sa-desync
ike sa not found = no ike sa
ike encryption failure | warning | unknown
ike decryption failure | warning | authentication
retransmission timeout | major | peer-unreachable
retransmit timeout = retransmission timeout
incorrect configuration | major | configuration
configuration error = incorrect configuration
tunnel establishment failure | major | unknown
tunnel establishing failure = tunnel establishment failure
incomplete configuration | major | configuration
unavailable transform set | major | configuration
transform set unavailable = unavailable transform set
no enough resource | major | capacity
not enough resource = no enough resource
no enough resources = no enough resource
insufficient resources = no enough resource
ipsec sa not found | warning | sa-desync
no sa = ipsec sa not found
invalid sa = ipsec sa not found
""")

#: What messages state that give no reason in words.
CONDITIONS = _table("""
SLA link down | major | peer-unreachable
SLA quality worse than the threshold | warning | peer-unreachable
flow self heal | info | sa-desync
""")
