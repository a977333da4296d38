"""Slot Attention's tokens: how fine they are."""

import torch

import ocrl


def test_strides_say_how_many_pixels_a_token_stands_for():
    video = torch.zeros(1, 1, 32, 32, 3, dtype=torch.uint8)
    for strides, cells in (((2, 2, 1, 1), 8), ((2, 1), 16), ((1, 1, 1), 32)):
        encoder = ocrl.create_encoder(
            "slot_attention",
            image_size=(32, 32),
            cnn_dim=8,
            cnn_strides=strides,
            decoder_dims=(8,),
            decoder_strides=(2,),
        )
        assert encoder.encode_video(video).masks.shape == (1, 1, 7, cells, cells)
