"""The stages from an environment to a transfer result, each a function of a configuration."""
