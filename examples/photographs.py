r"""Slots on photographs of your own, beside k-means: one picture, a row for each photograph.

    python examples/photographs.py FOLDER picture.png

The picture in docs/data.md is of those in scikit-learn (pip install scikit-learn):

    python examples/photographs.py .venv/lib/python3*/site-packages/sklearn/datasets/images \
        docs/images/photographs.png

DINOSAUR with the ViT that comes with the package learns on crops of these photographs, 8 minutes of
a core. What it learns of so few of them holds for them alone.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image as PillowImage
from PIL import ImageOps
from torchvision.transforms.v2 import Compose, RandomHorizontalFlip, RandomResizedCrop

from ocrl import create_encoder
from ocrl.data.clips import ClipDataset, evaluation_clips
from ocrl.data.images import read_image
from ocrl.data.videos import ArrayVideos
from ocrl.encoder import Encoder
from ocrl.encoders.kmeans import BackboneFeatures, ColourPosition, KMeans
from ocrl.metrics.scoring import SegmentationScores
from ocrl.pretraining import PretrainingSettings, pretrain
from ocrl.visualization import image_grid, save_image, segment_image
from ocrl.visualization.images import Image
from ocrl.visualization.photographs import find_images
from ocrl.visualization.segmentation import draw_slots
from ocrl.visualization.titles import with_title

IMAGE_SIZE = (64, 64)
NUM_SLOTS = 7
SIDE = 212


def crops(photographs: Sequence[Image], number: int) -> ArrayVideos:
    """Return crops of all places and sizes, mirrored or not, as videos of one frame."""
    crop = Compose([RandomResizedCrop(IMAGE_SIZE, scale=(0.1, 1.0)), RandomHorizontalFlip()])
    torch.manual_seed(0)
    images = [torch.tensor(photograph).movedim(-1, 0) for photograph in photographs]
    frames = torch.stack([crop(images[i % len(images)]) for i in range(number)])
    return ArrayVideos(frames.movedim(1, -1).numpy(), [1] * number)


def learn(videos: ArrayVideos, max_steps: int, folder: Path) -> Encoder:
    """Return a DINOSAUR that has learned from them; the features of its ViT are computed once."""
    torch.manual_seed(0)
    encoder = create_encoder(
        "dinosaur", image_size=IMAGE_SIZE, num_slots=NUM_SLOTS, decoder_dims=[128, 128]
    )
    settings = PretrainingSettings(
        max_steps=max_steps,
        steps_per_epoch=max_steps,
        batch_size=16,
        learning_rate=1e-3,
        warmup_steps=max_steps // 10,
        gradient_clip=0.1,
        seed=0,
        feature_cache=str(folder / "features"),
    )
    clips, watched = ClipDataset(videos, 1), evaluation_clips(videos, 1, 16)
    pretrain(encoder, clips, watched, settings, folder, scores=SegmentationScores(), callbacks=[])
    return encoder.eval()


def row(photograph: Image, columns: Mapping[str, Encoder]) -> list[Image]:
    """Return the middle of a photograph, and what each encoder makes of it, with titles."""
    square = np.asarray(ImageOps.fit(PillowImage.fromarray(photograph), (SIDE, SIDE)))
    pictures = {"photograph": square}
    for name, encoder in columns.items():
        slots = segment_image(encoder, square)
        pictures[name] = draw_slots(square[None], slots[None])[0]
    return [with_title(picture[None], name)[0] for name, picture in pictures.items()]


def main(source: Path, picture: Path, num_crops: int = 4000, max_steps: int = 2000) -> None:
    """Learn, and draw."""
    photographs = [read_image(path) for path in find_images(source)]
    with TemporaryDirectory() as folder:
        encoder = learn(crops(photographs, num_crops), max_steps, Path(folder))
    features = BackboneFeatures(encoder.backbone)
    columns = {
        "k-means: colour and place": KMeans(NUM_SLOTS, ColourPosition(), image_size=IMAGE_SIZE),
        "k-means: features": KMeans(NUM_SLOTS, features, image_size=IMAGE_SIZE),
        "slots": encoder,
    }
    save_image(picture, image_grid([row(photograph, columns) for photograph in photographs]))
    print(f"picture: {picture}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
