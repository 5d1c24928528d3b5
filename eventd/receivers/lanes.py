"""A socket of their own for sources that send much, so that their flood overflows there and not on everybody else.

Lane 0 is the socket that was bound; a source is given another one as soon as it crowds lane 0. That costs it nothing:
what it may not have at the expense of others it loses there, and the number is exact.
"""

import socket
import time
from collections.abc import Callable, Sequence

from eventd.receivers import kernel, steering

#: Sockets for heavy sources. Each may hold a receive buffer of kernel memory; sources beyond share them.
MAX_LANES = 15
#: Heavy sources steered at once; the one whose lane was quiet for longest goes back to lane 0. Each costs at most 13
#: of the 4096 instructions that the kernel takes.
MAX_HEAVY = 64


class Lane:
    """One socket: ``number`` in the kernel's group, ``told`` drops already counted, and whether it is read now."""

    __slots__ = ("heard_at", "number", "reading", "sock", "told")

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number, self.sock = number, sock
        self.reading, self.told, self.heard_at = False, 0, 0.0

    def new_drops(self) -> int:
        """Datagrams the kernel dropped here since this was asked last."""
        dropped = kernel.dropped(self.sock)
        more, self.told = dropped - self.told, dropped
        return more


class Lanes:
    """The sockets of one port. ``prepare`` sets a new one up (buffer, options).

    With an allow list that the kernel can hold, lane 1 is for everybody who is not on it. Where the kernel cannot
    steer there is lane 0 alone, and `owners` still tells who is heavy.
    """

    def __init__(
        self, main: socket.socket, allow: Sequence[steering.Network], prepare: Callable[[socket.socket], object]
    ) -> None:
        self.all = [Lane(0, main)]
        self.owners: dict[str, int] = {}
        self.refusal: str | None = None
        self._allow, self._prepare = allow, prepare
        self._strangers = 1 if 0 < len(allow) <= steering.MAX_NETWORKS else 0
        try:
            steering.share(main)
            self._open()
            self._steer()
        except OSError as error:
            self.refusal = str(error)
            for lane in self.all[1:]:
                lane.sock.close()
            del self.all[1:]

    @property
    def main(self) -> Lane:
        """The lane of everybody who is not heavy."""
        return self.all[0]

    def is_for_strangers(self, lane: Lane) -> bool:
        """Whether only who is not on the allow list gets there."""
        return lane.number > 0 and lane.number == self._strangers

    def sources(self, lane: Lane) -> list[str]:
        """Who was given this lane."""
        return [source for source, number in self.owners.items() if number == lane.number]

    def give(self, source: str) -> Lane:
        """Steer ``source`` to a lane for heavy senders from now on; lane 0 where that is not possible."""
        if len(self.owners) >= MAX_HEAVY:
            del self.owners[min(self.owners, key=lambda owner: self.all[self.owners[owner]].heard_at)]
        if self.refusal is not None:
            self.owners[source] = 0
            return self.main
        try:
            lane = self._free() or self._shared()
            self.owners[source] = lane.number
            self._steer()
        except OSError:  # no memory or no files left: it stays where it is, and is tried again when it crowds again
            self.owners.pop(source, None)
            return self.main
        lane.heard_at = time.monotonic()
        return lane

    def _free(self) -> Lane | None:
        taken = {*self.owners.values(), self._strangers}
        for lane in self.all[1:]:
            if lane.number not in taken:
                return lane
        return self._open() if len(self.all) <= MAX_LANES else None

    def _shared(self) -> Lane:
        numbers = list(self.owners.values())
        lanes = [lane for lane in self.all[1:] if lane.number != self._strangers]
        return min(lanes, key=lambda lane: numbers.count(lane.number))

    def _open(self) -> Lane:
        sock = steering.join(self.main.sock)
        lane = Lane(len(self.all), sock)
        self.all.append(lane)
        self._prepare(sock)
        return lane

    def _steer(self) -> None:
        steering.attach(self.main.sock, steering.program(self.owners, self._allow, self._strangers))
