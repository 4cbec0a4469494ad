"""The guarded process that decodes: `python -m multimodal.imaging.worker`, started by `client`.

It holds untrusted bytes, so its memory is limited, an orphan that hangs is ended by an alarm, and what decoders print
goes nowhere. It imports no torch. One request: {"path", "preparation", "seconds"}; one answer: {"digest", "kind",
"warnings", "facts", "properties"} with the bytes of the slices, size * size each, or {"code", "message"}. Before the
answer a {"step": true} tells that files of a series or slices are done, for each of which the time limit holds: no
oftener than every QUIET of that limit, since to tell it each time would cost more than to read a small file.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from multimodal.records import ItemError

from .prepare import Preparation, prepare_slices
from .protocol import QUIET, read_message, write_message
from .read import volume_and_file

MEMORY = 2 * 2**30  # bytes above what the idle process holds


def main() -> None:
    """Answers requests on standard input until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # decoders written in C print where the answers go
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the reader ends its workers itself
    limited = limit_memory()
    write_message(answers, {"ready": True, "limited": limited})
    while (message := read_message(sys.stdin.buffer)) is not None:
        request, _ = message
        step = steps(answers, request["seconds"])
        header, body = answer(Path(request["path"]), Preparation(**request["preparation"]), step)
        alarm(0)
        write_message(answers, header, body)


def steps(answers: BinaryIO, seconds: float) -> Callable[[], None]:
    """What is to be called after each file and slice: it starts the time limit anew, here and at times there."""
    told = time.monotonic()
    alarm(int(seconds) + 5)

    def step() -> None:
        nonlocal told
        alarm(int(seconds) + 5)
        if time.monotonic() - told >= QUIET * seconds:
            told = time.monotonic()
            write_message(answers, {"step": True})

    return step


def alarm(seconds: int) -> None:
    """Ends this process in so many seconds, 0: never. Python's handlers cannot run inside a C decoder that hangs; the
    default action of this signal ends it."""
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


def answer(path: Path, preparation: Preparation, step: Callable[[], None] = lambda: None) -> tuple[dict, bytes]:
    """The answer for one file or series: its prepared slices, or why there are none."""
    try:
        volume, digest, properties = volume_and_file(path, preparation.slices, preparation.window, step)
        pixels = prepare_slices(volume.grey, preparation, step)
    except ItemError as error:
        return {"code": error.problem.code, "message": error.problem.message}, b""
    except MemoryError:
        return {"code": "DECODE_MEMORY", "message": "decoding took more than 2 GiB of memory."}, b""
    header = {"digest": digest, "kind": volume.kind, "warnings": volume.warnings, "facts": volume.provenance}
    return {**header, "properties": properties}, pixels.tobytes()


def limit_memory() -> bool:
    """Limits this process to 2 GiB above what it holds now; False where the system has no such limit."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, OSError, ValueError):
        return False
    return True


if __name__ == "__main__":
    main()
