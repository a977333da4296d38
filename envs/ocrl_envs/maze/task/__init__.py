"""Tasks: levels, their rules, and the factors that shift between training and test."""
