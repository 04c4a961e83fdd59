"""Views alias their base as PyTorch's do: values, strides, writes, gradients, refusals."""

import warnings

import numpy as np
import pytest
import torch

import taowa
from taowa.core.tensor import from_array
from tests.ops.twins import assert_same, caught, made, twins, values

# Expressions of a tensor x of shape (2, 3, 4) that PyTorch returns as views.
VIEWS = """
x.view(4, 6)
x.view((-1, 2))
x.view(size=(24,))
x.view_as(x.view(6, 4))
x.reshape(3, -1)
x.flatten(1)
x.flatten(0, 1)
x.unflatten(2, (2, -1))
x.ravel()
x[:, :1].squeeze(1)
x[:1, :1].squeeze()
x[:1, :, :1].squeeze((0, 2))
x.unsqueeze(-2)
x.transpose(0, 2)
x.swapaxes(-1, 0)
x[1].t()
x[0].T
x.mT
x[0].H
x.mH
x.adjoint()
x.permute(2, 0, 1)
x.movedim((0, 1), (2, 0))
x.moveaxis(0, -1)
x.expand(1, 2, 3, 4)
x.broadcast_to((2, 3, 4))
x.narrow(2, 1, 2)
x.narrow(1, -2, 2)
x.select(1, 2)
x.select(-1, -1)
x.diagonal()
x.diagonal(1, 1, 2)
x.diagonal(-1, 2, 0)
x.diagonal(7)
x.unfold(2, 2, 2)
x.unfold(1, 3, 1)
x.as_strided((2, 3), (12, 2), 1)
x[1].as_strided((3,), (5,))
x.split(2, 1)[1]
x.split([1, 3], 2)[1]
x.chunk(3, 2)[1]
x.tensor_split(3, 2)[2]
x.tensor_split((1, 2), 1)[1]
x.unbind(1)[2]
x.hsplit(3)[1]
x.vsplit(2)[0]
x.dsplit([1])[1]
x[1]
x[-1, 1]
x[:, 1:, ::3]
x[..., 1]
x[1:, None, :, -1]
x[0:0]
x[:, ::2][:, 1].view(2, 2, 2).permute(1, 2, 0)
x.permute(1, 2, 0).view(3, 2, 2, 2)
x.transpose(0, 1)[1:].reshape(2, 2, 4)[..., 1:3].diagonal(0, 1, 2)
x.unfold(2, 2, 2).select(1, 1).unsqueeze(0).expand(1, 2, 2, 2)
x.permute(2, 0, 1).diagonal().as_strided((2, 2), (3, 1))
""".strip().splitlines()
MULTI_OUTPUT = ("split", "tensor_split", "chunk", "unbind", "hsplit", "vsplit", "dsplit")


def view(expression, x):
    return eval(expression, {"x": x})


@pytest.mark.parametrize("expression", VIEWS)
def test_strides_and_memory(expression):
    theirs, ours = (view(expression, x) for x in twins(values(2, 3, 4)))
    assert_same(ours, theirs)
    assert theirs._is_view() and ours._is_view()
    if theirs.numel():
        assert ours.stride() == theirs.stride()
        assert ours.storage_offset() == theirs.storage_offset()
    assert ours.is_contiguous() == theirs.is_contiguous()


def run_and_write(library, array, weights, expression, kind):
    """Write through a view and to its base; return what may be compared."""
    x = library.tensor(array)
    if kind == "tracked":
        x.requires_grad_()
    base = x if kind == "host" else x * 1
    part = view(expression, base)
    factor = library.tensor(weights).reshape(-1)[: part.numel()].reshape(part.shape)
    part.mul_(factor)
    base.add_(library.tensor(weights) * 2)
    part.add_(1)
    found = [base, part]
    if kind == "tracked":
        ((base * library.tensor(weights)).sum() + (part * factor).sum()).backward()
        found.append(x.grad)
    return found


@pytest.mark.parametrize("kind", ["host", "computed", "tracked"])
def test_writes_and_gradients(kind):
    """All expressions are recorded before the first is read: one program, not sixty."""
    array, weights = values(2, 3, 4), values(2, 3, 4, seed=1)
    # PyTorch refuses writes to tracked views of which one call makes several.
    refused = MULTI_OUTPUT if kind == "tracked" else ()
    kept = [e for e in VIEWS if not any(f".{name}(" in e for name in refused)]
    ours = [run_and_write(taowa, array, weights, e, kind) for e in kept]
    for expression, found in zip(kept, ours, strict=True):
        for a, b in zip(found, run_and_write(torch, array, weights, expression, kind), strict=True):
            assert_same(a, b, expression)


