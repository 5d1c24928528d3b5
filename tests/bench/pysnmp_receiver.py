"""pysnmp's notification receiver as its documentation shows it, counting v2c traps: the yardstick of the benchmark."""

import asyncio
import signal
import sys
from typing import Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import ntfrcv


async def main(port: int) -> None:
    """Count until told to end."""
    counted = 0

    def on_trap(*_: Any) -> None:
        nonlocal counted
        counted += 1

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


asyncio.run(main(int(sys.argv[1])))
