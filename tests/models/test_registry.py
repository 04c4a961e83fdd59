import numpy as np
import pytest

from taowa import models, nn
from taowa.core.tensor import from_array
from taowa.inspect import rehearsal
from taowa.models.registry import BUILDERS

SMALL_MODELS = ("lenet5", "mlp", "resnet18")


@pytest.fixture
def table():
    """The table of networks, put back afterwards."""
    before = dict(BUILDERS)
    yield BUILDERS
    BUILDERS.clear()
    BUILDERS.update(before)


@pytest.mark.parametrize("name", SMALL_MODELS)
@pytest.mark.parametrize("image_size", [8, 28])
def test_every_model_takes_images_of_any_kind(name, image_size):
    net = models.get_model(name, num_classes=7, in_channels=2, image_size=image_size)
    images = from_array(np.zeros((3, 2, image_size, image_size), np.float32))
    with rehearsal(net):
        assert net(images).shape == (3, 7)


def test_every_builder_has_a_line_for_the_list():
    for name in models.list_models():
        doc = models.get_model_builder(name).__doc__
        assert doc.startswith("Build "), name


def test_names_are_registered_with_and_without_parentheses(table):
    @models.register_model
    def plain():
        return nn.Identity()

    @models.register_model()
    def called():
        return nn.Identity()

    @models.register_model("other")
    def named():
        return nn.Flatten()

    assert {"plain", "called", "other"} <= set(models.list_models())
    assert "named" not in models.list_models()
    assert isinstance(models.get_model("OTHER"), nn.Flatten)


def test_a_name_is_registered_once(table):
    with pytest.raises(ValueError, match="already registered under the name 'mlp'"):
        models.register_model("mlp")(nn.Identity)


def test_list_models_filters():
    assert models.list_models("wide*") == ["wide_resnet101_2", "wide_resnet50_2"]
    assert models.list_models(["mlp", "le*"], exclude=["l*"]) == ["mlp"]
    assert models.list_models() == sorted(BUILDERS)


def test_unknown_model_suggests_a_near_one():
    with pytest.raises(ValueError, match="Unknown model resnt18; did you mean resnet18"):
        models.get_model("resnt18")
    with pytest.raises(ValueError, match="Unknown model q; known: \\['lenet5'"):
        models.get_model_builder("q")
