import pytest

from taowa.train.report import PlainReport, duration
from tests.train import small
from tests.train.test_loop import Stopper


def lines_of(trainer, **options):
    lines = []
    trainer.observers.append(PlainReport({"network": "mlp"}, lines.append, **options))
    trainer.fit()
    return lines


def test_table_has_a_line_for_every_epoch():
    trainer = small.trainer(epochs=2)
    lines = lines_of(trainer)
    assert lines[0] == "network   mlp"
    assert lines[2].split("  ")[-1].strip() == "time"
    first = trainer.history[0]
    assert lines[3].split()[:2] == ["1/2", f"{first.train_loss:.4f}"]
    assert f"{100 * first.test_accuracy:.2f} %" in lines[3]
    assert lines[3].endswith("*")
    assert len(lines[2]) == len(lines[3].rstrip("* "))
    best = trainer.best
    found = f"{100 * best.test_accuracy:.2f} % test accuracy in epoch {best.epoch};"
    assert lines[-1].startswith(found)


def test_only_the_best_so_far_are_marked():
    trainer = small.trainer(epochs=6)
    lines = lines_of(trainer)[3:9]
    best, marked = -1.0, []
    for record, line in zip(trainer.history, lines, strict=True):
        assert line.endswith("*") == (record.test_accuracy > best)
        best = max(best, record.test_accuracy)
        marked.append(line.endswith("*"))
    assert marked[0]


def test_long_epochs_get_a_line_every_half_minute():
    seconds = iter(range(0, 10_000, 8))
    lines = lines_of(small.trainer(epochs=1), now=lambda: float(next(seconds)))
    inner = [line for line in lines if "step" in line]
    assert inner
    assert inner[0].startswith("epoch 1, step ")
    assert inner[0].endswith("left")


def test_a_stopped_run_says_where():
    lines = lines_of(small.trainer(observers=[Stopper(7)]))
    assert "stopped in epoch 2 after step 2/5" in lines


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.96, "10.0 s"), (59.6, "1:00"), (3599.7, "1:00:00"), (86400, "24:00:00")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
