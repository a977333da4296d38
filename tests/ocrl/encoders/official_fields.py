"""What the official configurations say, field by field.

The recordings of the official code hold the configuration that they were made with: the published
one, with small sizes. Those sizes are given here as published.
"""

from __future__ import annotations

from typing import Any

import goldens
import yaml

# name, recording, and what of it is other than published
RECORDED = {
    "slotcontrast_movi_c": ("slotcontrast_mini", (11, 64, 384, 576)),
    "videosaur_movi_c": ("videosaur_mini_movi", (11, 128, 768, 784)),
    "videosaur_ytvis": ("videosaur_mini_ytvis", (7, 64, 768, 196)),
}
# Whose configurations were recorded as published.
AS_PUBLISHED = {
    f"{system}_{data}": f"{system}_mini"
    for system in ("slotcurri", "ssync")
    for data in ("movi_c", "movi_e", "ytvis")
}


def flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix.removesuffix("."): node}
    return {k: v for key, value in node.items() for k, v in flat(value, f"{prefix}{key}.").items()}


def published_sizes(name: str, sizes: tuple[int, int, int, int]) -> dict[str, Any]:
    """Return the fields that the recordings have small, as published."""
    slots, dim, features, patches = sizes
    values: dict[str, Any] = {
        "model.initializer.n_slots": slots,
        "model.encoder.backbone.pretrained": True,
        "model.encoder.output_transform.inp_dim": features,
        "model.encoder.output_transform.hidden_dim": 2 * features,
        "model.decoder.n_patches": patches,
    }
    dims = ("initializer.dim", "encoder.output_transform.outp_dim", "grouper.inp_dim")
    for key in (*dims, "grouper.slot_dim", "predictor.dim", "decoder.inp_dim"):
        values[f"model.{key}"] = dim
    if name.startswith("slotcontrast"):
        values |= {
            "model.decoder.outp_dim": features,
            "model.decoder.hidden_dims": [1024, 1024, 1024],
            "model.losses.loss_featrec.pred_dims": [0, features],
            "dataset.train_pipeline.transforms.input_size": 336,
            "dataset.val_pipeline.transforms.input_size": 336,
        }
        return values
    both = name.endswith("ytvis")
    patch = 16 if both else 8
    values["model.encoder.backbone.model"] = f"vit_base_patch{patch}_224_dino"
    start = features if both else 0
    for key in ("embed_dim", "allocator.dim", "allocator.memory_dim", "renderer.inp_dim"):
        values[f"model.decoder.{key}"] = dim
    values |= {
        "model.decoder.outp_dim": start + patches,
        "model.decoder.renderer.outp_dim": 1024,
        "model.decoder.renderer.hidden_dims": [1024] * (2 if both else 3),
        "model.decoder.renderer_dim": 1024,
        "model.losses.loss_timesim.pred_dims": [start, start + patches],
        "dataset.train_pipeline.transforms.input_size": 224,
        "dataset.val_pipeline.transforms.input_size": 224,
    }
    if both:
        values["model.losses.loss_featrec.pred_dims"] = [0, features]
    return values


def published(name: str) -> dict[str, Any]:
    """Return the fields of the official configuration of an experiment."""
    if name in AS_PUBLISHED:
        # fields that are left out have these values
        unsaid: dict[str, Any] = {
            "model.target_type": "features",
            "dataset.train_pipeline.transforms.h_flip_prob": 0.0,
        }
        if name.startswith("ssync"):
            unsaid |= {"model.synergistic_warmup_ratio": 0.3, "model.max_steps": 100_000}
        configurations = goldens.load(AS_PUBLISHED[name])["published_configs_yaml"]
        official = unsaid | flat(yaml.safe_load(configurations[name]))
        if name.endswith("ytvis"):
            assert official["dataset.val_size"] == 200
            official["dataset.val_size"] = 300  # all of them, as the page says
        return official
    recording, sizes = RECORDED[name]
    official = flat(yaml.safe_load(goldens.load(recording)["resolved_config_yaml"]))
    return official | published_sizes(name, sizes)
