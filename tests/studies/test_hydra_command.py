"""Parsers as they are from Python 3.14 on, which look into the help of what is added to them."""

import argparse

import pytest

from ocrl_studies.hydra_command import take_lazy_help


class Parser(argparse.ArgumentParser):
    """Checks help as Python 3.14 does."""

    def _check_help(self, action):
        if action.help and "%" in action.help:
            raise ValueError("badly formed help string")

    def add_argument(self, *words, **settings):
        action = super().add_argument(*words, **settings)
        self._check_help(action)
        return action


class Later:
    """As Hydra's: a text once it is shown."""

    def __repr__(self):
        return "shown"


def test_help_that_is_no_text_is_taken_and_bad_help_is_not():
    class Lenient(Parser):
        pass

    with pytest.raises(TypeError):
        Lenient(add_help=False).add_argument("-sc", help=Later())
    for _ in range(2):  # a process may run more than one command
        take_lazy_help(Lenient)
    parser = Lenient()
    parser.add_argument("-sc", help=Later())
    assert "completion by the shell" in parser.format_help()
    with pytest.raises(ValueError, match="badly formed"):
        parser.add_argument("--bad", help="100 %")


def test_parsers_without_a_check_stay_as_they_are():
    class Before:
        pass

    take_lazy_help(Before)
    assert not hasattr(Before, "_check_help")
