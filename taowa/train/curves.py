"""Loss and accuracy over the epochs, as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from taowa.train.loop import EpochRecord

__all__ = ["curves_png"]

CURVES = (("training", "#9aa7b8"), ("test", "#1f6feb"))
INK, FAINT = "#30363d", "#e6e9ee"
MARKED_EPOCHS = 40  # longer runs have no dots on their curves


def curves_png(history: Sequence[EpochRecord], title: str) -> bytes | None:
    """Draw a run's loss and accuracy, training and test, and return the PNG file's bytes.

    Args:
        history: At least one epoch.
        title: Stands above the picture.
    Returns:
        `None` if Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return None
    figure = Figure(figsize=(10, 3.8), layout="constrained", facecolor="white")
    losses, accuracies = figure.subplots(1, 2)
    _draw(losses, history, "loss", "{:.3g}", [(r.train_loss, r.test_loss) for r in history])
    _use_log_scale(losses, history)
    shares = [(100 * r.train_accuracy, 100 * r.test_accuracy) for r in history]
    _draw(accuracies, history, "accuracy, %", "{:.2f}", shares)
    best = max(history, key=lambda r: r.test_accuracy)
    found = f"best test accuracy {100 * best.test_accuracy:.2f} %, epoch {best.epoch}"
    figure.suptitle(f"{title}: {found}", color=INK, fontsize=12)
    figure.get_layout_engine().set(wspace=0.06)  # type: ignore[union-attr]
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=150)
    return file.getvalue()


def _draw(
    axes: Any,
    history: Sequence[EpochRecord],
    label: str,
    value_format: str,
    values: Sequence[tuple[float, float]],
) -> None:
    """Draw one panel: the training and the test curve, each named with its last value."""
    epochs = [r.epoch for r in history]
    marker = {"marker": "o", "markersize": 3.5} if len(history) <= MARKED_EPOCHS else {}
    for column, (name, colour) in enumerate(CURVES):
        curve = [pair[column] for pair in values]
        legend = f"{name}  {value_format.format(curve[-1])}"
        axes.plot(epochs, curve, color=colour, linewidth=1.8, label=legend, **marker)
    axes.set_xlabel("epoch", color=INK)
    axes.set_ylabel(label, color=INK)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=INK, labelsize=9, length=0)
    axes.spines[:].set_visible(False)
    axes.legend(frameon=False, labelcolor=INK)


def _use_log_scale(axes: Any, history: Sequence[EpochRecord]) -> None:
    """Let the loss be read at every size, once it has fallen far enough for that."""
    from matplotlib.ticker import LogLocator, NullLocator  # noqa: PLC0415

    losses = [loss for r in history for loss in (r.train_loss, r.test_loss)]
    if min(losses) <= 0 or max(losses) < 10 * min(losses):
        return
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter("{x:g}")
