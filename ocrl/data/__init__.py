"""Videos for pretraining and evaluation: collected, recorded, generated or published."""
