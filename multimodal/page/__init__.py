"""The page: one patient's image, note and measurements in, probabilities and their reasons out.

Research use, not a medical device. Gradio is loaded by `build` and `serve`, not by the import of this room.
"""

from __future__ import annotations

import contextlib
import ipaddress
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import ClinicalModel, with_options
from ..records import UsageError
from ..sources import Cohort
from .private import open_private_folder, remove_private_folder

if TYPE_CHECKING:
    import gradio as gr

__all__ = ["build", "serve", "start"]


def build(model: ClinicalModel, examples: Cohort | None = None) -> gr.Blocks:
    """The page of `model`, not yet served; `start` serves it.

    examples  a cohort to take ready examples from; the page copies them when it is built
    Sets the environment that keeps gradio offline and its files in a private folder, then loads gradio.
    """
    open_private_folder()
    from .layout import layout

    return layout(model, examples)


def start(page: gr.Blocks, *, host: str = "127.0.0.1", port: int | None = None) -> str:
    """Serve `page` in the background and return its address; `page.close(verbose=False)` ends it.

    port  None: the first free one from 7860 on
    Raises UsageError if the port is taken or the host is not ours.
    """
    from .launch import launch

    try:
        return launch(page, host=host, port=port)
    except OSError as error:
        where = f"{host}:{port}" if port else host
        raise UsageError(
            f"the page cannot be served at {where}: it is taken or not ours; choose --host, --port"
        ) from error


def serve(
    model: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    examples: str | Path | None = None,
    fallback: str | None = None,
) -> None:
    """Serve the page of the model folder `model` until Ctrl-C or SIGTERM; then everything it wrote is removed.

    examples  a cohort (folder or file) to take ready examples from
    fallback  the bedside score that decides risks where the model abstains; None: as the model's options say
    Raises ModelError, CohortError, and UsageError as `start`.
    """
    loaded = ClinicalModel.load(model)
    if fallback is not None:
        loaded.config_ = with_options(loaded.config_, "trust", fallback=fallback)
    page = build(loaded, Cohort.open(examples, known=loaded.own_measurements_) if examples else None)
    with _terminate_as_interrupt(), contextlib.suppress(KeyboardInterrupt):
        try:
            address = start(page, host=host, port=port)
            print(f"The page is at {address}  (Ctrl-C ends it)", file=sys.stderr, flush=True)
            if not _is_loopback(host):
                print(f"It has no login: whoever reaches {host} can use it.", file=sys.stderr, flush=True)
            threading.Event().wait()
        finally:
            page.close(verbose=False)
            remove_private_folder()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextlib.contextmanager
def _terminate_as_interrupt():
    """SIGTERM ends like Ctrl-C, so that the private folder goes; outside the main thread nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
