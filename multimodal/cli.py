"""The command line: each command parses, calls and prints.

Results go to stdout or into files, progress and messages to stderr. Exit status: 0 done; 1 a defect of ours; 2 wrong
use; 3 the input as a whole was refused; 4 done, but some record or item was refused; 5 the model folder is damaged;
130 interrupted. What is heavy is imported in the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from . import __version__
from .options import (
    Against,
    AllPatients,
    CohortPath,
    ConvertSuspect,
    Fallback,
    Host,
    Ignore,
    Json,
    ModelPath,
    OutFolder,
    Overwrite,
    Port,
    Precision,
    Purpose,
    Quiet,
    SameHoldout,
    Seed,
    Split,
    TrainingDevice,
)
from .terminal import print_json, print_table, progress, report_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .records import MeasurementKind

LEAKS = 3
ANSWERLESS = 4
INTERRUPTED = 130

app = typer.Typer(
    help="Images, notes and vital signs -> calibrated probabilities, with any of them missing. "
    "Research use, not a medical device.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its status."""
    try:
        app(arguments, prog_name="multimodal")
    except Exception as error:
        sys.exit(report_error(error))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"multimodal-clinical {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    pass


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The folder that keeps it; it is used again.")] = Path("demo-run"),
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Do all but serve the page.")] = False,
    port: Port = None,
    quiet: Quiet = False,
) -> None:
    """A synthetic cohort, a model of it, its figures, and the page."""
    from .demo import make_demo
    from .evaluation.summary import evaluation_table

    with progress(quiet, "demo") as (advance, say):
        found = make_demo(
            out, version=__version__, progress=lambda what, done, total: advance(done, total, what), report=say
        )
    print("Figures on the synthetic patients that were held out of the training.\n")
    print(evaluation_table(found.metrics), end="\n\n")
    print(f"cohort      {found.cohort}\nmodel       {found.model}\nreport      {found.evaluation / 'report.html'}")
    if not no_serve:
        from .page import serve as serve_page

        sys.stdout.flush()
        serve_page(found.model, port=port, examples=found.cohort)


