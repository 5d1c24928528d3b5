"""Somebody who asks an eventd for its metrics and lists every second, as Prometheus and people at their desks do.

    python tests/bench/scraper.py PORT

A process of its own on the sender's processor, because a thread would share the interpreter with it. SIGTERM ends it;
it prints the seconds that each answer took, by path, as JSON.
"""

import json
import signal
import sys
import time
import urllib.request

ASKED = (
    "/metrics",
    "/api/v1/incidents?status=open",
    "/api/v1/peers",
    "/api/v1/events",
)
EVERY_S = 1.0


def main() -> None:
    """Ask until told to end; a refusal ends it with an error."""
    took: dict[str, list[float]] = {path: [] for path in ASKED}
    over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: over.append(number))
    due = time.monotonic()
    while not over:
        for path in ASKED:
            started = time.monotonic()
            with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{path}", timeout=30) as answer:
                while answer.read(1 << 20):
                    pass
            took[path].append(round(time.monotonic() - started, 4))
        due = max(due + EVERY_S, time.monotonic())
        while not over and (early := due - time.monotonic()) > 0:
            time.sleep(min(early, 0.05))
    print(json.dumps(took), flush=True)


if __name__ == "__main__":
    main()
