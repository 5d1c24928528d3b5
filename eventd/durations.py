"""Durations as people write them."""

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])", re.ASCII)


def parse_duration(text: str) -> float:
    """``"30s"``, ``"5m"``, ``"1h30m"`` in seconds.

    Raises:
        ValueError: it is not of that form.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f'{text!r} is not a duration like "30s", "5m", "1h30m", "90d"')
    return sum(float(number) * UNITS[unit] for number, unit in _DURATION_PART.findall(text))
