"""Batch scoring to a file: streamed, in order, whole or absent, and resumed after a kill to the same bytes.

While it runs, each batch is a shard in `OUT.partial/`, written under another name and then renamed; run.json there says
what is being run. At the end the shards are joined beside OUT, which is then put in place in one step.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial as bound
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..records import Batch, Predictions, UsageError, did_you_mean, shown
from ..records.formulas import neutralised
from ..sources import Cohort
from .clinical_model import ClinicalModel, joined
from .partial import WRITING, partial_of, put_in_place, start_run

MOST_AT_ONCE = 4  # batches; each takes some hundred megabytes


@dataclass(frozen=True)
class ScoredFile:
    """records in OUT; unanswered: those of them without an answer because of their input, not by a rule either;
    resumed: records that an earlier run had scored."""

    records: int
    unanswered: int
    resumed: int


Answered = tuple[str, str, str | None, str | None]


class Format(NamedTuple):
    """write(predictions, path) a shard; join(shards, path, no predictions) the whole;
    ids(record ids): as they stand in the file;
    answers(path): (record id as it stands there, model_id, reason of abstaining or None, the rule that decided or None)
    of each record."""

    write: Callable[[Predictions, Path], None]
    join: Callable[[Sequence[Path], Path, Predictions], None]
    ids: Callable[[np.ndarray], Iterable[str]]
    answers: Callable[[Path], Iterator[Answered]]


def score_to_file(
    model: ClinicalModel,
    cohort: Cohort,
    out: str | Path,
    *,
    batch_size: int | None = None,
    precision: str = "fp32",
    resume: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ScoredFile:
    """One answer per record, in order, into `out` (.parquet, .jsonl or .csv); one batch is in memory at a time.

    batch_size: `cohort.batch_size` by default. progress(records scored, records in all).
    Raises UsageError as `check_out`, and where `resume` finds another run.
    """
    out = Path(out)
    check_out(out, resume=resume, overwrite=overwrite)
    fmt, partial = FORMATS[out.suffix.lower()], partial_of(out)
    batch_size = cohort.batch_size if batch_size is None else batch_size
    if resume and out.exists() and not partial.exists():
        return _finished(model, cohort, out)
    if not resume and partial.exists():
        shutil.rmtree(partial)
    run = {
        "model_id": model.model_id,
        "cohort": cohort.fingerprint(),
        "records": len(cohort),
        "batch_size": batch_size,
        "precision": precision,
        "convert_suspect": model.config_.vitals.convert_suspect,
        "fallback": model.config_.trust.fallback,
        "format": out.suffix.lower(),
        "version": version("multimodal-clinical"),
    }
    start_run(partial, run)
    shards = [partial / f"{i:05d}{run['format']}" for i in range(-(-len(cohort) // batch_size))]
    ready = next((i for i, shard in enumerate(shards) if not shard.exists()), len(shards))
    resumed = done = min(ready * batch_size, len(cohort))
    progress(done, len(cohort))
    # Notes and images are read by networks, which use all cores for one batch.
    at_once = min(os.cpu_count() or 1, MOST_AT_ONCE) if cohort.only_measured else 1
    batches = cohort.batches(batch_size, start=ready * batch_size)
    predicted = in_order(bound(model.predict_batch, precision=precision), batches, at_once)
    for shard, predictions in zip(shards[ready:], predicted):
        with put_in_place(shard) as writing:
            fmt.write(predictions, writing)
        done += len(predictions)
        progress(done, len(cohort))
    with put_in_place(out) as writing:
        fmt.join(shards, writing, joined([], model))
    shutil.rmtree(partial)
    return ScoredFile(len(cohort), _unanswered(out), resumed)


def in_order(answer: Callable[[Batch], Predictions], batches: Iterable[Batch], at_once: int) -> Iterator[Predictions]:
    """The answers to the batches, in order; `at_once` of them are worked on and held at a time, each in a thread."""
    if at_once == 1:
        yield from map(answer, batches)
        return
    waiting: deque[Future[Predictions]] = deque()
    threads = ThreadPoolExecutor(at_once)
    try:
        for batch in batches:
            waiting.append(threads.submit(answer, batch))
            if len(waiting) == at_once:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)


def check_out(out: str | Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Raises UsageError unless `out` has a known format and may be written: neither it nor the folder of an unfinished
    run is there, or `resume` or `overwrite` says what to do with them."""
    out = Path(out)
    partial = partial_of(out)
    if out.suffix.lower() not in FORMATS:
        near = did_you_mean(out.suffix, FORMATS) if out.suffix else ""
        raise UsageError(f"{shown(out.name)} must end in one of {', '.join(FORMATS)}{near}")
    if resume and overwrite:
        raise UsageError("give either --resume or --overwrite")
    if out.is_dir():
        raise UsageError(f"{out} is a folder: give the name of a file")
    if out.exists() and not (resume or overwrite):
        raise UsageError(f"{out} exists: choose another name, or give --overwrite")
    if not os.path.lexists(partial):
        return
    ours = partial.is_dir() and not partial.is_symlink()
    ours = ours and all(item.suffix in (*FORMATS, ".json", WRITING) for item in partial.iterdir())
    if not ours:
        raise UsageError(f"{partial} is in the way, and no unfinished run of ours")
    if not (resume or overwrite):
        raise UsageError(f"{partial} holds an unfinished run: --resume goes on with it, --overwrite starts afresh")


