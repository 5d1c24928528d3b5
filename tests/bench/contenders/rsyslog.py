"""rsyslog that takes the fields out of each line with mmnormalize and writes six of them to a file."""

import os
from pathlib import Path

from peers import peer
from storm import start_line, stop_line

from contenders.base import Program

FIELDS = ("SeqNum", "SrcIP", "DstIP", "FlowInfo", "VsysName", "InterfaceName")
CONFIG = """
global(workDirectory="{folder}" {certificate})
module(load="imudp" batchSize="256")
module(load="imtcp" {driver})
module(load="mmnormalize")
template(name="fields" type="string" string="{fields}\\n")
{input}
ruleset(name="ipsec" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="1024") {{
  if $rawmsg contains "IPSEC" then {{
    action(type="mmnormalize" rulebase="{folder}/rules" useRawMsg="on")
    action(type="omfile" file="{folder}/out" template="fields")
  }}
}}
"""

INPUTS = {
    False: 'input(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="4m" ruleset="ipsec")',
    True: 'input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="ipsec")',
}
CERTIFICATE = (
    'defaultNetstreamDriverCertFile="{folder}/cert.pem" defaultNetstreamDriverKeyFile="{folder}/key.pem" '
    'defaultNetstreamDriverCAFile="{folder}/cert.pem"'
)
DRIVER = 'streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="anon"'


def rule(line: str) -> str:
    """A rule of liblognorm that takes every field of a line like this one."""
    _, listed = line.split(" (", 1)
    parts, at = ["%head:char-to:(%("], 0
    fields = [pair.strip().partition("=")[0] for pair in listed.rstrip(")").split(",")]
    for key, after in zip(fields, [*fields[1:], ")"], strict=True):
        at = listed.index(f"{key}=", at)
        end = listed.index(f"{after}=", at) if after != ")" else len(listed) - 1
        value = listed[at + len(key) + 1 : end].rstrip(", ")
        gap = listed[at + len(key) + 1 + len(value) : end]
        parts.append(f"{key}=%{key}:char-to:{after if after == ')' else ','}%{gap}")
    return "rule=:" + "".join(parts) + ")\n"


def rsyslogd(folder: Path) -> list[str]:
    """The command that runs rsyslog in the foreground on ``folder/conf``."""
    modules = Path(os.environ.get("EVENTD_PEERS_DIR", "/")) / "usr/lib/x86_64-linux-gnu/rsyslog"
    return [peer("rsyslogd"), "-M", str(modules), "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")]


class Rsyslog(Program):
    """Results are lines in a file."""

    name, does = "rsyslog", "takes the fields out (mmnormalize), writes six"
    needs = ("rsyslogd",)
    first_rate = 10_000.0
    tells_version = "-v"
    proof = b"10 198.51.100.1 10."
    loads = ("relevant", "fresh", "irrelevant", "changes", "tcp", "tls")

    def commands(self) -> list[list[str]]:
        folder = self.folder
        (folder / "rules").write_text("version=2\n" + rule(stop_line(0)) + rule(start_line(0)))
        fields = " ".join(f"%$!{field}%" for field in FIELDS)
        (folder / "conf").write_text(
            CONFIG.format(
                folder=folder,
                fields=fields,
                input=INPUTS[self.load.stream].format(port=self.port),
                certificate=CERTIFICATE.format(folder=folder) if self.load.tls else "",
                driver=DRIVER if self.load.tls else "",
            )
        )
        return [rsyslogd(folder)]
