"""Hydra configurations, and the glue that the scripts share."""