@pytest.mark.parametrize("expression", [e for e in VIEWS if "as_strided" not in e])
def test_reading_and_writing_host_values_compiles_nothing(expression):
    before = made()
    theirs, ours = twins(values(2, 3, 4))
    for x in (theirs, ours):
        part = view(expression, x)
        part.fill_(7)
        x[0, 0] = 3
        view(expression, x).copy_(part + 0 if x is theirs else part.clone())
    assert_same(ours, theirs)
    assert made() == before


@pytest.mark.parametrize(
    "expression",
    [
        "x.transpose(0, 1).reshape(-1)",
        "x.permute(2, 0, 1).reshape(8, 3)",
        "x.mT.flatten()",
        "x[:, :2].reshape(-1)",
        "x.mT.contiguous()",
        "x[..., 0].ravel()",
    ],
)
def test_reshape_copies_where_strides_forbid_a_view(expression):
    theirs, ours = twins(values(2, 3, 4))
    for x in (theirs, ours):
        copy = view(expression, x)
        copy.zero_()
    assert_same(ours, theirs)


def test_strides_forbid_a_view():
    for x in twins(values(2, 3, 4)):
        with pytest.raises(RuntimeError, match="view size is not compatible"):
            x.transpose(0, 1).view(-1)
        with pytest.raises(RuntimeError, match="view size is not compatible"):
            x.expand(2, 2, 3, 4).view(-1)


def test_the_tensor_itself_where_nothing_changes():
    x = taowa.ones(3)
    assert x.contiguous() is x
    assert x.flatten() is x
    assert taowa.atleast_1d(x) is x


@pytest.mark.parametrize("is_host", [True, False])
def test_overlapping_views_refuse_writes(is_host):
    x = taowa.ones(4) if is_host else taowa.ones(4) * 1
    for part in (x.expand(3, 4), x.unfold(0, 2, 1), x.as_strided((3, 2), (1, 1))):
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            part.add_(1)
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            part[0] = 5
    assert x.tolist() == [1, 1, 1, 1]


def test_writing_to_leaves_that_require_grad():
    ours, theirs = (
        [
            caught(write, x)
            for write in (
                lambda x: x.add_(1),
                lambda x: x[0:2].zero_(),
                lambda x: x.__setitem__(slice(0, 2), 5),
                lambda x: x.t_(),
                lambda x: x.view(-1).mul_(2),
                lambda x: x.detach().mul_(1),
            )
        ]
        for x in reversed(twins(values(3, 3), requires_grad=True))
    )
    assert ours == theirs


def test_parameters_are_written_on_the_host_without_gradients():
    weight = taowa.ones(4, 3, requires_grad=True)
    before = made()
    with taowa.no_grad():
        weight[1].fill_(0)
        weight[2:, 1] = 7
        weight.t()[0] = 5
        weight.view(-1)[3:5].copy_(taowa.tensor([8.0, 9.0]))
    assert weight.tolist() == [[5, 1, 1], [8, 9, 0], [5, 7, 1], [5, 7, 1]]
    assert made() == before
    assert weight.requires_grad and weight.is_leaf


def test_a_view_made_without_gradients_stays_outside_the_tape():
    for library in (torch, taowa):
        x = library.ones(3, requires_grad=True) * 2
        with library.no_grad():
            part = x[:2]
            part.mul_(3)
        assert x.tolist() == [6, 6, 2]
        with pytest.raises(RuntimeError, match="A view was created in no_grad mode"):
            part.mul_(3)


def test_overwriting_a_tracked_value_keeps_it_on_the_tape():
    for overwrite in (lambda y: y.zero_(), lambda y: y.view(-1).fill_(3), lambda y: y[1].zero_()):
        grads = []
        for library in (torch, taowa):
            x = library.ones(2, 2, requires_grad=True)
            y = x * 2
            overwrite(y)
            assert y.requires_grad
            (y * y).sum().backward()
            grads.append(x.grad)
        assert_same(grads[1], grads[0])


