"""One module for each benchmark, each with a function ``run``."""
