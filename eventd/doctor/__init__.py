"""What would bite: an installation looked at from inside. Nothing is changed, sent or kept open.

Each room looks at one kind of thing and gives findings; `examine` asks all of them.
"""

from collections.abc import Iterable

from eventd.config import Config
from eventd.doctor import clock, disks, far_ends, files, outbox, senders, sockets
from eventd.doctor.finding import LEVELS, Finding
from eventd.doctor.running import Running, running

__all__ = ["LEVELS", "Finding", "Running", "examine", "running"]


async def examine(config: Config) -> list[Finding]:
    """Everything that was looked at, in the order of the rooms; takes some seconds where a far end does not answer."""
    service = running(config.store.path)
    found: list[Iterable[Finding]] = [
        [_running(service)],
        sockets.ports(config, service),
        sockets.receive_buffers(config),
        sockets.open_to_all(config),
        sockets.open_files(config, service),
        clock.examine(),
        files.examine(config),
        disks.examine(config),
        await far_ends.examine(config),
        outbox.examine(config),
        senders.examine(config),
    ]
    return [finding for findings in found for finding in findings]


def _running(service: Running | None) -> Finding:
    if service is None:
        return Finding("service", "note", "eventd does not run on this store")
    return Finding("service", "ok", f"eventd runs as process {service.pid}")
