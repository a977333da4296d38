"""Layouts: walls on a grid, how they are generated, split, and turned into arrays."""
