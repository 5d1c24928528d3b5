"""A receiver of notifications on a loopback socket, for real senders to talk to."""

import asyncio
import contextlib
import time

from eventd.errors import ParseError
from eventd.parse import snmp

OURS = bytes.fromhex("80007ed90401020304")
#: No sender waits longer than this for its answer, so neither do we, in seconds.
PATIENCE = 10


class Receiver(asyncio.DatagramProtocol):
    """The smallest receiver: keeps every verdict, answers informs, sends the Reports that senders ask for."""

    def __init__(self, access):
        self.access = access
        self.records, self.refusals = asyncio.Queue(), []

    def connection_made(self, transport):
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data, addr):
        now = time.time()
        try:
            record = snmp.parse_notification(data, self.access, now)
        except ParseError as error:
            self.refusals.append(error.reason)
            answer = snmp.report_for(data, self.access, now, error.reason)
        else:
            self.records.put_nowait((snmp.transport_of(data), record))
            answer = record.response
        if answer:
            self.transport.sendto(answer, addr)


@contextlib.asynccontextmanager
async def receiver(*users):
    access = snmp.Access(["public"], users, OURS)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Receiver(access), ("127.0.0.1", 0))
    try:
        yield protocol
    finally:
        transport.close()


async def received(where):
    async with asyncio.timeout(PATIENCE):
        return await where.records.get()
