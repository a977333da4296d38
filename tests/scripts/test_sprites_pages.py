"""The pages of systems that find sprites, in two steps each: trained, scored and drawn."""

import pytest

PAGES = ["monet_sprites", "scalor_sprites", "slot_attention_sprites", "space_sprites"]
WITHOUT_SEGMENTS = ["mae_sprites"]
TINY = [
    "data.num_videos.train=4",
    "data.num_videos.validation=2",
    "scoring.num_clips=2",
    "scoring.num_pictures=1",
    "pretraining.max_steps=2",
    "pretraining.steps_per_epoch=1",
    "pretraining.batch_size=2",
]


@pytest.mark.parametrize("page", PAGES + WITHOUT_SEGMENTS)
def test_a_page_says_all_it_takes(page, run, home):
    code, out, err = run("pretrain_slots.py", f"experiment={page}", *TINY)
    assert code == 0, err
    assert ("k-means" in out) == (page in PAGES)
    assert list(home.glob(f"runs/pretrain/*/{page}/seed=0/pictures/*.png"))
