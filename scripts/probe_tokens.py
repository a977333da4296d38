"""Probe tokens: see ``python scripts/probe_tokens.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("probe_tokens")
