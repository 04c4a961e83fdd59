"""A softmax over very many classes, most of them rare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from taowa.core.tensor import Tensor
from taowa.nn.container import ModuleList, Sequential
from taowa.nn.linear import Linear
from taowa.nn.module import Module
from taowa.ops.adaptive_softmax import adaptive_argmax, adaptive_log_prob, adaptive_log_softmax

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Classify among very many classes, the rare ones by smaller layers.

    Classes are sorted by frequency, 0 the most frequent one. Unlike in PyTorch every layer is
    computed for every row, as programs have fixed shapes; the results are the same.

    Args:
        in_features: Length of the input's rows.
        n_classes: How many classes there are.
        cutoffs: The first class of each cluster of rarer classes, ascending.
        div_value: By how much each cluster's inner layer is smaller than the one before it.
        head_bias: Whether the layer of the frequent classes has a bias.

    Shape:
        input `(N, in_features)` or `(in_features,)`, target `(N,)` or `()` -> output like the
        target, loss `()`

    Raises:
        RuntimeError: if shapes do not fit, or a label is no class.
        ValueError: if the cutoffs are not ascending between 1 and `n_classes - 1`.

    References:
        Grave et al. 2017, https://arxiv.org/abs/1609.04309

    Example:
        >>> import taowa
        >>> layer = AdaptiveLogSoftmaxWithLoss(16, 20, [5, 10])
        >>> layer(taowa.ones(3, 16), taowa.tensor([0, 7, 19])).output.shape
        torch.Size([3])
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        cuts = list(cutoffs)
        _require_cutoffs(cuts, n_classes)
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cuts, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            inner = int(in_features // div_value ** (i + 1))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            first = Linear(in_features, inner, bias=False, device=device, dtype=dtype)
            second = Linear(inner, size, bias=False, device=device, dtype=dtype)
            self.tail.append(Sequential(first, second))

    def reset_parameters(self) -> None:
        """Draw all layers' weights anew."""
        for layer in (self.head, *(layer for pair in self.tail for layer in pair)):  # type: ignore[attr-defined]
            layer.reset_parameters()  # type: ignore[union-attr]

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        """Return each label's log-probability and the mean of their negatives."""
        _require_shapes(input_, target_)
        is_batched = target_.ndim > 0
        input: Any = input_ if is_batched else input_.unsqueeze(0)  # type: ignore[attr-defined]
        target: Any = target_ if is_batched else target_.unsqueeze(0)  # type: ignore[attr-defined]
        output: Any = adaptive_log_softmax(target, *self._scores(input))
        loss = (-output).mean()
        return _ASMoutput(output if is_batched else output.squeeze(0), loss)

    def _scores(self, input: Tensor) -> tuple[Tensor, list[Tensor], tuple[int, ...]]:
        return self.head(input), [layer(input) for layer in self.tail], tuple(self.cutoffs)

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes.

        Shape:
            `(N, in_features)` -> `(N, n_classes)`
        """
        return adaptive_log_prob(*self._scores(input))

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable classes.

        Shape:
            `(N, in_features)` -> `(N,)`
        """
        return adaptive_argmax(*self._scores(input))


def _require_cutoffs(cutoffs: list, n_classes: int) -> None:
    if not cutoffs:
        raise ValueError("cutoffs should be a sequence of length larger than 0")
    is_ascending = cutoffs == sorted(set(cutoffs)) and all(int(c) == c for c in cutoffs)
    if not is_ascending or min(cutoffs) <= 0 or max(cutoffs) > n_classes - 1:
        raise ValueError(
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
            f"order, where each value is between 1 and n_classes-1, got {cutoffs}"
        )


def _require_shapes(input: Tensor, target: Tensor) -> None:
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.ndim == 1 and input.shape[0] != target.shape[0]:
        raise RuntimeError("Input and target should have the same size in the batch dimension.")
    if input.ndim != target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found "
            f"inputs with size {input.shape}"
        )
