"""Every public operation against live PyTorch, on PyTorch's own sample inputs."""

import pytest
import torch

import taowa
from taowa.core import journal
from tests.ops.trials import Trial, assert_only_known, problems, start
from tests.samples.opinfo import kinds
from tests.samples.ops import COUNTS, cases, hand_record, has_values, infos, paths, target

PATHS = paths()


def made():
    """How many programs were compiled or loaded so far."""
    return journal.counters.compilations + journal.counters.disk_hits


def all_pairs(path):
    """Samples of every type: (type's name, sample, sample of the same kinds)."""
    return [
        (f"{str(dtype).removeprefix('torch.')} ", *pair)
        for dtype, count in COUNTS.items()
        for pair in cases(path, dtype, count)
    ]


@pytest.mark.parametrize("path", PATHS)
def test_has_samples(path):
    assert hand_record(path) or infos(path), f"{path} needs a record in tests/samples/by_hand.py"


@pytest.mark.parametrize("path", PATHS)
def test_values_gradients_and_types(path):
    """All samples are one program; the same kinds of samples again compile nothing new."""
    op, samples = target(path), all_pairs(path)
    assert samples, f"{path} has no samples"
    found, is_same = [], True
    taowa.flush()
    for turn in range(2):
        before = made()
        trials: list[Trial] = []
        for text, *pair in samples:
            trials.append(start(op.ours, op.theirs, pair[turn], text))
            is_same = is_same and kinds(pair[0]) == kinds(pair[1])
        rejected = [t.text for t in trials if t.theirs.error]
        assert len(rejected) * 2 <= len(trials), f"PyTorch rejects its own samples: {rejected}"
        for trial in trials:
            found += problems(trial, values=has_values(path))
    if is_same and made() != before:
        found.append(f"compiled again for other values: {journal.log.compilations[-1]}")
    assert_only_known(path, "values", found)


@pytest.mark.parametrize("path", PATHS)
def test_eager_mode_gives_the_same(path):
    op, found = target(path), []
    for case, _ in cases(path, torch.float32, COUNTS[torch.float32])[:1]:
        with taowa.eager():
            trial = start(op.ours, op.theirs, case)
        found += problems(trial, values=has_values(path))
    assert_only_known(path, "eager", found)
