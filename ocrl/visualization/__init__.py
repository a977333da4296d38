"""Pictures and videos of segmentations, reconstructions and features."""

from ocrl.extras import name_extras

with name_extras():
    from ocrl.visualization.encoders import draw_masks, draw_reconstructions, spread
    from ocrl.visualization.images import (
        Image,
        enlarge,
        image_grid,
        save_image,
        save_video,
    )
    from ocrl.visualization.photographs import segment_image
    from ocrl.visualization.segmentation import (
        overlay_segments,
        segment_colours,
        segmentation_strip,
        segmentation_video,
    )

__all__ = [
    "Image",
    "draw_masks",
    "draw_reconstructions",
    "enlarge",
    "image_grid",
    "overlay_segments",
    "save_image",
    "save_video",
    "segment_colours",
    "segment_image",
    "segmentation_strip",
    "segmentation_video",
    "spread",
]
