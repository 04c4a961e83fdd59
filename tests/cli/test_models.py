import pytest

from taowa.cli import main
from taowa.models import list_models


def shown(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main.app(["models", *arguments])
    assert caught.value.code == 0
    return capsys.readouterr().out.splitlines()


def test_every_model_has_a_line(capsys):
    lines = shown(capsys)
    assert sorted(line.split()[0] for line in lines) == list_models()
    assert all(len(line.split()) > 3 for line in lines)


def test_numbers_are_sorted_as_numbers(capsys):
    names = [line.split()[0] for line in shown(capsys, "resnet*")]
    assert names == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]


def test_no_match_is_an_empty_list(capsys):
    assert shown(capsys, "vgg*") == []
