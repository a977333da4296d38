"""A maze simulator after DeepMind Lab's navigation levels, drawn by casting rays."""
