"""Train an agent: see ``python scripts/train_agent.py --help``."""

from ocrl_studies.main import run

if __name__ == "__main__":
    run("train_agent")