class ImportCommand(TyperCommand):
    """`import`, whose help names the sources that there are."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from .sources.importers import IMPORTERS

        for parameter in self.params:
            if isinstance(parameter, TyperArgument) and parameter.name == "source":
                parameter.help = f"{' | '.join(IMPORTERS)}."
        super().format_help(ctx, formatter)


@app.command("import", cls=ImportCommand)
def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", show_default=False)],
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder of the files.", show_default=False)],
    out: OutFolder,
    purpose: Annotated[
        Purpose | None, typer.Option("--for", help="covid-chestxray: which targets the notes serve.")
    ] = None,
    sections: Annotated[str | None, typer.Option(help="openi: findings[,impression]: what makes the note.")] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="image-folder: a table of files, patients and labels; else a folder is a class."),
    ] = None,
    file_column: Annotated[str | None, typer.Option(metavar="NAME", help="image-folder: if it is not found.")] = None,
    patient_column: Annotated[str | None, typer.Option(metavar="NAME", help="image-folder: likewise.")] = None,
    label_columns: Annotated[
        list[str] | None, typer.Option("--label-column", metavar="NAME", help="image-folder: likewise (repeatable).")
    ] = None,
    number_records: Annotated[
        bool, typer.Option("--number-records", help="image-folder: ids and files by number, not by the files' names.")
    ] = False,
    link: Annotated[bool, typer.Option("--link", help="Hard links to the files, not copies (on one disk).")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """A public collection, or any folder of pictures (image-folder), as a cohort folder."""
    from .sources import write_cohort
    from .sources.importers import import_source
    from .sources.write import refuse_existing

    refuse_existing(out, overwrite)
    given = {"purpose": purpose and purpose.value, "sections": sections, "labels": labels}
    given |= {"file_column": file_column, "patient_column": patient_column, "label_columns": label_columns or None}
    given |= {"number_records": number_records or None}
    with progress(quiet, "reading the files") as (advance, say):
        tables = import_source(source, path, **{name: value for name, value in given.items() if value is not None})
        advance(0, None, "writing the cohort")
        write_cohort(out, tables, overwrite=overwrite, link=link)
        say(f"{out}: {len(tables.tables['patients']):,} records")
    print("\n".join(tables.account))


@app.command()
def synthesize(
    out: OutFolder,
    patients: Annotated[int, typer.Option(min=1, help="How many.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """A synthetic cohort, in which the best reachable figures are known."""
    from .sources import write_cohort
    from .sources.synthetic import synthesize as tables_of
    from .sources.write import refuse_existing

    refuse_existing(out, overwrite)
    with progress(quiet, "drawing the patients") as (advance, say):
        tables = tables_of(patients, seed)
        advance(0, None, "writing the cohort")
        write_cohort(out, tables, overwrite=overwrite)
        say(f"{out}: {len(tables.tables['patients']):,} records")
    print("\n".join(tables.account))


@app.command()
def new(cohort: Annotated[Path, typer.Argument(metavar="COHORT", help="The folder to make.")]) -> None:
    """An empty cohort folder: its tables with their headers, and one example record."""
    from .sources import new_cohort

    new_cohort(cohort)
    print(f"{cohort} holds one example record: fill in its tables, then run: multimodal validate {cohort}")


@app.command()
def codes(
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="Part of a code, name, LOINC or unit.")] = "",
    of: Annotated[
        Path | None, typer.Option(help="A cohort or a model: what it adds to the table.", show_default=False)
    ] = None,
) -> None:
    """The measurement table: code, name, LOINC, unit, other accepted units, plausible range."""
    from .records import measurement_table, span

    table = measurement_table() if of is None else _additions(of)
    called = measurement_table().called(text)
    rows = []
    for kind in table.values():
        fields = (kind.code, kind.display, kind.loinc, kind.unit, " ".join(kind.units))
        if kind.code == called or any(text.casefold() in field.casefold() for field in fields):
            rows.append((*fields[:3], kind.unit if kind.kind == "quantity" else kind.kind, fields[4], span(kind)))
    if rows:
        print_table(("code", "name", "LOINC", "unit", "also", "range"), rows)
    else:
        near = measurement_table().extended(table).did_you_mean(text)
        print(f"no code, name or unit holds that text{near}", file=sys.stderr)


def _additions(path: Path) -> Mapping[str, MeasurementKind]:
    """The own measurements of a cohort, or of a model folder."""
    from .model import ClinicalModel
    from .model.model_files import MANIFEST
    from .records import measurement_table
    from .sources import Cohort

    if (path / MANIFEST).is_file():
        return ClinicalModel.load(path).own_measurements_
    return {code: kind for code, kind in Cohort.open(path).table.items() if code not in measurement_table()}


@app.command()
def validate(
    cohort: CohortPath,
    ignore: Ignore = None,
    convert_suspect: ConvertSuspect = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Every problem of every record: all files are opened and decoded."""
    from .model import Config, with_options
    from .model.validation import validate as problems_of
    from .records import REASONS
    from .sources import Cohort

    opened = Cohort.open(cohort, ignore=ignore or ())
    options = with_options(Config(), "vitals", convert_suspect=convert_suspect)
    with progress(quiet, "validating") as (advance, _):
        found = problems_of(opened, config=options, progress=advance)
    if as_json:
        print_json(found.to_json())
    else:
        if found.counts:
            reasons = [(code, f"{n:,}", REASONS[code]) for code, n in found.counts.items()]
            rows = [(code, n, reason.severity, reason.meaning) for code, n, reason in reasons]
            print_table(("code", "n", "", "meaning"), rows)
        refused, warned = (
            sum(n for code, n in found.counts.items() if REASONS[code].severity == severity)
            for severity in ("refuse", "warn")
        )
        print(f"{found.records:,} records: {refused:,} refused, {warned:,} warnings (--json lists them)")
    raise typer.Exit(ANSWERLESS if found.refused else 0)


