"""Appearance: what walls, floors, skies, pictures and objects look like."""
