"""Train an agent: see ``python scripts/train_agent.py --help``."""

from omegaconf import DictConfig

from ocrl_studies.command_line import script
from ocrl_studies.stages import stages


@script("train_agent")
def main(cfg: DictConfig) -> None:
    """Train PPO on train layouts, evaluating on train and validation layouts."""
    stages.train_agent(cfg)


if __name__ == "__main__":
    main()
