"""SEC (Simple Event Correlator) as its manual shows it: it follows a file that rsyslog writes, as it has no input from
the network of its own. Its rules take the fields out once and keep a context for each pair of gateways that is down."""

from pathlib import Path

from peers import peer

from contenders.base import Program
from contenders.rsyslog import INPUTS, rsyslogd

RELAY = """
global(workDirectory="{folder}")
module(load="imudp" batchSize="256")
template(name="line" type="string" string="%rawmsg%\\n")
{input}
ruleset(name="ipsec" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="1024") {{
  if $rawmsg contains "IPSEC" then action(type="omfile" file="{folder}/lines" template="line")
}}
"""

#: Takes the fields of a tunnel line out, and writes six of them.
FIELDS = r"""
type=Single
continue=TakeNext
ptype=RegExp
pattern=IPSECTUNNEL{what}:.*?SeqNum=(\d+),.*? DstIP=([^,]*),.*? SrcIP=([^,]*), FlowInfo=([^,]*),\
.*? VsysName=([^,]*), InterfaceName=([^,]*)
varmap={what}; peer=2; local=3
desc=fields
action=write {folder}/out $1 $3 $2 $4 $5 $6
"""

#: ``Cached`` patterns look at what those found, so that a line is matched once (sec(1), CACHED).
RULES = r"""
type=Single
ptype=Cached
pattern=STOP
context=!DOWN_$+{{local}}_$+{{peer}}
desc=tunnel between $+{{local}} and $+{{peer}} is down
action=create DOWN_$+{{local}}_$+{{peer}} 86400; write {folder}/alerts %s

type=Single
ptype=Cached
pattern=START
context=DOWN_$+{{local}}_$+{{peer}}
desc=tunnel between $+{{local}} and $+{{peer}} is up again
action=delete DOWN_$+{{local}}_$+{{peer}}; write {folder}/alerts %s
"""


def rules(folder: Path) -> str:
    """The rules that write ``folder/out`` and ``folder/alerts``."""
    fields = [FIELDS.format(folder=folder, what=what) for what in ("STOP", "START")]
    return "".join([*fields, RULES.format(folder=folder)])


class Sec(Program):
    """Results are lines in a file. It is both programs: what they need is added up, and the socket is rsyslog's."""

    name, does = "sec", "takes the fields out (one expression), keeps a context per gateway pair, writes six"
    needs = ("sec", "rsyslogd")
    proof = b"10 198.51.100.1 10."
    loads = ("relevant", "irrelevant", "changes")

    def commands(self) -> list[list[str]]:
        folder = self.folder
        (folder / "conf").write_text(RELAY.format(folder=folder, input=INPUTS[False].format(port=self.port)))
        (folder / "rules").write_text(rules(folder))
        (folder / "lines").touch()
        follow = [f"--conf={folder}/rules", f"--input={folder}/lines", f"--dump={folder}/dump", "--nodetach"]
        return [[peer("sec"), *follow], rsyslogd(folder)]

    def stop(self) -> None:
        super().stop()
        assert b"is down" in (self.folder / "alerts").read_bytes(), "SEC kept no context"