@app.command()
def audit(
    cohort: CohortPath,
    against: Against = None,
    holdout: SameHoldout = None,
    split: Split = None,
    seed: Seed = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One option (repeatable).")
    ] = None,
    fail: Annotated[bool, typer.Option("--fail", help="End with status 3 if there is a leak.")] = False,
    ignore: Ignore = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """What would make figures too good: shared patients, images and notes, words, sources, file properties.

    The two sides that must share nobody are COHORT and --against, or the patients that --holdout and --seed part, or
    those of the column `split`. A leak is what no figure can be believed with, a caution what it may be partly made of.
    """
    from .evaluation.summary import audit_text
    from .model import audit as audited
    from .model import read_config
    from .sources import Cohort

    options = read_config(None, assignments or ())
    opened = Cohort.open(cohort, ignore=ignore or ())
    if split is not None:
        opened = opened.of_split(split)
    other = None if against is None else Cohort.open(against, ignore=ignore or ())
    with progress(quiet, "reading") as (advance, _):
        found = audited(
            opened,
            against=other,
            holdout=options.train.holdout if holdout is None else holdout,
            seed=options.train.seed if seed is None else seed,
            config=options,
            progress=lambda what, done, total: advance(done, total, what),
        )
    if as_json:
        print_json(found.to_json())
    else:
        print(audit_text(found))
    if fail and found.leaks:
        raise typer.Exit(LEAKS)


@app.command()
def train(
    cohort: CohortPath,
    out: OutFolder,
    config: Annotated[Path | None, typer.Option(help="Options, as `inspect` prints them.", show_default=False)] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One option (repeatable).")
    ] = None,
    holdout: Annotated[
        float | None, typer.Option(help="The share of patients to leave out, for `evaluate`.", show_default=False)
    ] = None,
    split: Split = None,
    seed: Seed = None,
    device: TrainingDevice = None,
    ignore: Ignore = None,
    convert_suspect: ConvertSuspect = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train on a labelled cohort, and print the cross-fitted figures.

    While it runs, MODEL.partial beside the model keeps each finished encoder and the state of the network that is being
    trained, a few times its size; it is removed at the end.
    """
    from .evaluation.summary import cross_fitted_table, facts
    from .model import read_config
    from .model.training_files import check_model_out, train_to_folder
    from .sources import Cohort

    check_model_out(out, resume=resume, overwrite=overwrite)
    given = {"holdout": holdout, "seed": seed, "device": device and device.value}
    flags = [f"train.{key}={value}" for key, value in given.items() if value is not None]
    flags += ["vitals.convert_suspect=true"] if convert_suspect else []
    options = read_config(config, [*(assignments or ()), *flags])
    chosen = Cohort.open(cohort, ignore=ignore or ())
    if split is not None:
        chosen = chosen.of_split(split)
    with progress(quiet, "reading") as (advance, say):
        try:
            model = train_to_folder(
                chosen,
                out,
                config=options,
                resume=resume,
                overwrite=overwrite,
                progress=lambda what, done, total: advance(done, total, what),
                report=say,
            )
        except KeyboardInterrupt:
            say("interrupted: the same command with --resume goes on")
            raise typer.Exit(INTERRUPTED) from None
        say(f"{out}: model {model.model_id}, {model.summary_['records']:,} records")
    if as_json:
        print_json(facts(model))
    else:
        print(cross_fitted_table(model))


@app.command("pretrain-images")
def pretrain_images(
    images: Annotated[
        Path, typer.Argument(metavar="IMAGES", help="A cohort, or a folder of image files.", show_default=False)
    ],
    out: OutFolder,
    backbone: Annotated[str | None, typer.Option(help="As image.backbone; compact.", show_default=False)] = None,
    size: Annotated[int | None, typer.Option(help="Pixels a side, as image.size; 128.", show_default=False)] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures; at least 300 steps.")] = 50,
    max_steps: Annotated[int, typer.Option(min=1, help="At most so many, whatever the epochs.")] = 5000,
    batch_size: Annotated[int, typer.Option(min=16, help="Pictures a step.")] = 64,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="image.KEY=VALUE", help="How pictures are prepared, as in `train` (repeatable)."),
    ] = None,
    holdout: SameHoldout = None,
    split: Split = None,
    seed: Seed = None,
    device: TrainingDevice = None,
    ignore: Ignore = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train an image backbone on pictures without labels, for `train --set image.weights=DIR`."""
    from .model.image_pretraining import TAKEN
    from .model.image_pretraining import pretrain_images as pretrained
    from .model.pretraining import pretraining_config

    given = {"image.backbone": backbone, "image.size": size}
    given |= {"train.seed": seed, "train.holdout": holdout, "train.device": device}
    flags = [f"{key}={value}" for key, value in given.items() if value is not None]
    options = pretraining_config([*(assignments or ()), *flags], TAKEN)
    with progress(quiet, "reading") as (advance, say):
        found = pretrained(
            images,
            out,
            config=options,
            epochs=epochs,
            max_steps=max_steps,
            batch_size=batch_size,
            split=split,
            ignore=ignore or (),
            overwrite=overwrite,
            progress=lambda what, done, total: advance(done, total, what),
            report=say,
        )
        say(f"{out}: {options.image.backbone}, {found.pictures:,} pictures")
    rank = f"{found.effective_rank:.1f} of {found.features}"
    loss = f"{found.loss[0]:.3f} -> {found.loss[1]:.3f}"
    head = ("pictures", "steps", "loss", "effective rank", "seconds")
    print_table(head, [(f"{found.pictures:,}", f"{found.steps:,}", loss, rank, f"{found.seconds:.0f}")])


