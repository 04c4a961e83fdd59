import math

import numpy as np

from taowa.core.tensor import from_array
from taowa.train import Score, Tally


def value(number, kind=np.float32):
    return from_array(np.array(number, kind))


def test_score_weighs_steps_by_their_samples():
    tally = Tally()
    tally.add(value(1.0), value(1, np.int64), 1)
    tally.add(value(0.5), value(2, np.int64), 3)
    tally.settle()
    assert tally.score() == Score((1.0 + 3 * 0.5) / 4, 0.75)


def test_values_are_read_one_step_late():
    tally = Tally()
    tally.add(value(1.0), value(1, np.int64), 2)
    assert tally.num_samples == 0
    assert math.isnan(tally.score().loss)
    tally.add(value(math.nan), value(0, np.int64), 2)
    assert (tally.num_samples, tally.last_loss) == (2, 1.0)


def test_sums_go_on_from_a_checkpoint():
    first, second = Tally(), Tally()
    first.add(value(0.25), value(1, np.int64), 2)
    first.settle()
    second.load_state_dict(first.state_dict())
    for tally in (first, second):
        tally.add(value(2.0), value(2, np.int64), 2)
        tally.settle()
    assert first.score() == second.score() == Score(1.125, 0.75)
