"""The command ``ocrl``, as ``python -m ocrl_studies``."""

from ocrl_studies.main import main

main()