@app.command("pretrain-notes")
def pretrain_notes(
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="TEXTS", help="A cohort, a folder of text files, or a .txt with a text a line.", show_default=False
        ),
    ],
    out: OutFolder,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the distinct sentences.")] = 60,
    max_steps: Annotated[int, typer.Option(min=1, help="At most so many, whatever the epochs.")] = 20_000,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="notes.KEY=VALUE", help="The network, as in `train` (repeatable)."),
    ] = None,
    holdout: SameHoldout = None,
    split: Split = None,
    seed: Seed = None,
    device: TrainingDevice = None,
    ignore: Ignore = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Train a BERT on the words of texts without labels, for `train --set notes.checkpoint=DIR`."""
    from .model.notes_pretraining import TAKEN
    from .model.notes_pretraining import pretrain_notes as pretrained
    from .model.pretraining import pretraining_config

    given = {"train.seed": seed, "train.holdout": holdout, "train.device": device}
    flags = [f"{key}={value}" for key, value in given.items() if value is not None]
    options = pretraining_config([*(assignments or ()), *flags], TAKEN)
    with progress(quiet, "reading") as (advance, say):
        found = pretrained(
            texts,
            out,
            config=options,
            epochs=epochs,
            max_steps=max_steps,
            split=split,
            ignore=ignore or (),
            overwrite=overwrite,
            progress=lambda what, done, total: advance(done, total, what),
            report=say,
        )
        say(f"{out}: {found.texts:,} texts")
    loss = f"{found.loss[0]:.3f} -> {found.loss[1]:.3f}"
    head = ("texts", "distinct sentences", "steps", "loss", "seconds")
    print_table(head, [(f"{found.texts:,}", f"{found.sentences:,}", f"{found.steps:,}", loss, f"{found.seconds:.0f}")])


@app.command()
def predict(
    model: ModelPath,
    cohort: CohortPath,
    out: Annotated[Path, typer.Option(help="The file to write: .parquet, .jsonl or .csv.", show_default=False)],
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Records in memory at a time; by default by what they hold.", show_default=False),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Image decoding processes; the model's by default.", show_default=False)
    ] = None,
    precision: Annotated[Precision, typer.Option(help="bf16 is faster on some machines, to 1e-2.")] = Precision.fp32,
    ignore: Ignore = None,
    convert_suspect: ConvertSuspect = False,
    fallback: Fallback = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped.")] = False,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Score a cohort: one answer per record, in order, whatever is missing."""
    from .model import ClinicalModel, with_options
    from .model.scoring_files import check_out, score_to_file
    from .sources import Cohort

    check_out(out, resume=resume, overwrite=overwrite)
    loaded = ClinicalModel.load(model)
    if workers is not None:
        loaded.config_ = with_options(loaded.config_, "train", workers=workers)
    if convert_suspect:
        loaded.config_ = with_options(loaded.config_, "vitals", convert_suspect=True)
    if fallback is not None:
        loaded.config_ = with_options(loaded.config_, "trust", fallback=fallback.value)
    opened = Cohort.open(cohort, ignore=ignore or (), known=loaded.own_measurements_)
    with progress(quiet, "scoring") as (advance, say):
        try:
            scored = score_to_file(
                loaded,
                opened,
                out,
                batch_size=batch_size,
                precision=precision.value,
                resume=resume,
                overwrite=overwrite,
                progress=advance,
            )
        except KeyboardInterrupt:
            say("interrupted: the same command with --resume goes on")
            raise typer.Exit(INTERRUPTED) from None
        before = f", {scored.resumed:,} of them before" if scored.resumed else ""
        say(f"{out}: {scored.records:,} records{before}; {scored.unanswered:,} without any usable input")
    raise typer.Exit(ANSWERLESS if scored.unanswered else 0)


