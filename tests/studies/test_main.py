"""The command ``ocrl``: help that is there at once, and completion by the shell."""

import os
import subprocess
import sys
import textwrap

import pytest
import yaml

from ocrl_studies import main
from ocrl_studies.composition import compose, find_configs
from ocrl_studies.help_page import explained, help_page


def ask(arguments, **environment):
    """Run ``ocrl`` in a process that may not import torch."""
    program = textwrap.dedent(f"""
        import os, sys
        sys.modules["torch"] = sys.modules["numba"] = sys.modules["matplotlib"] = None
        os.environ |= {environment!r}
        sys.argv = ["ocrl", *{arguments!r}]
        from ocrl_studies.main import main
        main()
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_help_needs_none_of_the_libraries_that_are_slow_to_import():
    text = ask(["pretrain-slots", "encoder=vector", "--help"])
    assert text.startswith("pretrain_slots: train an encoder on rollouts")
    assert "[vector]" in text


def test_encoders_are_listed_with_what_they_are():
    lines = ask(["encoders"]).splitlines()
    assert max(map(len, lines)) <= 100
    names = {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}
    assert names == {path.stem for path in (find_configs() / "encoder").glob("*.yaml")}
    assert any("Baseline: one vector per frame, an autoencoder" in line for line in lines)


def test_help_calls_a_verb_as_it_was_called():
    text = ask(["segment", "--help"])
    assert "Usage: ocrl segment path=FOLDER" in text
    assert "scripts/" not in text
    assert "Choices" not in text  # it has none


@pytest.mark.parametrize("words", [["play", "--help"], ["encoders"], ["--help"]])
def test_who_reads_the_beginning_of_the_help_alone_sees_no_traceback(words):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "ocrl_studies", *words]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", ["train_agent", "play"])
def test_help_lists_the_groups_that_the_verb_uses_and_all_its_settings(verb):
    text = help_page(verb, [])
    assert all(len(line) <= 100 or "${" in line or ", " not in line for line in text.splitlines())
    choices, _, settings = text.partition("Settings (")
    listed = {line.split(":")[0].strip() for line in choices.splitlines() if line.startswith("  ")}
    listed = {group for group in listed if (find_configs() / group).is_dir()}
    page = yaml.safe_load((find_configs() / f"{verb}.yaml").read_text())
    own = {
        name.removeprefix("override ").removeprefix("optional ")
        for each in page["defaults"]
        if isinstance(each, dict)
        for name in each
        if "hydra" not in name
    }
    assert own <= listed
    printed = settings.split("\n\n")[1]
    keys = set(compose(verb))
    assert {line.split(":")[0].strip() for line in printed.splitlines() if line[2] != " "} - {
        line.split(":")[0].strip() for line in printed.splitlines() if line.strip()[0] == "#"
    } == keys


def test_help_keeps_what_the_files_say_of_settings():
    text = help_page("pretrain_slots", [])
    assert "steps_per_epoch: 200            # scores, pictures and a checkpoint after each" in text
    assert "# SlotContrast for small machines" in text
    assert "# One that only renders" not in text


def test_comments_belong_to_the_setting_that_they_are_behind_or_above():
    text = """\
    # @package env
    # What the file is.
    defaults:
      - other

    id: ???      # such as a-v0
    # how many
    # there are
    sizes:
      one: 1     # small
                 # indeed
      two: 'a # b'
    """
    assert dict(explained(textwrap.dedent(text))) == {
        "": "What the file is.",
        "id": "such as a-v0",
        "sizes": "how many there are",
        "sizes.one": "small indeed",
    }


def test_help_with_a_choice_that_does_not_exist_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["ocrl", "play", "env=nowhere", "--help"])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == 2
    assert "env=nowhere does not exist" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ocrl pre", "pretrain-slots"),
        ("ocrl pretrain-slots env=nav_maze_s", "env=nav_maze_static_01"),
        ("ocrl train-agent encoder=vector agent.model.n_e", "agent.model.n_epochs="),
    ],
)
def test_the_shell_completes_verbs_and_settings(line, expected):
    assert expected in ask(["-sc", "query=bash"], COMP_LINE=line).split()


def test_the_shell_is_told_to_ask_ocrl():
    assert ask(["-sc", "install=bash"]).rstrip().endswith("hydra_bash_completion ocrl")
