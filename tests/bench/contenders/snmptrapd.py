"""net-snmp's snmptrapd that writes each notification to a file."""

from collections.abc import Mapping

from loads import ENGINE, USER
from peers import peer

from contenders.base import Program

CONFIG = f"""disableAuthorization yes
createUser -e 0x{ENGINE.hex()} {USER.name} SHA-256 auth-password AES priv-password
authUser log {USER.name} priv
"""


class Snmptrapd(Program):
    """Results are notifications in a file."""

    name, does = "snmptrapd", "decodes, writes"
    needs = ("snmptrapd",)
    first_rate = 1000.0
    loads = ("traps", "fresh traps", "v3 traps")
    proof = b"dpd timeout"
    mark = b"@TRAP"

    def commands(self) -> list[list[str]]:
        (self.folder / "conf").write_text(CONFIG)
        (self.folder / "snmp.conf").write_text("serverRecvBuf 4194304\nmibs :\n")
        written = ["-F", "@TRAP %b %v\\n", "-Lf", str(self.out), "-p", str(self.folder / "pid")]
        named = ["-n", "-On", "-m", "", "-M", ""]
        return [[peer(*self.needs), "-f", "-c", "conf", *named, *written, f"udp:127.0.0.1:{self.port}"]]

    def environment(self) -> Mapping[str, str]:
        return {"SNMPCONFPATH": str(self.folder), "MIBS": "", "SNMP_PERSISTENT_DIR": str(self.folder / "kept")}