def test_a_view_of_an_untracked_base_gets_gradients_through_the_base():
    grads = []
    for library in (torch, taowa):
        w = library.tensor([2.0, 3.0], requires_grad=True)
        base = library.zeros(3, 2)
        first, second = base[0], base[1]
        first.copy_(w * 2)
        assert base.requires_grad and second.requires_grad
        base.mul_(w)
        (first.sum() + (second * 5).sum() + (base * base).sum()).backward()
        grads.append(w.grad)
    assert_same(grads[1], grads[0])


def test_detached_views_share_memory_and_may_be_tracked_themselves():
    for library in (torch, taowa):
        w = library.tensor([2.0], requires_grad=True)
        base = library.ones(3)
        part = base[:1].detach()
        part.mul_(w)
        assert part.requires_grad
        part.sum().backward()
        assert w.grad.tolist() == [1]
        assert base.tolist() == [2, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.squeeze_(1),
        lambda x: x.squeeze_(),
        lambda x: x.unsqueeze_(0),
        lambda x: x.transpose_(0, 2),
        lambda x: x.swapaxes_(0, 1),
        lambda x: x.squeeze_(1).t_(),
    ],
)
def test_views_in_place(change):
    grads = []
    for library in (torch, taowa):
        leaf = library.tensor(values(3, 1, 4), requires_grad=True)
        x = leaf * 1
        other, alias = x[1:], x.detach()
        assert change(x) is x
        x.mul_(library.arange(1.0, x.shape[-1] + 1))
        other.mul_(2)
        weights = library.tensor(values(12, seed=3))
        (x.reshape(-1) * weights[: x.numel()]).sum().backward()
        grads.append((x, x.stride(), other, alias, leaf.grad))
    theirs, ours = grads
    assert ours[1] == theirs[1]
    for i in (0, 2, 3, 4):
        assert_same(ours[i], theirs[i])


def test_any_strides_in_place():
    for library in (torch, taowa):
        x = library.arange(6)
        assert x.as_strided_((2, 2), (1, 2), 1).tolist() == [[1, 3], [2, 4]]
        assert x.stride() == (1, 2)


def test_a_parameter_turned_in_place_stays_a_leaf():
    weight = taowa.ones(2, 3, requires_grad=True)
    with taowa.no_grad():
        weight.t_()
        weight[0] = 5
    (weight * 2).sum().backward()
    assert weight.is_leaf and weight.grad.shape == (3, 2)
    assert weight.tolist() == [[5, 5], [1, 1], [1, 1]]


@pytest.mark.parametrize(
    "dtypes",
    ["float32 int32", "float32 int16", "int16 float32", "float32 float64", "uint8 bool",
     "complex64 float32", "float32 complex64", "float64 uint8", "bfloat16 int16"],
)  # fmt: skip
@pytest.mark.parametrize("is_host", [True, False])
def test_another_element_type(dtypes, is_host):
    old, new = dtypes.split()
    results = []
    for library in (torch, taowa):
        array = values(2, 4) * 3 if new != "bool" else values(2, 4) > 0
        x = library.tensor(array).to(getattr(library, old))
        if not is_host:
            x = x * 1
        seen = x.view(getattr(library, new))
        part = seen.view(library.uint8)[1] if new != "bool" else seen[1]
        part.copy_(part.clone().flip(0))
        results.append((seen, x.view(library.uint8)))
    (theirs, their_bytes), (ours, our_bytes) = results
    assert ours.stride() == theirs.stride() and tuple(ours.shape) == tuple(theirs.shape)
    assert our_bytes.tolist() == their_bytes.tolist()


def test_another_start_compiles_nothing():
    x = taowa.arange(100.0).view(10, 10) * 1
    taowa.flush()

    def run(i):
        y = x.clone()
        y[i : i + 3, i] = y[i + 1, i : i + 3] * 2
        y.narrow(0, i, 2).add_(1)
        return (y.select(1, i) + y.roll(i, 0)[0]).sum().item()

    run(0)
    before = made()
    for i in (1, 5, 7):
        y = np.arange(100.0).reshape(10, 10)
        y[i : i + 3, i] = y[i + 1, i : i + 3] * 2
        y[i : i + 2] += 1
        assert run(i) == (y[:, i] + np.roll(y, i, 0)[0]).sum()
    assert made() == before


def test_starts_keep_their_precision_in_narrow_types():
    x = from_array((np.arange(5001) % 7).astype(np.float16)) * 1
    assert x[4099].item() == 4099 % 7
    assert x[4097:4100].tolist() == [n % 7 for n in (4097, 4098, 4099)]


