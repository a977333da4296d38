"""Shared parts of the encoders: backbones, initialisers, slot attention, predictor, decoders."""
