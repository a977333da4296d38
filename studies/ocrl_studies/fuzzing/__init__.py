"""Trials of what strangers, accidents and full disks do: one module for each kind of campaign."""
