"""Dynamics: the state of all mazes, how episodes begin, how agents move and are driven."""
