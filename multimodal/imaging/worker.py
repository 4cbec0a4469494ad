"""The guarded process that decodes: `python -m multimodal.imaging.worker`, started by `client`.

It holds untrusted bytes, so its memory is limited, an orphan that hangs is ended by an alarm, and what decoders print
goes nowhere. It imports no torch. One request: {"path", "size", "seconds"}; one answer: {"digest", "kind", "warnings"}
with size * size bytes of pixels, or {"code", "message"}.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from multimodal.records import ItemError

from .prepare import prepare
from .protocol import read_message, write_message
from .read import read_with_digest

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
        # Python's handlers cannot run inside a C decoder that hangs; the default action of this signal ends it.
        if hasattr(signal, "alarm"):
            signal.alarm(int(request["seconds"]) + 5)
        header, body = answer(Path(request["path"]), request["size"])
        if hasattr(signal, "alarm"):
            signal.alarm(0)
        write_message(answers, header, body)


def answer(path: Path, size: int) -> tuple[dict, bytes]:
    """The answer for one file: its prepared pixels, or why there are none."""
    try:
        image, digest = read_with_digest(path)
        pixels = prepare(image.grey, size)
    except ItemError as error:
        return {"code": error.problem.code, "message": error.problem.message}, b""
    except MemoryError:
        return {"code": "DECODE_MEMORY", "message": "decoding took more than 2 GiB of memory."}, b""
    return {"digest": digest, "kind": image.kind, "warnings": image.warnings}, pixels.tobytes()


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
