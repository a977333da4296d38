"""Every field of the official configurations has its counterpart in the published experiments."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from official_fields import AS_PUBLISHED, RECORDED, published
from omegaconf import DictConfig, OmegaConf
from torch import nn

import ocrl
from ocrl.modules.backbones import TimmBackbone
from ocrl.modules.transformer import Transformer
from ocrl.zoo import find_encoder
from ocrl_studies.composition import find_configs

# Fields that have no counterpart, and why.
NONE = {
    "experiment_name": "names of the run",
    "experiment_group": "names of the run",
    "model.experiment": "names of the run",
    "globals": "repeated in the fields that use them",
    "seed": "seed=",
    "checkpoint_every_n_steps": "a checkpoint after each validation",
    "trainer.log_every_n_steps": "every 20 steps",
    "model.visualize": "pictures after each validation",
    "model.masks_to_visualize": "pictures after each validation",
    "model.load_weights": "resume=true",
    "model.modules_to_load": "resume=true",
    "model.eval_mode_config": "not used",
    "model.mask_resizers": "not used",
    "model.target_encoder": "not used",
    "model.encoder.backbone.features": "the last block, held by the parity of features and keys",
    "model.encoder.backbone.model_kwargs": "sizes of the recording",
    "model.losses.loss_timesim.target_key": "held by the parity of losses",
    "model.losses.loss_timesim.target_transform.name": "held by the parity of losses",
    "model.losses.loss_ssim.pred_key": "held by the parity of losses",
    "model.losses.loss_ssim.target_key": "held by the parity of losses",
    "model.losses.loss_grp2deccls": "held by the parity of losses",
    "model.losses.loss_dec2grpcls": "held by the parity of losses",
    "model.dif_n": "held by the parity of labels",
    "model.losses.loss_ss.pred_key": "held by the parity of losses",
    "model.losses.loss_ss.patch_inputs": "held by the parity of losses",
    "model.losses.loss_ss.keep_input_dim": "held by the parity of losses",
    "dataset.val_batch_size": "one whole video at a time",
    "dataset.num_val_workers": "validation clips are read by the training process",
    "dataset.train_shards": "data.path",
    "dataset.val_shards": "data.path",
    "dataset.train_pipeline.shuffle_size": "clips are drawn from all of the data",
    "dataset.train_pipeline.video_size": "whatever a video has",
    "dataset.train_pipeline.transforms.name": "data.crop",
    "dataset.val_pipeline.transforms.name": "data.scoring_crop",
    "dataset.train_pipeline.transforms.num_classes": "not used",
    "dataset.val_pipeline.transforms.num_classes": "whatever a video has",
    "dataset.val_pipeline.keys": "segments where there are any",
    "train_metrics": "none",
    "val_metrics": "all of them are scored, and ARI of everything",
}


def compose_experiment(name: str) -> DictConfig:
    with initialize_config_dir(str(find_configs()), version_base="1.3"):
        return compose("pretrain_slots", overrides=[f"experiment={name}"])


def build(config: DictConfig) -> Any:
    arguments = OmegaConf.to_container(config.encoder.model, resolve=True)
    arguments.pop("_target_")
    if "pretrained" in inspect.signature(find_encoder(arguments["name"])).parameters:
        arguments["pretrained"] = False
    with torch.device("meta"):
        return ocrl.create_encoder(**arguments)


def widths(layers: nn.Module) -> list[int]:
    return [layer.out_features for layer in layers.modules() if isinstance(layer, nn.Linear)]


def counterparts(config: DictConfig, encoder: Any) -> dict[str, Any]:
    """Return what an experiment has for each field of the official configuration."""
    training, corrector = config.pretraining, encoder.recurrence.corrector
    predictor, decoder = encoder.recurrence.predictor, encoder.decoder
    assert isinstance(encoder.backbone, TimmBackbone)
    assert isinstance(predictor, Transformer)
    slots, dim = encoder.num_tokens, encoder.token_dim
    features = encoder.backbone.feature_dim
    patches = encoder.backbone.grid_size[0] * encoder.backbone.grid_size[1]
    side = config.encoder.image_size[0]
    movi = config.data.name.startswith("movi")
    reconstructs = "reconstruction" in encoder.loss_weights
    found = {
        "optimizer.name": "Adam",
        "optimizer.lr": training.learning_rate,
        "optimizer.lr_scheduler.name": "exp_decay_with_warmup"
        if training.decay_steps
        else "cosine",
        "optimizer.lr_scheduler.warmup_steps": training.warmup_steps,
        "optimizer.lr_scheduler.decay_steps": training.decay_steps,
        "trainer.max_steps": training.max_steps,
        "trainer.val_check_interval": training.steps_per_epoch,
        "trainer.gradient_clip_val": training.gradient_clip,
        "model.input_type": "video" if config.clip_length > 1 else "image",
        "model.target_type": "features",
        "model.initializer.name": {
            "LearnedInitializer": "FixedLearnedInit",
            "GrowingInitializer": "FixedLearnedInit",
            "RandomInitializer": "RandomInit",
        }[type(encoder.recurrence.initializer).__name__],
        "model.initializer.n_slots": slots,
        "model.initializer.dim": dim,
        "model.encoder.backbone.name": "TimmExtractor",
        "model.encoder.backbone.model": config.encoder.backbone.replace(".", "_").replace(
            "_lvd142m", ""
        ),
        "model.encoder.backbone.frozen": encoder.backbone.frozen,
        "model.encoder.backbone.pretrained": config.encoder.pretrained,
        "model.encoder.output_transform.name": "networks.two_layer_mlp",
        "model.encoder.output_transform.inp_dim": features,
        "model.encoder.output_transform.outp_dim": widths(encoder.projection)[-1],
        "model.encoder.output_transform.hidden_dim": widths(encoder.projection)[0],
        "model.encoder.output_transform.layer_norm": isinstance(
            encoder.projection.layers[0], nn.LayerNorm
        ),
        "model.grouper.name": type(corrector).__name__,
        "model.grouper.inp_dim": corrector.to_k.in_features,
        "model.grouper.slot_dim": corrector.slot_dim,
        "model.grouper.n_iters": encoder.recurrence.iterations,
        "model.grouper.use_mlp": not isinstance(corrector.mlp, nn.Identity),
        "model.latent_processor.first_step_corrector_args.n_iters": (
            encoder.recurrence.first_iterations
        ),
        "model.predictor.name": "networks.TransformerEncoder",
        "model.predictor.dim": predictor.blocks[0].linear1.in_features,
        "model.predictor.n_blocks": len(predictor.blocks),
        "model.predictor.n_heads": predictor.blocks[0].self_attn.num_heads,
        "model.decoder.name": type(decoder).__name__,
        "model.decoder.inp_dim": dim,
        "model.decoder.n_patches": decoder.grid_size[0] * decoder.grid_size[1],
        "dataset.batch_size": training.batch_size,
        "dataset.num_workers": training.num_workers,
        "dataset.train_pipeline.chunk_size": config.clip_length,
        "dataset.train_pipeline.keys": ["video"],
        # one clip is drawn of a video, never a whole video's clips one after the other
        "dataset.train_pipeline.sample_one_chunk_per_video": True,
        "dataset.train_pipeline.transforms.type": "video",
        "dataset.train_pipeline.transforms.input_size": side,
        "dataset.train_pipeline.transforms.h_flip_prob": 0.5 if config.data.flip else 0.0,
        "dataset.val_pipeline.use_chunks": config.scoring.clip_length is not None,
        "dataset.val_pipeline.chunk_size": config.scoring.clip_length,
        "dataset.val_pipeline.transforms.type": "video",
        "dataset.val_pipeline.transforms.input_size": side,
        # the official 224 chunks come of a limit of 200 that batches exceed
        "dataset.val_size": {None: 250 if movi else 300, 224: 200}[config.scoring.num_clips],
    }
    if not movi:
        found |= {
            "dataset.train_pipeline.transforms.crop_type": f"short_side_resize_{config.data.crop}",
            "dataset.val_pipeline.transforms.crop_type": config.data.scoring_crop,
        }
    weights, named = encoder.loss_weights, "model.loss_weights."
    if reconstructs:
        found |= {
            "model.losses.loss_featrec.name": "MSELoss",
            "model.losses.loss_featrec.pred_dims": [0, features],
            f"{named}loss_featrec": weights["reconstruction"],
        }
    if "structure" in weights:
        found |= {
            "model.losses.loss_ssim.name": "SSIMLoss",
            "model.losses.loss_ssim.pred_dims": [0, features],
            f"{named}loss_ssim": weights["structure"],
        }
    if "boundary" in weights:
        found |= {
            "model.merge_iou_threshold": encoder.merge_threshold,
            "model.synergistic_warmup_ratio": encoder.label_free_steps / training.max_steps,
            f"{named}loss_grp2deccls": weights["boundary"],
            f"{named}loss_dec2grpcls": weights["interior"],
        }
    if "training_steps" in config.encoder.model:
        found |= {
            "model.max_steps": config.encoder.model.training_steps,
            "globals.NUM_GPUS": training.devices,
        }
    if "slot_contrast" in weights:
        hidden = widths(decoder.mlp)
        found |= {
            "model.losses.loss_ss.name": "Slot_Slot_Contrastive_Loss",
            "model.losses.loss_ss.temperature": encoder.temperature,
            "model.losses.loss_ss.batch_contrast": True,
            f"{named}loss_ss": weights["slot_contrast"],
            "model.decoder.hidden_dims": hidden[:-1],
            "model.decoder.outp_dim": hidden[-1] - 1,  # without the mask's logit
        }
    else:
        start = features if reconstructs else 0
        block, renderer = decoder.allocator.blocks[0], widths(decoder.renderer)
        found |= {
            "model.losses.loss_timesim.name": "CrossEntropyLoss",
            "model.losses.loss_timesim.remove_last_n_frames": 1,
            "model.losses.loss_timesim.pred_dims": [start, start + patches],
            "model.losses.loss_timesim.target_transform.softmax": True,
            "model.losses.loss_timesim.target_transform.temperature": encoder.temperature,
            "model.losses.loss_timesim.target_transform.threshold": 0.0,
            f"{named}loss_timesim": weights["temporal_similarity"],
            "model.decoder.embed_dim": decoder.to_q.out_features,
            "model.decoder.outp_dim": decoder.output_transform.out_features,
            "model.decoder.allocator.name": "TransformerEncoder",
            "model.decoder.allocator.dim": block.linear1.in_features,
            "model.decoder.allocator.memory_dim": dim,
            "model.decoder.allocator.n_blocks": len(decoder.allocator.blocks),
            "model.decoder.allocator.n_heads": block.self_attn.num_heads,
            "model.decoder.renderer.name": type(decoder.renderer).__name__,
            "model.decoder.renderer.inp_dim": dim,
            "model.decoder.renderer.outp_dim": renderer[-1],
            "model.decoder.renderer.hidden_dims": renderer[:-1],
            "model.decoder.renderer.final_activation": isinstance(
                decoder.renderer.layers[-1], nn.ReLU
            ),
            "model.decoder.renderer_dim": decoder.output_transform.in_features,
            "model.decoder.use_layer_norms": isinstance(decoder.norm_q, nn.LayerNorm),
            "model.decoder.pos_embed_mode": "add",
        }
    return found


@pytest.mark.parametrize("name", [*RECORDED, *AS_PUBLISHED])
def test_every_field_has_its_counterpart(name: str) -> None:
    official = published(name)
    config = compose_experiment(name)
    ours = counterparts(config, build(config))
    for key, value in official.items():
        if key in ours:
            assert (
                ours[key] == pytest.approx(value)
                if isinstance(value, float)
                else (ours[key] == value)
            ), key
        else:
            assert any(key == prefix or key.startswith(prefix) for prefix in NONE), key
    assert set(ours) - set(official) <= {"dataset.val_pipeline.chunk_size"}
