"""The whole path on a small preset: rollouts, pretraining, agents, transfer. See ``make demo``."""

from ocrl_studies.demo import main

if __name__ == "__main__":
    main()
