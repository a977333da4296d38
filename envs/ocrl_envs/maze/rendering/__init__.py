"""Rendering: what the agents see, from rays to texels, and the map from above."""
