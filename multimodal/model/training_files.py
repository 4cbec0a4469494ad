"""Training into a model folder: whole or absent, and resumed after a kill to the same bytes.

While it runs, what is finished is kept in `OUT.partial/` (see kept_work.py), which is removed once OUT is written.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ..records import UsageError
from ..sources import Cohort
from .clinical_model import ClinicalModel
from .config import Config
from .estimate import Progress
from .kept_work import is_kept_work
from .model_files import refuse_existing_model
from .partial import partial_of


def train_to_folder(
    cohort: Cohort,
    out: str | Path,
    *,
    config: Config | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = lambda what, done, total: None,
    report: Callable[[str], None] = lambda line: None,
) -> ClinicalModel:
    """`ClinicalModel(config).fit(cohort)`, saved to the folder `out`; a stopped run is gone on with by `resume`.

    The same seed gives the same model_id, resumed or not. Raises as `fit`, and UsageError as `check_model_out`.
    """
    out = Path(out)
    check_model_out(out, resume=resume, overwrite=overwrite)
    partial = partial_of(out)
    if not resume and partial.exists():
        shutil.rmtree(partial)
    model = ClinicalModel(config).fit(cohort, progress=progress, report=report, kept_in=partial)
    model.save(out, overwrite=resume or overwrite)
    shutil.rmtree(partial)
    return model


def check_model_out(out: str | Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Raises UsageError unless a model may be trained into `out`: neither it nor the folder of an unfinished training
    is there, or `resume` or `overwrite` says what to do with them."""
    out = Path(out)
    if not out.name:
        raise UsageError(f"{out} is no name for a model folder: choose another")
    partial = partial_of(out)
    unfinished = os.path.lexists(partial)
    if resume and overwrite:
        raise UsageError("give either --resume or --overwrite")
    if resume and os.path.lexists(out) and not unfinished:
        raise UsageError(f"{out} exists, and no training of it is unfinished: there is nothing to resume")
    refuse_existing_model(out, resume or overwrite)
    if not unfinished:
        return
    if partial.is_symlink() or not is_kept_work(partial):
        raise UsageError(f"{partial} is in the way, and no unfinished training of ours")
    if not (resume or overwrite):
        raise UsageError(f"{partial} holds an unfinished training: --resume goes on with it, --overwrite starts afresh")
