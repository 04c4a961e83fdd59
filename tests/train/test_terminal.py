import io

from rich.console import Console

from taowa.train import Observer
from taowa.train.report import PlainReport
from taowa.train.terminal import TerminalReport
from tests.train import small


def run(report):
    trainer = small.trainer(epochs=2, observers=[report])
    trainer.fit()
    return trainer


def test_terminal_shows_the_plain_tables_text():
    screen, lines = io.StringIO(), []
    run(TerminalReport({"network": "mlp"}, Console(file=screen, width=100, force_terminal=False)))
    run(PlainReport({"network": "mlp"}, lines.append))
    shown = [line.rstrip() for line in screen.getvalue().split("\n")]
    assert [line for line in lines if line.startswith(("network", "  epoch"))] == [
        line for line in shown if line.startswith(("network", "  epoch"))
    ]
    assert sum(line.strip().startswith(("1/2", "2/2")) for line in shown) == 2


def test_bar_names_the_epoch_and_later_tests_and_is_away_while_compiling():
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    report = TerminalReport({}, console)
    seen = []

    class Watcher(Observer):
        def started(self, trainer):
            seen.append(report._bar.live.is_started)

        def stepped(self, trainer):
            task = report._bar.tasks[0]
            seen.append(report._bar.live.is_started and (task.description, task.completed))

    trainer = small.trainer(epochs=2, observers=[report, Watcher()])
    trainer.fit()
    epochs = [[(f"epoch {epoch}/2", step) for step in range(1, 5)] for epoch in (1, 2)]
    assert seen == [False, *epochs[0], False, *epochs[1], ("testing", 5)]


def test_close_takes_the_bar_away():
    report = TerminalReport({}, Console(file=io.StringIO(), force_terminal=True))
    report._bar.start()
    report.close()
    assert not report._bar.live.is_started
