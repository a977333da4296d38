"""Try what strangers, accidents and full disks do: see ``python scripts/fuzz.py --help``."""

from ocrl_studies.fuzzing.main import main

if __name__ == "__main__":
    main()
