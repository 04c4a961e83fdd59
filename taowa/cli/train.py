"""`taowa train`: train a network and keep the run in a folder."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer


def run(
    context: typer.Context,
    model: Annotated[str, typer.Option(help="Which network; see `taowa models`.")] = "resnet18",
    data: Annotated[str, typer.Option(help="What to train on.")] = "digits",
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 12,
    batch_size: Annotated[int, typer.Option(help="Images in a training step.")] = 64,
    optimizer: Annotated[
        str | None,
        typer.Option(
            help="sgd, adam or adamw.", show_default="sgd, but adam without normalisation"
        ),
    ] = None,
    lr: Annotated[
        float | None,
        typer.Option(
            help="Highest learning rate; falls to 0 along half a cosine.",
            show_default="0.03 for sgd, else 0.003",
        ),
    ] = None,
    weight_decay: Annotated[
        float | None,
        typer.Option(
            help="Pull of the weights towards zero.",
            show_default="0.005 for sgd, 0 for adam, 0.01 for adamw",
        ),
    ] = None,
    label_smoothing: Annotated[
        float, typer.Option(help="Share of a label that is spread over all classes.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Fixes initial weights and order.")] = 0,
    out: Annotated[Path, typer.Option(help="Where the folders of runs are.")] = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(help="The run's folder in there.", show_default="<model>-<data>"),
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this folder.", show_default=False)
    ] = None,
) -> int:
    """Train a network, and keep checkpoints, numbers and curves in a folder.

    Without options, ResNet-18 learns to read handwritten digits in about a minute.
    Ctrl-C ends a run after the step under way; `--resume` goes on bit for bit.
    """
    options = {
        "model": model, "data": data, "epochs": epochs, "batch_size": batch_size,
        "optimizer": optimizer, "lr": lr, "weight_decay": weight_decay,
        "label_smoothing": label_smoothing, "seed": seed,
    }  # fmt: skip
    from taowa.train import RunFolder

    if resume is None:
        recipe = _recipe(options)
        return _train(recipe, lambda: _new_run(recipe, out, name))
    _refuse_changes(context, [*options, "out", "name"])
    recipe = _recipe(RunFolder(resume).read_config().get("recipe", {}))
    return _train(recipe, lambda: RunFolder(resume))


def _recipe(options: dict[str, Any]) -> Any:
    from taowa.train import Recipe

    try:
        return Recipe(**options)
    except (TypeError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error


def _refuse_changes(context: typer.Context, names: Iterable[str]) -> None:
    """Say that a run goes on as it was started, if an option asks for anything else."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(f"--resume goes on as the run was started, without {option}")


def _new_run(recipe: Any, out: Path, name: str | None) -> Any:
    import jax

    from taowa.train import RunFolder, new_folder
    from taowa.version import __version__

    folder = RunFolder(new_folder(out, name or f"{recipe.model}-{recipe.data}"))
    versions = {"taowa": __version__, "jax": jax.__version__}
    folder.write_config({"recipe": asdict(recipe), "versions": versions})
    return folder


def _train(recipe: Any, open_folder: Callable[[], Any]) -> int:
    """Run a recipe, and return the exit code."""
    from taowa.train import StopSignals, data_for, trainer_for

    try:
        data = data_for(recipe)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    trainer = trainer_for(recipe, data)
    folder = open_folder()
    folder.restore(trainer)
    with closing(_report(_facts(recipe, data, trainer, folder))) as report:
        trainer.observers += [folder, report]
        with StopSignals(trainer.stop) as signals:
            trainer.fit()
    typer.echo(f"{folder.path}: {'  '.join(folder.files())}")
    if not trainer.is_complete:
        typer.echo(f"go on with: taowa train --resume {shlex.quote(str(folder.path))}")
    return signals.exit_code if not trainer.is_complete else 0


def _facts(recipe: Any, data: Any, trainer: Any, folder: Any) -> dict[str, str]:
    """Return what stands above the table of epochs."""
    num_parameters = sum(p.numel() for p in trainer.model.parameters())
    size = data.image_size
    return {
        "network": f"{recipe.model}, {num_parameters:,} parameters",
        "data": f"{recipe.data}, {len(data.train):,} training and {len(data.test):,} test images, "
        f"{data.in_channels}×{size}×{size}, {data.num_classes} classes",
        "recipe": f"{recipe.optimizer}, learning rate {recipe.lr:g} falling to 0, "
        f"weight decay {recipe.weight_decay:g}, batches of {recipe.batch_size}, "
        f"seed {recipe.seed}",
        "folder": str(folder.path),
    }


def _report(facts: dict[str, str]) -> Any:
    """Return the report that suits what standard output is."""
    from rich.console import Console

    from taowa.train.report import PlainReport
    from taowa.train.terminal import TerminalReport

    console = Console()
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalReport(facts, console)
    return PlainReport(facts, lambda line: print(line, flush=True))