@app.command()
def calibrate(
    model: ModelPath,
    cohort: CohortPath,
    out: OutFolder,
    split: Split = None,
    ignore: Ignore = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Another site's intercept and temperature on top of a model, fitted on labelled patients of that site.

    Nothing else changes. Evaluate the new model on other patients of the site: `evaluate` leaves these out.
    """
    from .evaluation.summary import site_table
    from .model import ClinicalModel
    from .model.model_files import refuse_existing_model
    from .sources import Cohort

    refuse_existing_model(out, overwrite)
    loaded = ClinicalModel.load(model)
    opened = Cohort.open(cohort, ignore=ignore or (), known=loaded.own_measurements_)
    if split is not None:
        opened = opened.of_split(split)
    with progress(quiet, "scoring") as (advance, say):
        found = loaded.calibrated(opened, progress=advance)
        found.save(out, overwrite=overwrite)
        for problem in found.problems_[len(loaded.problems_) :]:
            say(str(problem))
        say(f"{out}: model {found.model_id}")
    head = ("target", "records", "patients", "positive", "prevalence", "assumed before", "now", "shift", "temperature")
    print_table(head, site_table(found))


@app.command()
def evaluate(
    model: ModelPath,
    cohort: CohortPath,
    out: OutFolder,
    split: Split = None,
    all_patients: AllPatients = False,
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Subgroups: sex, age, a kept column (repeatable). By default sex and age."),
    ] = None,
    leave_out: Annotated[
        str | None,
        typer.Option(
            "--leave-out",
            metavar="COLUMN",
            help="Refit without each value of a column, and score what was left out.",
            show_default=False,
        ),
    ] = None,
    nested: Annotated[
        int | None,
        typer.Option("--nested", metavar="K", help="Refit without each of K folds of patients.", show_default=False),
    ] = None,
    ignore: Ignore = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model on labelled records of patients it has not seen: metrics.json, report.html.

    With --leave-out or --nested its options are measured, not itself: they are trained with afresh, once per part.
    """
    from .evaluation import BY, check_free
    from .evaluation import evaluate as figures_of
    from .evaluation.refits import evaluate_refits
    from .model import ClinicalModel
    from .records import UsageError
    from .sources import Cohort

    refitted = leave_out is not None or nested is not None
    if refitted and all_patients:
        raise UsageError(
            "--all-patients has no meaning with --leave-out or --nested: each refit has patients of its own"
        )
    check_free(out, overwrite=overwrite)
    loaded = ClinicalModel.load(model)
    opened = Cohort.open(cohort, ignore=ignore or (), known=loaded.own_measurements_)
    with progress(quiet, "scoring") as (advance, say):
        if refitted:
            try:
                found = evaluate_refits(
                    loaded,
                    opened if split is None else opened.of_split(split),
                    leave_out=leave_out,
                    nested=nested,
                    progress=lambda what, done, total: advance(done, total, what),
                    report=say,
                )
            except KeyboardInterrupt:
                say("interrupted: nothing was written")
                raise typer.Exit(INTERRUPTED) from None
        else:
            found = figures_of(loaded, opened, split=split, all_patients=all_patients, by=by or BY, progress=advance)
    found.write(out, overwrite=overwrite)
    print(found.summary())


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="A model folder.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same targets.", show_default=False)],
    cohort: CohortPath,
    split: Split = None,
    all_patients: AllPatients = False,
    ignore: Ignore = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Two models on the same labelled records of patients whom neither has seen: the differences."""
    from .evaluation import compare as difference_of
    from .model import ClinicalModel
    from .sources import Cohort

    models = [ClinicalModel.load(path) for path in (a, b)]
    known = {code: kind for model in models for code, kind in model.own_measurements_.items()}
    opened = Cohort.open(cohort, ignore=ignore or (), known=known)
    with progress(quiet, "scoring") as (advance, _):
        found = difference_of(*models, opened, split=split, all_patients=all_patients, progress=advance)
    if as_json:
        print_json(found.metrics)
    else:
        print(found.summary())


@app.command()
def inspect(model: ModelPath, as_json: Json = False) -> None:
    """What a model is, was trained on and predicts, how well (cross-fitted), and its options."""
    from .evaluation.summary import cross_fitted_table, description, facts
    from .model import ClinicalModel, as_toml

    loaded = ClinicalModel.load(model)
    if as_json:
        print_json(facts(loaded))
    else:
        print(description(loaded), cross_fitted_table(loaded), as_toml(loaded.config_).rstrip(), sep="\n\n")


@app.command()
def card(
    model: ModelPath,
    out: OutFolder,
    evaluation: Annotated[
        Path | None, typer.Option(metavar="DIR", help="What `evaluate` wrote about the model.", show_default=False)
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """The model card, with the items of TRIPOD+AI and CLAIM: MODEL_CARD.md, model_card.json.

    It is made from the model and its evaluation; what only the authors can answer is marked as OPEN.
    """
    from .evaluation import check_free
    from .evaluation.card import CARD_FILES, make_card, write_card

    check_free(out, overwrite=overwrite, files=CARD_FILES)
    made = make_card(model, evaluation)
    write_card(made, out, overwrite=overwrite)
    counts = [f"{sum(one.status == status for one in made.items)} {status}" for status in ("filled", "partly", "OPEN")]
    print(f"{out}: {', '.join(CARD_FILES)}; of {len(made.items)} reporting items {', '.join(counts)}")


@app.command()
def serve(model: ModelPath, host: Host = "127.0.0.1", port: Port = None, fallback: Fallback = None) -> None:
    """The page: one patient's image, note and vital signs, answered in the browser."""
    from .page import serve as serve_page

    serve_page(model, host=host, port=port, fallback=fallback and fallback.value)


@app.command()
def schema(out: OutFolder, overwrite: Overwrite = False) -> None:
    """The JSON Schemas of the forms and the data dictionary, afresh."""
    from .records import UsageError
    from .records.schemas import write_schemas
    from .vitals.dictionary import feature_sections

    if out.exists() and not overwrite:
        raise UsageError(f"{out} exists: choose another folder, or give --overwrite")
    write_schemas(out, feature_sections())
    print(f"{out}: {', '.join(sorted(path.name for path in out.iterdir()))}")
