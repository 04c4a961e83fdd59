import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from taowa.errors import DataError
from taowa.utils.data import DataLoader
from taowa.vision import Digits


def test_parts_are_every_fifth_image_of_each_digit_and_the_others():
    all_images, labels = load_digits(return_X_y=True)
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1433, 364)
    for digit in range(10):
        images = all_images[labels == digit].reshape(-1, 1, 8, 8) / 16
        np.testing.assert_array_equal(test.images[test.labels == digit], images[::5])
        others = np.delete(images, np.s_[::5], axis=0)
        np.testing.assert_array_equal(train.images[train.labels == digit], others)


def test_batches_are_images_from_0_to_1_and_int64_labels():
    images, labels = next(iter(DataLoader(Digits(train=False), 52)))
    assert (images.shape, str(images.dtype)) == ((52, 1, 8, 8), "torch.float32")
    assert str(labels.dtype) == "torch.int64"
    assert (images.numpy().min(), images.numpy().max()) == (0, 1)


def test_transform_sees_each_image():
    plain, doubled = Digits(), Digits(transform=lambda image: image + image)
    np.testing.assert_array_equal(doubled[7][0].numpy(), 2 * plain[7][0].numpy())


def test_index_beyond_the_end_is_an_error():
    with pytest.raises(IndexError):
        Digits(train=False)[364]


def test_missing_scikit_learn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match="pip install scikit-learn"):
        Digits()


def test_importing_the_dataset_does_not_import_scikit_learn():
    code = "import sys, taowa.vision; sys.exit('sklearn' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
