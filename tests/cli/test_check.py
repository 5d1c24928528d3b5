"""``eventd check`` says what it accepts."""

from pathlib import Path

from click.testing import CliRunner

from eventd.cli.check import command


def test_a_recording_is_named_with_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "eventd.toml"
    file.write_text('[record]\npath = "r"\nfiles = 3\n')
    done = CliRunner().invoke(command, ["-c", str(file)])
    assert "records   r, 3 × 67108864 bytes at most" in done.output
