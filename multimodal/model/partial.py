"""The folder of a run that is under way, beside what it will write; run.json there says what is being run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..records import UsageError, shown

RUN = "run.json"
WRITING = ".writing"


def partial_of(out: Path) -> Path:
    """The folder of a run that is under way."""
    return out.with_name(out.name + ".partial")


def start_run(partial: Path, run: Mapping[str, Any]) -> None:
    """Open the folder of the run, or raise UsageError if the one that is there is another run."""
    partial.mkdir(parents=True, exist_ok=True)
    check_run(partial, run)
    if not (partial / RUN).exists():
        with put_in_place(partial / RUN) as writing:
            writing.write_text(json.dumps(run, indent=1), encoding="utf-8")


def check_run(partial: Path, run: Mapping[str, Any]) -> None:
    """Raise UsageError if what is known of `run` differs from the run in the folder, where there is one."""
    path = partial / RUN
    if not path.exists():
        return
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):
        raise UsageError(f"{path} is damaged: --overwrite starts afresh") from None
    differs = [
        f"{key} was {shown(before.get(key))}, is {shown(run[key])}" for key in run if before.get(key) != run[key]
    ]
    if differs:
        raise UsageError(f"{partial} is another run: {'; '.join(differs)}. --overwrite starts afresh")


@contextmanager
def put_in_place(path: Path) -> Iterator[Path]:
    """A name to write to, renamed to `path` once it is whole and on disk."""
    writing = path.with_name(path.name + WRITING)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield writing
        with writing.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(writing, path)
    finally:
        writing.unlink(missing_ok=True)
