from dataclasses import replace

import numpy as np
import pytest
import torch

import taowa
from taowa.core import device as devices
from taowa.core.tensor import from_array
from taowa.io import tensors
from taowa.io.tensors import StoragePlace, describe_tensor, find_device
from taowa.nn.parameter import Parameter
from tests.io.crafting import load_bytes, saved_by_torch

CPU = taowa.device("cpu")


def test_tensor_is_described_without_its_values_being_asked_for():
    item = describe_tensor(from_array(np.zeros((2, 3), np.int8)))
    assert (item.dtype, item.size, item.location) == (taowa.int8, (2, 3), "cpu")
    assert not item.requires_grad and not item.is_parameter
    assert item.values().shape == (2, 3)


def test_other_objects_are_not_tensors():
    class Mine(taowa.Tensor):
        pass

    for value in (
        1,
        "a",
        np.ones(2),
        torch.ones(2),
        Mine._from_node(from_array(np.ones(1))._node()),
    ):
        assert describe_tensor(value) is None


def test_memory_is_equal_for_aliases_only():
    tensor = from_array(np.zeros(4, np.float32))
    other = from_array(np.zeros(4, np.float32))
    memory = describe_tensor(tensor).memory
    assert describe_tensor(tensor.detach()).memory == memory
    assert describe_tensor(Parameter(tensor)).memory == memory
    assert describe_tensor(other).memory != memory


@pytest.mark.parametrize(
    "location",
    ["cpu", "cuda:0", "mps", "xla:0", "meta", "", "cuda:x", "cuda:²", "cuda:" + "9" * 5000],
)
def test_location_that_is_missing_here_becomes_the_cpu(location):
    assert find_device(location, None) == CPU


@pytest.mark.parametrize(
    "place",
    ["cpu", CPU, {"cuda:0": "cpu"}, {"cuda:0": CPU}, {}, lambda s, _: s, lambda s, _: s.cpu(),
     lambda _s, _l: None, lambda _s, _l: "cpu", lambda s, _: s.device],
    ids=range(10),
)  # fmt: skip
def test_map_location_in_all_its_forms(place):
    assert find_device("cuda:0", place) == CPU


def test_function_is_given_the_saved_place():
    seen = []
    data = saved_by_torch([torch.ones(1), torch.ones(2)])
    load_bytes(data, map_location=lambda storage, place: seen.append((storage.device, place)))
    assert seen == [(CPU, "cpu")]


@pytest.mark.parametrize(
    "place", ["cuda:0", {"cpu": "cuda:1"}, lambda s, _: s.cuda(1)], ids=range(3)
)
def test_missing_device_that_was_asked_for_is_an_error(place, monkeypatch):
    def missing(place):
        raise RuntimeError(f"{place}: this machine has no such device")

    monkeypatch.setattr(tensors, "jax_device", missing)
    with pytest.raises(RuntimeError, match="no such device"):
        load_bytes(saved_by_torch(torch.ones(1)), map_location=place)


def test_place_with_its_device_present(monkeypatch):
    monkeypatch.setattr(tensors, "count", lambda kind: 2 if kind == "cuda" else 0)
    assert find_device("cuda:1", None) == taowa.device("cuda", 1)
    assert find_device("cuda", None) == taowa.device("cuda", 0)
    assert find_device("cuda:2", None) == CPU
    assert find_device("tpu:0", None) == CPU


def test_place_is_kept_for_pytorch():
    item = describe_tensor(from_array(np.zeros(1, np.float32)))
    assert item.location == "cpu"
    assert replace(item, location="cuda:0").location == "cuda:0"
    assert StoragePlace(devices.CPU).cuda(3).device == taowa.device("cuda", 3)
