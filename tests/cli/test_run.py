"""`rnnviz run`: what it prints is what `rnnviz.run` finds, and a wrong question is a sentence."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import rnnviz
from rnnviz.cli import command
from rnnviz.experiments.comparison import Run
from rnnviz.experiments.tables import to_csv

ROOT = Path(__file__).parents[2]
FIELDS = rnnviz.knobs(rnnviz.Config)
# A value of each setting that is not its default.
OTHER = {"cell": "gru", "text": "ab", "nonlinearity": "relu", "chrono": "20", "gate_bias": "none", "seed": "7"}


def told(*words: str):
    return CliRunner().invoke(command, ["run", *words])


def other(name: str) -> str:
    """A value of a setting that is not its default, as text."""
    declared, default = FIELDS[name], rnnviz.Config.__dataclass_fields__[name].default
    offered = declared.choices or declared.ladder or (OTHER[name],)
    return OTHER.get(name) or next(str(value) for value in offered if value != default)


@pytest.mark.parametrize("name", [name for name in FIELDS if FIELDS[name].kind is not bool])
def test_every_setting_is_an_option(name):
    value = other(name)
    said = told(f"--{name.replace('_', '-')}", value)
    config = rnnviz.Config(**{name: FIELDS[name].from_text(value)})
    assert said.exit_code == 0, said.output
    assert rnnviz.run(config).verdict.sentence in said.output


def test_both_directions_have_a_line_each():
    said = told("--bidirectional", "--layers", "2", "--steps", "20")
    flow = rnnviz.run(rnnviz.Config(bidirectional=True, layers=2, length=20))
    for stream, growth in zip(flow.streams, flow.growth_per_step, strict=True):
        line = next(line for line in said.output.splitlines() if line.startswith(f"{stream.label} "))
        assert f"{growth:.4g}" in line.split()


def test_what_must_be_known_is_said():
    said = told("--weight-scale", "0", "--steps", "10")
    assert "exactly zero" in said.output
    assert said.output.rstrip().endswith(rnnviz.run(rnnviz.Config(weight_scale=0.0, length=10)).findings[-1])


@pytest.mark.parametrize(("name", "value"), [("cell", "foo"), ("length", "0"), ("weight_scale", "x"), ("seed", "1.5")])
def test_a_wrong_value_is_the_setting_s_own_sentence(name, value):
    said = told(f"--{name.replace('_', '-')}", value)
    with pytest.raises(rnnviz.RnnvizError) as problem:
        FIELDS[name].checked(name, FIELDS[name].from_text(value))
    assert said.exit_code == 2
    assert said.output.splitlines()[-1] == f"Error: {problem.value}"


def test_what_does_not_go_together_is_a_sentence():
    said = told("--gate-bias", "1", "--chrono", "20")
    assert (said.exit_code, said.output.splitlines()[-1].split(":")[:2]) == (2, ["Error", " chrono"])


def test_a_run_that_is_too_large_is_refused_and_can_be_had():
    large = ("--steps", "10000", "--hidden-size", "256", "--layers", "4")
    said = told(*large)
    assert (said.exit_code, "make one of them smaller" in said.output) == (2, True)
    assert told("--any-size", "--steps", "10").exit_code == 0


def test_files(tmp_path):
    paths = {kind: tmp_path / f"a.{kind}" for kind in ("csv", "html", "npz")}
    words = ["--csv", paths["csv"], "--html", paths["html"], "--out", paths["npz"]]
    said = told("--steps", "30", *map(str, words))
    assert said.exit_code == 0, said.output
    config = rnnviz.Config(length=30)
    assert paths["csv"].read_text(encoding="utf-8") == to_csv([Run("rnn", config)])
    assert rnnviz.run(config).verdict.sentence in paths["html"].read_text(encoding="utf-8")
    np.testing.assert_array_equal(rnnviz.load(paths["npz"]).adjoint, rnnviz.run(config).adjoint)


@pytest.mark.parametrize("option", ["--out", "--csv", "--html"])
@pytest.mark.parametrize("command_line", ["run", "sweep", "trace"])
def test_a_file_that_cannot_be_written_is_refused_before_the_work(command_line, option, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "locked")
    (tmp_path / "locked").mkdir()
    weights = [str(ROOT / "assets" / "models" / "adding_solved.safetensors")] * (command_line == "trace")
    for folder, why in (("no", "there is no folder"), ("locked", "is read-only")):
        said = CliRunner().invoke(command, [command_line, *weights, option, str(tmp_path / folder / "a")])
        assert said.exit_code == 2
        assert why in said.output.splitlines()[-1]
        assert "growth" not in said.output


def test_an_empty_name_is_no_file():
    said = told("--steps", "5", "--out", "")
    assert (said.exit_code, said.output.splitlines()[-1]) == (
        2, "Error: Invalid value for '--out': '' is no name of a file.",
    )  # fmt: skip


def test_an_input_that_is_shorter_than_the_steps_is_said():
    config = rnnviz.Config(signal="text", text="abc", length=50)
    sentence = "The input ends after 3 steps, so that not all 50 were run."
    assert rnnviz.run(config).steps == 3
    assert sentence in told("--signal", "text", "--text", "abc", "--steps", "50").output.splitlines()
    assert "The input ends" not in told("--signal", "text", "--text", "abc", "--steps", "3").output


def test_a_file_that_breaks_in_work_is_a_sentence_and_another_code(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a.csv")

    monkeypatch.setattr(Path, "write_bytes", full)
    said = told("--steps", "5", "--csv", str(tmp_path / "a.csv"))
    assert (said.exit_code, said.output.splitlines()[-1]) == (1, "Error: a.csv: No space left on device.")


def test_a_reader_that_has_seen_enough_hears_nothing_more():
    words = [sys.executable, "-m", "rnnviz", "run", "--steps", "5"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # as `head -0` does
        assert process.stderr.read() == b""


def test_the_module_is_the_command():
    words = [sys.executable, "-m", "rnnviz", "--version"]
    said = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.split()[-1] == rnnviz.__version__


def test_help_teaches_every_command():
    said = CliRunner().invoke(command, [])
    for name, each in command.commands.items():
        assert name in said.output
        assert len(CliRunner().invoke(command, [name, "--help"]).output) > 200, each