def test_filling_row_by_row_takes_one_copy():
    array = np.zeros((50, 3), np.float32)
    x = from_array(array)
    x[0] = 1
    assert array.sum() == 0  # the array that was given is not written to
    memory = x._storage.node.array
    memory_id = id(memory)
    del memory
    for i in range(1, 50):
        x[i] = i
    assert id(x._storage.node.array) == memory_id
    part = x[3]
    x[3] = -1
    assert id(x._storage.node.array) != memory_id  # somebody else could still read the old value
    assert part.tolist() == [-1, -1, -1]


def test_resize():
    for library in (torch, taowa):
        x = library.arange(6.0).view(2, 3)
        assert x.t().contiguous().resize_(2, 2).tolist() == [[0, 3], [1, 4]]
        assert x.resize_(3, 1).tolist() == [[0], [1], [2]]
        assert x.resize_as_(library.zeros(2)).tolist() == [0, 1]
        with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
            library.ones(2, requires_grad=True).resize_(3)
        out = library.zeros(0)
        assert library.add(library.ones(2), 1, out=out) is out
        assert out.tolist() == [2, 2]


NAMES = {
    "x.view(-1)": "View", "x[0]": "Select", "x[1:]": "Slice", "x[None]": "Unsqueeze",
    "x.t()": "T", "x.mT": "Transpose", "x.permute(1, 0)": "Permute", "x.expand(2, 2, 2)": "Expand",
    "x.diagonal()": "Diagonal", "x.unfold(0, 1, 1)": "Unfold", "x.flatten()": "View",
    "x[x > 0]": "Index", "x.contiguous().mT.contiguous()": "Clone", "x[...]": "Alias",
    "x.mT.reshape(-1)": "UnsafeView", "x.unbind()[0]": "Unbind", "x.split(1)[0]": "Split",
}  # fmt: skip


def test_names_of_gradients():
    for x in twins([[1.0, 2.0], [3.0, 4.0]], requires_grad=True):
        found = {e: view(e, x).grad_fn.name() for e in NAMES}
        assert found == {e: f"{name}Backward0" for e, name in NAMES.items()}


BAD = """
x.view(5, 5)
x.view(-1, -1)
x.view(-2, 12)
x.view(-1, 5)
x.reshape(7, -1)
x[0:0].reshape(-1, 0)
x.t()
x.H
x[0, 0].mT
x.permute(0, 1)
x.permute(0, 0, 1)
x.permute(0, 3, 1)
x.movedim((0, 0), (1, 2))
x.movedim((0, 1), (1,))
x.expand(2, 4)
x.expand(2, 3, 5)
x.expand(-1, 2, 3, 4)
x.unsqueeze(5)
x.squeeze(-4)
x.flatten(2, 1)
x.unflatten(1, (5, 2))
x.unflatten(1, ())
x.narrow(0, 1, 5)
x.narrow(0, 5, 1)
x.narrow(0, 0, -1)
x.select(0, 5)
x.select(5, 0)
x.split(0)
x.split(-1)
x.split([1, 1], 2)
x.split([1, -1, 4], 2)
x.chunk(0)
x.tensor_split(0)
x.hsplit(2)
x[0, 0].vsplit(2)
x.diagonal(0, 1, 1)
x.unfold(2, 5, 1)
x.unfold(2, 2, 0)
x.as_strided((2, 20), (1, 2), 1)
x.as_strided((2, 2), (1,))
x.as_strided((2, 2), (-1, 1))
x.mT.view(x.double().dtype)
x[0, 0, :3].view(x.double().dtype)
x[0, 0, 0].unbind()
x[0, 0, 0].select(0, 0)
""".strip().splitlines()


@pytest.mark.parametrize("expression", BAD)
def test_errors(expression):
    theirs, ours = (caught(view, expression, x) for x in twins(values(2, 3, 4)))
    assert ours is not None
    assert ours == theirs


@pytest.mark.parametrize("expression", ["x.T", "x[0, 0, 0].T", "x[0, 0, 0].H", "x[0, 0, 0].mT"])
def test_warnings(expression):
    texts = []
    for x in twins(values(2, 3, 4)):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            view(expression, x)
        texts.append([str(w.message).split(" (Trig")[0] for w in found])
    assert texts[1] == texts[0] or texts[0] == []  # PyTorch warns once in a process
