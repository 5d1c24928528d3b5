"""syslog-ng that takes each line apart with kv-parser and keeps a context per pair of gateways (grouping-by)."""

from peers import peer

from contenders.base import Program

CONFIG = """@version: 3.38
options {{ use-dns(no); keep-hostname(yes); stats-freq(0); flush-lines(500); log-fifo-size(400000); threaded(yes); }};
source s {{ network(ip("127.0.0.1") {transport} port({port}) so-rcvbuf(4194304) flags(no-parse)
  log-iw-size(400000) log-fetch-limit(1000)); }};
destination d {{ file("{folder}/out"
  template("${{k.SeqNum}} ${{k.SrcIP}} ${{k.DstIP}} ${{k.FlowInfo}} ${{k.VsysName}} ${{k.InterfaceName}}\\n")); }};
log {{ source(s); filter {{ message('IPSEC' type(string) flags(substring)); }};
  parser {{ kv-parser(prefix('k.') pair-separator(',')); }};
  parser {{ grouping-by(key('${{k.SrcIP}}|${{k.DstIP}}') scope(global) timeout(60)
    trigger('$(context-length)' == '100') aggregate(value('MESSAGE' 'agg') tags('agg'))); }};
  filter {{ not tags('agg') }}; destination(d); }};
"""
TLS = 'transport("tls") tls(key-file("key.pem") cert-file("cert.pem") peer-verify(optional-untrusted))'


class SyslogNg(Program):
    """Results are lines in a file."""

    name, does = "syslog-ng", "takes the fields out (kv-parser), groups by gateway pair (grouping-by), writes six"
    needs = ("syslog-ng",)
    first_rate = 10_000.0
    proof = b"10 198.51.100.1 10."
    loads = ("relevant", "fresh", "irrelevant", "changes", "tcp", "tls")

    def commands(self) -> list[list[str]]:
        folder = self.folder
        transport = TLS if self.load.tls else f'transport("{"tcp" if self.load.stream else "udp"}")'
        (folder / "conf").write_text(CONFIG.format(folder=folder, port=self.port, transport=transport))
        files = ("-f", "conf", "-R", "persist", "-p", "pid", "-c", "ctl")
        return [[peer(*self.needs), "-F", "--no-caps", *files]]
