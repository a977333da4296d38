"""The segmentation study: encoders compared by their masks."""
