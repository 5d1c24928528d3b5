"""pysnmp's notification receiver as its documentation shows it, counting traps: the yardstick of the benchmark.

    pysnmp_receiver.py PORT [FILE [ENGINE]]

It appends a line to FILE for every trap, and takes v3 of the benchmark's user at that engine (hex)."""

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import IO, Any

from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import ntfrcv
from pysnmp.proto.api import v2c

#: The receive buffer of all contenders.
BUFFER_BYTES = 4 << 20


async def main(port: int, file: IO[str] | None = None, engine_id: str | None = None) -> None:
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
    if engine_id is not None:
        config.add_v3_user(
            snmp_engine,
            "fw",
            config.USM_AUTH_HMAC192_SHA256,
            "auth-password",
            config.USM_PRIV_CFB128_AES,
            "priv-password",
            securityEngineId=v2c.OctetString(hexValue=engine_id),
        )
    ntfrcv.NotificationReceiver(snmp_engine, on_trap)
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    await asyncio.sleep(0.2)
    transport.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    print("ready", flush=True)
    await done.wait()
    print(counted, flush=True)
    snmp_engine.close_dispatcher()


if len(sys.argv) > 2:
    with Path(sys.argv[2]).open("w", buffering=1) as lines:
        asyncio.run(main(int(sys.argv[1]), lines, *sys.argv[3:4]))
else:
    asyncio.run(main(int(sys.argv[1])))
