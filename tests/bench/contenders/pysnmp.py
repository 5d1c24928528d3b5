"""pysnmp's notification receiver as its documentation shows it (``../pysnmp_receiver.py``)."""

import sys
from importlib import metadata
from pathlib import Path

from loads import ENGINE

from contenders.base import Program

RECEIVER = Path(__file__).parent.parent / "pysnmp_receiver.py"


class Pysnmp(Program):
    """Results are calls of the callback."""

    name, does = "pysnmp", "decodes, counts"
    needs = (sys.executable,)
    first_rate = 200.0
    loads = ("traps", "fresh traps", "v3 traps")

    @classmethod
    def version(cls) -> str:
        return metadata.version("pysnmp")

    def commands(self) -> list[list[str]]:
        return [[sys.executable, str(RECEIVER), str(self.port), str(self.out), ENGINE.hex()]]
