"""``eventd check`` says what it accepts and nothing looks at."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from eventd.cli.check import command


@pytest.mark.parametrize(("line", "said"), [("group_peers = 3", True), ("group_peers = 5", False), ("", False)])
def test_settings_that_are_not_judged_yet_are_noted_when_they_were_changed(
    line: str, said: bool, tmp_path: Path
) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text(f"[correlate]\n{line}\n")
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert done.exit_code == 0
    assert ("not judged yet, changes nothing: correlate.group_peers" in done.output) == said