def _finished(model: ClinicalModel, cohort: Cohort, out: Path) -> ScoredFile:
    """What a finished run left, for a second `--resume`. Raises UsageError if it answers something else: another model,
    or other records than the cohort's, in its order."""
    fmt = FORMATS[out.suffix.lower()]
    expected = ((record_id, model.model_id) for record_id in fmt.ids(cohort.record_ids))
    try:
        same = all(found[:2] == wanted for found, wanted in zip_longest(fmt.answers(out), expected, fillvalue=()))
    except (ValueError, LookupError, TypeError, csv.Error):  # a file that no run of ours wrote
        same = False
    if not same:
        raise UsageError(f"{out} holds the answers of another run: --overwrite replaces it")
    return ScoredFile(len(cohort), _unanswered(out), len(cohort))


def _unanswered(out: Path) -> int:
    answers = FORMATS[out.suffix.lower()].answers(out)
    return sum(reason == "NO_INPUT" and rule is None for _, _, reason, rule in answers)


def _write_jsonl(predictions: Predictions, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(prediction.model_dump_json() + "\n" for prediction in predictions)


def _join_jsonl(shards: Sequence[Path], path: Path, empty: Predictions) -> None:
    del empty
    with path.open("wb") as whole:
        _append(shards, whole)


def _jsonl_answers(path: Path) -> Iterator[Answered]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            found = json.loads(line)
            yield found["record_id"], found["model_id"], found["abstained"], found["decided_by"]


def _write_csv(predictions: Predictions, path: Path) -> None:
    frame = predictions.to_frame()
    safe = pd.DataFrame({name: neutralised(frame[name]) for name in frame}, index=frame.index)
    safe.to_csv(path, index=False, header=False, encoding="utf-8", lineterminator="\n")


def _join_csv(shards: Sequence[Path], path: Path, empty: Predictions) -> None:
    with path.open("wb") as whole:
        whole.write(empty.to_frame().to_csv(index=False, lineterminator="\n").encode())
        _append(shards, whole)


def _csv_ids(record_ids: np.ndarray) -> Iterable[str]:
    return neutralised(pd.Series(record_ids, dtype=object))


def _csv_answers(path: Path) -> Iterator[Answered]:
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            yield row["record_id"], row["model_id"], row["abstained"] or None, row["decided_by"] or None


def _append(shards: Sequence[Path], whole) -> None:
    for shard in shards:
        with shard.open("rb") as part:
            shutil.copyfileobj(part, whole)


def _write_parquet(predictions: Predictions, path: Path) -> None:
    pq.write_table(_table(predictions), path)


def _join_parquet(shards: Sequence[Path], path: Path, empty: Predictions) -> None:
    """One row group a shard."""
    with pq.ParquetWriter(path, _table(empty).schema) as writer:
        for shard in shards:
            writer.write_table(pq.read_table(shard))


def _parquet_answers(path: Path) -> Iterator[Answered]:
    with pq.ParquetFile(path) as file:
        columns = ["record_id", "model_id", "abstained", "decided_by"]
        for part in file.iter_batches(columns=columns):
            yield from zip(*(part[name].to_pylist() for name in columns))


def _table(predictions: Predictions) -> pa.Table:
    """The columns with types that do not depend on what is in them; NaN is null."""
    frame = predictions.to_frame()
    schema = pa.schema([(name, _type(str(name))) for name in frame])
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False).replace_schema_metadata(None)


def _type(column: str) -> pa.DataType:
    if "." not in column:
        return pa.string()
    if column.endswith(".prediction_set"):
        return pa.string()
    return pa.int8() if column.endswith(".decision") else pa.float64()


FORMATS = {
    ".parquet": Format(_write_parquet, _join_parquet, iter, _parquet_answers),
    ".jsonl": Format(_write_jsonl, _join_jsonl, iter, _jsonl_answers),
    ".csv": Format(_write_csv, _join_csv, _csv_ids, _csv_answers),
}
