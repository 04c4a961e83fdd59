import io
import sys

import numpy as np
import pytest
from PIL import Image

from taowa.train import EpochRecord
from taowa.train.curves import CURVES, curves_png


def history(num_epochs, fall=0.5):
    return [
        EpochRecord(
            epoch=n, train_loss=fall**n, train_accuracy=1 - 0.5**n, test_loss=2 * fall**n,
            test_accuracy=1 - 0.6**n, lr=0.1, images_per_second=1.0, seconds=1.0,
            compile_seconds=0.0,
        )
        for n in range(1, num_epochs + 1)
    ]  # fmt: skip


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("num_epochs", [1, 2, 50])
def test_both_curves_are_drawn_in_both_panels(num_epochs):
    picture = pixels(curves_png(history(num_epochs), "a run"))
    half = picture.shape[1] // 2
    for _, colour in CURVES:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        for panel in (picture[:, :half], picture[:, half:]):
            assert (panel == wanted).all(-1).sum() > 30, colour


def test_background_is_white():
    picture = pixels(curves_png(history(3), "a run"))
    assert (picture == 255).all(-1).mean() > 0.8


@pytest.mark.parametrize("loss", [0.0, float("nan")])
def test_losses_without_a_logarithm_are_drawn(loss):
    first, last = history(2)
    odd = EpochRecord(**{**last.__dict__, "train_loss": loss, "test_loss": loss})
    assert curves_png([first, odd], "a run").startswith(b"\x89PNG")


def test_without_matplotlib_there_is_no_picture(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert curves_png(history(1), "a run") is None
