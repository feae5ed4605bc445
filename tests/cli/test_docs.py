"""The commands in docs/own-model.md print what stands there."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from rnnviz.cli import command

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [
    (line, told)
    for block in BLOCKS
    for line, told in re.findall(r"^\$ rnnviz (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the assets in it, where the commands run."""
    shutil.copytree(ROOT / "assets" / "models", tmp_path / "assets" / "models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_some():
    assert {line.split()[0] for line, _ in COMMANDS} == {"run", "trace", "sweep"}


@pytest.mark.parametrize(("line", "told"), COMMANDS, ids=[line for line, _ in COMMANDS])
def test_a_command_prints_what_stands_there(line, told, folder):
    said = CliRunner().invoke(command, shlex.split(line), prog_name="rnnviz")
    assert said.output == told
    for name in re.findall(r"^Wrote (.*)$", told, re.MULTILINE):
        assert (folder / name).stat().st_size > 1000
