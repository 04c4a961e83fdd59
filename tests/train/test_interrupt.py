import signal
import threading

import pytest

from taowa.train import StopSignals


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_first_signal_asks_and_the_old_handler_is_back(number, exit_code):
    before, asked = signal.getsignal(number), []
    with StopSignals(lambda: asked.append(1)) as signals:
        signal.raise_signal(number)
        assert signal.getsignal(number) == before
    assert (asked, signals.received, signals.exit_code) == ([1], number, exit_code)


def test_second_ctrl_c_interrupts():
    asked = []
    with pytest.raises(KeyboardInterrupt), StopSignals(lambda: asked.append(1)):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert asked == [1]


def test_without_a_signal_nothing_changes():
    before = signal.getsignal(signal.SIGINT)
    with StopSignals(lambda: None) as signals:
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before
    assert (signals.received, signals.exit_code) == (None, 0)


def test_other_threads_can_train_without_signals():
    results = []

    def work():
        with StopSignals(lambda: None) as signals:
            results.append(signals.exit_code)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [0]
