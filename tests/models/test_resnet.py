import functools

import numpy as np
import pytest
import torch

import taowa
from taowa import models
from taowa.core.tensor import from_array
from tests.models import torch_resnet

# From torchvision's documentation of each network's weights.
NUM_PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "resnext50_32x4d": 25_028_904,
    "resnext101_32x8d": 88_791_336,
    "resnext101_64x4d": 83_455_272,
    "wide_resnet50_2": 68_883_240,
    "wide_resnet101_2": 126_886_696,
}
QUICK = ("resnet18", "resnet50", "resnext50_32x4d")
SMALL = {"layers": [1, 1, 1, 1], "num_classes": 5, "in_channels": 2}


def both(block, seed=0, reference_options=None, **options):
    """The same network of both libraries, from the same seed."""
    torch.manual_seed(seed)
    theirs = torch_resnet.ResNet(
        getattr(torch_resnet, block),
        **(options if reference_options is None else reference_options),
    )
    taowa.manual_seed(seed)
    return theirs, models.ResNet(getattr(models, block), **options)


def shapes(model):
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def num_parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in NUM_PARAMETERS]
)
def test_parameter_counts_are_torchvisions(name):
    assert num_parameters(models.get_model(name)) == NUM_PARAMETERS[name]


@pytest.mark.parametrize(
    ("name", "block", "layers"),
    [("resnet18", "BasicBlock", [2, 2, 2, 2]), ("resnet50", "Bottleneck", [3, 4, 6, 3])],
)
@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
def test_tree_and_state_dict_are_torchvisions(name, block, layers, stem):
    theirs = torch_resnet.ResNet(getattr(torch_resnet, block), layers, 10, stem=stem)
    ours = models.get_model(name, num_classes=10, stem=stem)
    assert repr(ours) == repr(theirs)
    assert list(shapes(ours).items()) == list(shapes(theirs).items())


def test_grouped_and_wide_bottlenecks_have_torchvisions_shapes():
    for groups, width in ((32, 4), (1, 128)):
        theirs, ours = both(
            "Bottleneck",
            reference_options={**SMALL, "groups": groups, "width": width},
            **SMALL, groups=groups, width_per_group=width,
        )  # fmt: skip
        assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_same_seed_gives_the_same_initial_weights(block):
    theirs, ours = both(block, seed=3, **SMALL)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(
            ours.state_dict()[name].numpy(), value.numpy(), atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_training_step_is_pytorchs(block):
    theirs, ours = both(block, stem="cifar", **SMALL)
    ours.load_state_dict({k: from_array(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    images = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    cotangent = torch.randn(4, 5, generator=torch.Generator().manual_seed(2))
    expected, scores = theirs(images), ours(from_array(images.numpy().copy()))
    expected.backward(cotangent)
    scores.backward(from_array(cotangent.numpy().copy()))
    np.testing.assert_allclose(
        scores.detach().numpy(), expected.detach().numpy(), rtol=1e-3, atol=1e-3
    )
    gradients = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        scale = float(parameter.grad.abs().max())
        np.testing.assert_allclose(
            gradients[name].grad.numpy(), parameter.grad.numpy(), atol=2e-3 * scale, err_msg=name
        )
    for name, value in theirs.named_buffers():
        got = dict(ours.named_buffers())[name].numpy()
        np.testing.assert_allclose(got, value.numpy(), rtol=1e-3, atol=1e-4, err_msg=name)


def test_stem_of_large_images_and_dilation_are_pytorchs():
    dilates = (False, True, True)
    theirs, ours = both(
        "Bottleneck",
        reference_options={**SMALL, "dilates": dilates},
        **SMALL, replace_stride_with_dilation=dilates,
    )  # fmt: skip
    ours.load_state_dict({k: from_array(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    assert repr(ours) == repr(theirs)
    images = torch.randn(1, 2, 48, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), taowa.no_grad():
        expected = theirs.eval()(images)
        scores = ours.eval()(from_array(images.numpy().copy()))
    np.testing.assert_allclose(scores.numpy(), expected.numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("block", ["BasicBlock", "Bottleneck"])
def test_zero_init_residual_starts_blocks_as_the_identity(block):
    _, ours = both(block, reference_options=SMALL, **SMALL, zero_init_residual=True)
    last = "bn2" if block == "BasicBlock" else "bn3"
    state = ours.state_dict()
    assert not state[f"layer1.0.{last}.weight"].numpy().any()
    assert state["layer1.0.bn1.weight"].numpy().all()


def test_norm_layer_is_used_everywhere():
    norm = functools.partial(taowa.nn.BatchNorm2d, momentum=0.5)
    net = models.ResNet(models.BasicBlock, **SMALL, norm_layer=norm)
    found = [m.momentum for m in net.modules() if isinstance(m, taowa.nn.BatchNorm2d)]
    assert found == [0.5] * 12


@pytest.mark.parametrize(("image_size", "pools"), [(63, False), (64, True)])
def test_small_images_get_the_cifar_form(image_size, pools):
    net = models.resnet18(num_classes=2, image_size=image_size)
    assert isinstance(net.maxpool, taowa.nn.MaxPool2d) == pools


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="stem is 'mnist'"):
        models.ResNet(models.BasicBlock, [1, 1, 1, 1], stem="mnist")
    with pytest.raises(ValueError, match="3-element tuple, got \\[True\\]"):
        models.ResNet(models.BasicBlock, [1, 1, 1, 1], replace_stride_with_dilation=[True])
    with pytest.raises(ValueError, match="groups=1"):
        models.BasicBlock(4, 4, groups=2)
    with pytest.raises(NotImplementedError, match="Dilation > 1"):
        models.BasicBlock(4, 4, dilation=2)
    with pytest.raises(NotImplementedError, match="load_state_dict"):
        models.resnet18(weights="IMAGENET1K_V1")
