"""aiosyslogd as its command starts it, with the receive buffer of all contenders: it has no setting for that."""

import asyncio
import socket
from typing import Any

from aiosyslogd import server


class Server(server.SyslogUDPServer):
    """The same with 4 MB."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for them."""
        sock: Any = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        super().connection_made(transport)


server.SyslogUDPServer = Server
server.main()
