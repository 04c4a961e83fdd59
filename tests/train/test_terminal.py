import io

from rich.console import Console

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


def test_bar_names_the_epoch_and_the_test():
    screen = io.StringIO()
    console = Console(file=screen, width=120, force_terminal=True, color_system=None)
    report = TerminalReport({}, console)
    seen = []
    stepped = report.stepped

    def watch(trainer):
        stepped(trainer)
        seen.append((report._bar.tasks[0].description, report._bar.tasks[0].completed))

    report.stepped = watch
    run(report)
    one = [*(("epoch 1/2", n) for n in range(1, 5)), ("testing", 5)]
    assert seen[:5] == one
    assert report._bar.finished or not report._bar.live.is_started


def test_close_takes_the_bar_away():
    report = TerminalReport({}, Console(file=io.StringIO(), force_terminal=True))
    report._bar.start()
    report.close()
    assert not report._bar.live.is_started
