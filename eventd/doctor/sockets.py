"""Ports, receive buffers, and how many sockets may be open."""

import contextlib
import errno
import re
import resource
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from eventd.config import RECEIVERS, Config, listening
from eventd.doctor.finding import Finding
from eventd.doctor.running import Running, holders
from eventd.receivers import kernel
from eventd.receivers.addresses import parse_listen
from eventd.receivers.lanes import MAX_LANES
from eventd.receivers.settings import Socket, SyslogTcp

_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
#: Files a service has open beside the connections of its receivers: sockets that listen, the database three times,
#: logs, the loop, and some dozen of clients of its page.
OWN_FILES = 64
#: CAP_NET_ADMIN as a bit of CapEff in /proc/self/status (linux/capability.h).
_CAP_NET_ADMIN = 1 << 12

_ADVICE = {
    errno.EACCES: "give it CAP_NET_BIND_SERVICE (AmbientCapabilities= of the unit), or listen above 1023 and have the "
    "firewall redirect the port",
    errno.EADDRNOTAVAIL: "listen on an address of this machine, or on [::] for all of them",
    errno.EAFNOSUPPORT: "listen on IPv4 addresses",
}


def ports(config: Config, service: Running | None) -> Iterator[Finding]:
    """Each listen address, by binding it for a moment."""
    for kind, key, listen in listening(config.receivers, config.web):
        try:
            kernel.bind(listen, _KINDS[kind]).close()
        except kernel.ListenError as error:
            yield _not_bound(kind, key, listen, error, service)
        else:
            yield Finding("ports", "ok", f"{key}: {listen}/{kind} can be had")


def _not_bound(kind: str, key: str, listen: str, error: kernel.ListenError, service: Running | None) -> Finding:
    if error.errno != errno.EADDRINUSE:
        return Finding("ports", "problem", f"{key}: {error}", _ADVICE.get(error.errno or 0))
    others = holders(kind, parse_listen(listen)[1])
    if service is not None and any(pid in (service.pid, None) for pid, _ in others):
        return Finding("ports", "ok", f"{key}: {listen}/{kind} is held by the running eventd")
    who = ", ".join(program if pid is None else f"{program} (process {pid})" for pid, program in others)
    seen = f"{key}: {listen}/{kind} is in use by {who or 'another program'}"
    return Finding("ports", "problem", seen, "stop that program, or listen elsewhere")


def receive_buffers(config: Config) -> Iterator[Finding]:
    """What the kernel grants of the buffers asked for, tried on a socket of our own."""
    for name in RECEIVERS:
        size = getattr(getattr(config.receivers, name), "recv_buffer_bytes", None)
        if size is None:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            granted = kernel.set_receive_buffer(sock, size)
        key = f"receivers.{name}.recv_buffer_bytes"
        if granted >= size:
            yield Finding("receive buffers", "ok", f"{key}: {size} bytes are granted{_by_privilege(size)}")
        else:
            seen = f"{key}: {granted} of {size} bytes are granted: net.core.rmem_max is {_rmem_max()}, no CAP_NET_ADMIN"
            advice = f"sysctl -w net.core.rmem_max={size} (and the same in /etc/sysctl.d/), or give it CAP_NET_ADMIN"
            yield Finding("receive buffers", "warning", seen, advice)


def open_to_all(config: Config) -> Iterator[Finding]:
    """UDP receivers that strangers reach: a source address proves nothing there, and forged ones share one buffer."""
    for name in RECEIVERS:
        settings = getattr(config.receivers, name)
        if settings is None or not hasattr(settings, "recv_buffer_bytes"):
            continue
        key = f"receivers.{name}.allow"
        if settings.allow:
            yield Finding("strangers", "ok", f"{key}: {len(settings.allow)} networks may send")
        elif any(_from_outside(listen) for listen in settings.addresses):
            seen = f"{key} is empty: a flood of forged addresses would fill the buffer that all senders share"
            advice = f"{key} with the networks of the firewalls, and the same in the firewall before this machine"
            yield Finding("strangers", "note", seen, advice)


def _from_outside(listen: str) -> bool:
    return not ip_address(parse_listen(listen)[0]).is_loopback


def _by_privilege(size: int) -> str:
    limit = _rmem_max()
    privileged = _has_net_admin() and limit is not None and limit < size
    return f", by CAP_NET_ADMIN: net.core.rmem_max is {limit}" if privileged else ""


def _rmem_max() -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys/net/core/rmem_max").read_text())
    return None


def _has_net_admin() -> bool:
    with contextlib.suppress(OSError):
        found = re.search(r"^CapEff:\s*(\w+)", Path("/proc/self/status").read_text(), re.MULTILINE)
        return found is not None and bool(int(found[1], 16) & _CAP_NET_ADMIN)
    return False


def open_files(config: Config, service: Running | None) -> Iterator[Finding]:
    """Whether every connection that the configuration allows could be held at the same time."""
    needed = OWN_FILES + sum(_sockets(getattr(config.receivers, name)) for name in RECEIVERS)
    limit = _limit(service)
    whose = "this shell" if service is None else f"process {service.pid}"
    seen = f"{needed} files may be open at once (receivers.*.max_connections); the limit of {whose} is {limit}"
    if limit < needed:
        advice = f"LimitNOFILE={needed} in the unit, or ulimit -n {needed}; or allow fewer connections"
        yield Finding("open files", "warning", seen, advice)
    else:
        yield Finding("open files", "ok", seen)


def _sockets(settings: Socket | None) -> int:
    """How many sockets one kind of receiver may have."""
    if settings is None:
        return 0
    return len(settings.addresses) * (settings.max_connections if isinstance(settings, SyslogTcp) else 1 + MAX_LANES)


def _limit(service: Running | None) -> float:
    """Soft limit of open files of the service, or of this process where that cannot be seen."""
    own, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if service is not None:
        with contextlib.suppress(OSError):
            found = re.search(r"^Max open files +(\S+)", Path(f"/proc/{service.pid}/limits").read_text(), re.MULTILINE)
            if found is not None:
                return int(found[1]) if found[1].isdecimal() else float("inf")
    return float("inf") if own == resource.RLIM_INFINITY else own
