"""Measure speed and memory: see ``python scripts/benchmark.py --help``."""

from ocrl_studies.benchmarks.main import main

if __name__ == "__main__":
    main()
