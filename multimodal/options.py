"""The arguments and options that several commands of cli.py take."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Precision(StrEnum):
    fp32 = "fp32"
    bf16 = "bf16"


class FallbackRule(StrEnum):
    """The rules of records.RULES, which is not loaded for `--help`."""

    none = "none"
    news2 = "news2"
    qsofa = "qsofa"
    shock_index = "shock_index"
    sofa = "sofa"


class Purpose(StrEnum):
    diagnosis = "diagnosis"
    outcome = "outcome"


COHORT_HELP = "A cohort folder, a .jsonl of records, or a flat .csv or .parquet file."
CohortPath = Annotated[Path, typer.Argument(metavar="COHORT", help=COHORT_HELP, show_default=False)]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL", help="A model folder.", show_default=False)]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder to write.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run wrote there.")]
Ignore = Annotated[
    list[str] | None, typer.Option("--ignore", metavar="COLUMN", help="A column to leave out (repeatable).")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages, only results and errors.")]
ConvertSuspect = Annotated[
    bool,
    typer.Option(
        "--convert-suspect",
        help="Convert a value that is implausible as given and plausible in just one other unit; else it is refused.",
    ),
]
Fallback = Annotated[
    FallbackRule | None,
    typer.Option(
        "--fallback",
        help="The bedside score that decides risks where the model abstains; the model's own option by default.",
        show_default=False,
    ),
]
Split = Annotated[
    str | None, typer.Option("--split", metavar="NAME", help="Only the records of this split.", show_default=False)
]
AllPatients = Annotated[
    bool, typer.Option("--all-patients", help="Keep the patients of the training; every figure is marked.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Governs everything random.", show_default=False)]
TrainingDevice = Annotated[Device | None, typer.Option("--device", help="Where to train.", show_default=False)]
Against = Annotated[
    Path | None,
    typer.Option(
        metavar="COHORT",
        help="Another cohort: nobody and nothing of it should be in the first.",
        show_default=False,
    ),
]
SameHoldout = Annotated[
    float | None,
    typer.Option(
        "--holdout", help="As in `train`: with its --seed and --split, the same patients.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a program to read.")]
Host = Annotated[str, typer.Option(help="The address to listen on; others can reach the page if it is not this one.")]
Port = Annotated[int | None, typer.Option(min=1, max=65535, help="The first free one by default.", show_default=False)]
