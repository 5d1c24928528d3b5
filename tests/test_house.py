"""The floors of the house: imports go down only, pure rooms stay pure, and a planted violation is noticed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PLANTED = {
    "a pure room reads the clock": ("eventd/parse/planted.py", "import time\n"),
    "a pure room logs": ("eventd/correlate/planted.py", "import structlog\n"),
    "a handler reaches into the shell": ("handlers/huawei/planted.py", "import eventd.store\n"),
    "the core names a vendor": ("eventd/notify/planted.py", "import handlers.huawei\n"),
    "two rooms of one floor meet": ("eventd/receivers/planted.py", "import eventd.notify\n"),
    "a lower floor imports an upper one": ("eventd/telemetry_planted.py", None),
}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([str(program), "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=60)


def test_no_floor_is_broken() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("what", list(PLANTED))
def test_a_planted_violation_is_noticed(what: str, tmp_path: Path) -> None:
    for name in ("eventd", "handlers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    name, text = PLANTED[what]
    if text is None:
        with (tmp_path / "eventd/model.py").open("a") as file:
            file.write("\nimport eventd.pipeline\n")
    else:
        (tmp_path / name).write_text(text)
    result = lint(tmp_path)
    assert result.returncode != 0, result.stdout
