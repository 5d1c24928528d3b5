"""pysnmp's notification receiver as its documentation shows it, counting v2c traps: the yardstick of the benchmark.

With a second argument it appends a line to that file for every trap."""

import asyncio
import signal
import sys
from pathlib import Path
from typing import IO, Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import ntfrcv


async def main(port: int, file: IO[str] | None = None) -> None:
    """Count until told to end."""
    counted = 0

    def on_trap(*_: Any) -> None:
        nonlocal counted
        counted += 1
        if file is not None:
            file.write("\n")

    snmp_engine = engine.SnmpEngine()
    transport = udp.UdpAsyncioTransport().open_server_mode(("127.0.0.1", port))
    config.add_transport(snmp_engine, udp.DOMAIN_NAME, transport)
    config.add_v1_system(snmp_engine, "area", "public")
    ntfrcv.NotificationReceiver(snmp_engine, on_trap)
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    await asyncio.sleep(0.2)
    print("ready", flush=True)
    await done.wait()
    print(counted, flush=True)
    snmp_engine.close_dispatcher()


if len(sys.argv) > 2:
    with Path(sys.argv[2]).open("w", buffering=1) as lines:
        asyncio.run(main(int(sys.argv[1]), lines))
else:
    asyncio.run(main(int(sys.argv[1])))
