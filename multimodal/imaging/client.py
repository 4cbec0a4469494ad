"""The reader's side of the worker processes: start, ask, time out, restart, use again, close at exit."""

from __future__ import annotations

import atexit
import contextlib
import os
import queue
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import numpy as np

from multimodal.records import ItemError

from .prepare import Preparation
from .protocol import QUIET, read_message, write_message

SECONDS = 10.0  # for one file; of a series for each file and each slice, which the worker tells
START_SECONDS = 120.0  # for the worker's imports, on a busy machine
ROOT = Path(__file__).resolve().parents[2]

_idle: list[Worker] = []
_lock = threading.Lock()


class Worker:
    """One worker process. `served` counts its answers; `ask` may be called by one thread at a time."""

    def __init__(self) -> None:
        # By module name, so that nothing of the caller's script runs again; one thread, since files run in parallel.
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.owner = os.getpid()
        self.served = 0
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **single, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self._answers: queue.SimpleQueue = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()
        try:
            started = self._answers.get(timeout=START_SECONDS) is not None
        except queue.Empty:
            started = False
        if not started:
            self.close()
            raise RuntimeError("the image worker process did not start")

    def _listen(self) -> None:
        """Passes the answers on, then None when the process has ended."""
        with self.process.stdout as stream:
            while (message := read_message(stream)) is not None:
                self._answers.put(message)
        self._answers.put(None)

    def ask(self, path: Path, preparation: Preparation, seconds: float) -> tuple[dict, bytes]:
        """The worker's answer for one file or series. Raises ItemError DECODE_TIMEOUT, DECODE_FAILED where it died."""
        with contextlib.suppress(OSError):  # it died between two files; that shows below
            request = {"path": os.fspath(path), "preparation": asdict(preparation), "seconds": seconds}
            write_message(self.process.stdin, request)
        self.served += 1
        try:
            # Up to QUIET of the limit may have passed when the step began that is not told of.
            wait = seconds * (1 + QUIET)
            while (answer := self._answers.get(timeout=wait)) is not None and "step" in answer[0]:
                pass
        except queue.Empty:
            self.close()
            raise ItemError("DECODE_TIMEOUT", f"decoding took more than {seconds:g} seconds.") from None
        if answer is None:
            self.close()
            raise ItemError("DECODE_FAILED", "the decoder crashed on this file.")
        return answer

    def alive(self) -> bool:
        return self.process.poll() is None

    def close(self) -> None:
        """Ends the process at once; a second call does nothing."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(OSError):  # a request that the dead worker never took
            self.process.stdin.close()


def decode(path: Path, preparation: Preparation, seconds: float = SECONDS) -> tuple[np.ndarray, dict]:
    """The prepared slices of one file or series, uint8 (s, size, size), and {"digest", "kind", "warnings", "facts",
    "properties"}.

    A worker that died or timed out is replaced. What an earlier file may have done to a worker (leaked memory, damage)
    costs no later one: a crash or want of memory in a used worker is tried once more in a fresh one.
    Raises ItemError with an image code.
    """
    while True:
        worker = _borrow()
        fresh = worker.served == 0
        try:
            header, body = worker.ask(path, preparation, seconds)
            if "code" in header:
                raise ItemError(header["code"], header["message"])
            return np.frombuffer(body, np.uint8).reshape(-1, preparation.size, preparation.size), header
        except ItemError as error:
            if error.code == "DECODE_TIMEOUT" or (error.code == "DECODE_MEMORY" and not fresh):
                worker.close()
            if fresh or worker.alive() or error.code == "DECODE_TIMEOUT":
                raise
        except BaseException:  # interrupted: the answer that is under way would be taken for the next file's
            worker.close()
            raise
        finally:
            _give_back(worker)


def _borrow() -> Worker:
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.owner != os.getpid():
                continue  # after a fork the pipes belong to the parent
            if worker.alive():
                return worker
            worker.close()
    return Worker()


def _give_back(worker: Worker) -> None:
    if not worker.alive():
        worker.close()
        return
    with _lock:
        _idle.append(worker)


@atexit.register
def close_workers() -> None:
    """Ends the idle worker processes of this process."""
    with _lock:
        while _idle:
            worker = _idle.pop()
            if worker.owner == os.getpid():
                worker.close()
