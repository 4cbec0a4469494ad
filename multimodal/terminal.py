"""What the command line says: tables and JSON on stdout; progress, messages and errors on stderr.

It is loaded for `--help` too, so what it needs is imported on use.
"""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

# What the system refuses for reasons of the machine or the call, and no defect of ours: {errno: exit status}.
REFUSED = {
    errno.ENOSPC: 3,
    errno.EDQUOT: 3,
    errno.EROFS: 3,
    errno.EACCES: 3,
    errno.EPERM: 3,
    errno.ENOENT: 2,
    errno.ENOTDIR: 2,
    errno.EISDIR: 2,
    errno.ENAMETOOLONG: 2,
    errno.EADDRINUSE: 2,
}


def report_error(error: Exception) -> int:
    """Say on stderr what went wrong; returns the exit status."""
    from .records import InputError, shown

    if isinstance(error, InputError):
        print("\n".join([f"multimodal: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return error.exit_status
    if isinstance(error, OSError) and error.errno in REFUSED:
        print(f"multimodal: {shown(error.filename or 'the system', 200)}: {error.strerror}", file=sys.stderr)
        return REFUSED[error.errno]
    traceback.print_exception(error)
    print("multimodal: this is a defect of ours; the lines above say where. Please report it.", file=sys.stderr)
    return 1


@contextmanager
def progress(quiet: bool, what: str) -> Iterator[tuple[Callable[..., None], Callable[[str], None]]]:
    """(advance(done, total, what), say(line)) on stderr; the bar only where that is a terminal.

    Until `advance` is called with a total, the bar runs to and fro.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, quiet=quiet)
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: float, total: float | None, what: str = what) -> None:
            bar.update(task, completed=done, total=total, description=what)

        def say(line: str) -> None:
            console.print(line, markup=False, highlight=False, soft_wrap=True)

        yield advance, say


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without lines; all but the first column wrap at the terminal's width (80 when piped)."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for i, name in enumerate(head):
        table.add_column(name, no_wrap=i == 0, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


def print_json(found: Any) -> None:
    print(json.dumps(found, indent=1, ensure_ascii=True, allow_nan=False))
