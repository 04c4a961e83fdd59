"""The softmax over a tree of classes: frequent ones in its head, rare ones in its clusters."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from taowa.core.op import Array, op
from taowa.ops.precision import wide
from taowa.ops.softmax import log_softmax_of


def _picked(logs: Any, places: Any) -> Any:
    places = places.clip(0, logs.shape[1] - 1)
    return jnp.take_along_axis(logs, places[:, None], 1, mode="clip")[:, 0]


@op(name="adaptive_log_softmax")
def adaptive_log_softmax(target: Array, head: Array, clusters: list[Array], cutoffs: tuple):
    """Return the log-probability of each row's label.

    Args:
        target: Labels, `(N,)`.
        head: Scores of the frequent classes, then of the clusters, `(N, head)`.
        clusters: Scores within each cluster.
        cutoffs: The first class of each cluster, then the number of classes.
    """
    cluster = sum((target >= cut).astype(target.dtype) for cut in cutoffs[:-1])
    total = _picked(
        log_softmax_of(head, 1), jnp.where(cluster == 0, target, cutoffs[0] + cluster - 1)
    )
    for number, scores in enumerate(clusters, 1):
        within = _picked(log_softmax_of(scores, 1), target - cutoffs[number - 1])
        total = total + jnp.where(cluster == number, within, 0)
    return total.astype(head.dtype)


@adaptive_log_softmax.check(
    lambda info: RuntimeError(f"Target values should be in [0, {info['cutoffs'][-1] - 1}]")
)
def _is_no_class(target: Any, cutoffs: tuple) -> Any:
    return ((target < 0) | (target >= cutoffs[-1])).any()


def _all_logs(head: Any, clusters: list[Any], cutoffs: tuple) -> Any:
    logs = log_softmax_of(head, 1)
    parts = [logs[:, : cutoffs[0]]]
    for number, scores in enumerate(clusters):
        place = cutoffs[0] + number
        parts.append(log_softmax_of(scores, 1) + logs[:, place : place + 1])
    return jnp.concatenate(parts, 1)


@op(name="adaptive_log_prob")
def adaptive_log_prob(head: Array, clusters: list[Array], cutoffs: tuple):
    """Return the log-probabilities of all classes, `(N, classes)`."""
    return _all_logs(head, clusters, cutoffs).astype(head.dtype)


@op(name="adaptive_argmax")
def adaptive_argmax(head: Array, clusters: list[Array], cutoffs: tuple):
    """Return the class to predict: the head's best, or the best of all if that is a cluster."""
    best = jnp.argmax(wide(head), 1)
    return jnp.where(best < cutoffs[0], best, jnp.argmax(_all_logs(head, clusters, cutoffs), 1))
