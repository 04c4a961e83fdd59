import json

import numpy as np
import pytest
import torch

import taowa
from taowa.errors import CheckpointError, LoadError
from taowa.train import RunFolder, new_folder
from tests.train import small
from tests.train.test_loop import Stopper


def fit_in(path, **options):
    trainer = small.trainer(**options)
    trainer.observers.insert(0, RunFolder(path))
    trainer.fit()
    return trainer


def test_files_of_a_complete_run(tmp_path):
    trainer = fit_in(tmp_path)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["best.pth", "curves.png", "last.pth", "metrics.jsonl"]
    assert RunFolder(tmp_path).files() == ["last.pth", "best.pth", "metrics.jsonl", "curves.png"]
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2, 3]
    assert lines[2]["test_loss"] == trainer.history[2].test_loss


def test_best_holds_the_weights_of_the_best_epoch(tmp_path):
    trainer = small.trainer(epochs=4)
    kept = {}

    class Keeper(RunFolder):
        def epoch_ended(self, trainer, record):
            super().epoch_ended(trainer, record)
            kept[record.epoch] = {
                k: v.numpy().copy() for k, v in trainer.model.state_dict().items()
            }

    trainer.observers.append(Keeper(tmp_path))
    trainer.fit()
    best = taowa.load(tmp_path / "best.pth")
    for name, value in kept[trainer.best.epoch].items():
        np.testing.assert_array_equal(best[name].numpy(), value)


def test_pytorch_reads_both_checkpoints(tmp_path):
    trainer = fit_in(tmp_path)
    best = torch.load(tmp_path / "best.pth", weights_only=True)
    assert list(best) == list(trainer.model.state_dict())
    last = torch.load(tmp_path / "last.pth", weights_only=True)
    assert last["epoch"] == 3
    assert last["optimizer"]["param_groups"][0]["momentum"] == 0.9


def test_a_run_stopped_in_an_epoch_goes_on_from_its_folder(tmp_path):
    whole = small.trainer()
    whole.fit()
    fit_in(tmp_path, observers=[Stopper(7)])
    rest = small.trainer(seed=9)
    folder = RunFolder(tmp_path)
    folder.restore(rest)
    assert (rest.epoch, rest.batch) == (1, 2)
    rest.observers.append(folder)
    rest.fit()
    assert list(map(small.figures, rest.history)) == list(map(small.figures, whole.history))


def test_restore_without_a_checkpoint_starts_from_the_beginning(tmp_path):
    trainer = small.trainer()
    RunFolder(tmp_path).restore(trainer)
    assert (trainer.epoch, trainer.batch) == (0, 0)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    fit_in(tmp_path)
    before = (tmp_path / "last.pth").read_bytes()

    def fail(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("taowa.io.zip_records.write_all", fail)
    with pytest.raises(CheckpointError, match="No space left"):
        fit_in(tmp_path, seed=2)
    assert (tmp_path / "last.pth").read_bytes() == before
    assert not list(tmp_path.glob(".*"))


def test_config_comes_back(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_config({"recipe": {"model": "mlp"}})
    assert folder.read_config() == {"recipe": {"model": "mlp"}}


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b"[1]"])
def test_a_damaged_config_is_named(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(LoadError, match=r"config\.json"):
        RunFolder(tmp_path).read_config()


def test_new_folders_never_overwrite(tmp_path):
    assert [new_folder(tmp_path / "a" / "b", "x").name for _ in range(3)] == ["x", "x-2", "x-3"]
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError):
        new_folder(tmp_path / "file", "x")
