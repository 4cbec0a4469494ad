"""The operations a second that the machine reaches, and each backbone's images per second and share of them.

A share above 1 is possible: a convolution may need fewer operations than are counted (Winograd), and torch counts the
way back through grouped ones (EfficientNet's) as if they had no groups. These are the parts of `images.py` that know no
picture. Run by itself this is the other process of that program: it answers tasks on its standard input, one JSON line
each, with one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch.utils.flop_counter import FlopCounterMode

from multimodal.encoders.backbones import BACKBONES
from multimodal.learning.devices import autocast, has_fast_bf16

PRODUCTS = 9  # of matrices; the fastest counts
SECONDS = 0.5  # at least, of each backbone's measurement
BATCH = {"cpu": 16, "cuda": 256}
SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def places() -> list[tuple[str, torch.device, int]]:
    """(name, device, threads)"""
    found = [("1 thread", torch.device("cpu"), 1), ("2 threads", torch.device("cpu"), 2)]
    return [*found, ("cuda", torch.device("cuda"), 2)] if torch.cuda.is_available() else found


def precisions(device: torch.device) -> tuple[str, ...]:
    return ("fp32", "bf16") if has_fast_bf16(device) else ("fp32",)


def machine_limits() -> list[dict]:
    torch.backends.cuda.matmul.allow_tf32 = True  # as torch's convolutions on CUDA do
    rows = []
    for name, device, threads in places():
        rates = {precision: product_rate(device, precision, threads) for precision in precisions(device)}
        rows.append({"on": name} | {f"GFLOP/s {precision}": rate for precision, rate in rates.items()})
    return rows


def product_rate(device: torch.device, precision: str, threads: int) -> float:
    torch.set_num_threads(threads)
    side = SIDE[device.type]
    matrix = torch.randn(side, side, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return 2 * side**3 / min(seconds(lambda: finished(matrix @ matrix)) for _ in range(PRODUCTS)) / 1e9


def finished(tensor: torch.Tensor) -> None:
    """Waits until `tensor` is computed."""
    if tensor.is_cuda:
        torch.cuda.synchronize()


def backbone_rows(size: int, limits: list[dict]) -> list[dict]:
    """Images and GFLOP per second of each backbone and share of the limit; two processes of that of two threads."""
    limit = {row["on"]: row for row in limits}
    limit["2 processes"] = limit["2 threads"]
    rows = []
    with ExitStack() as ends:
        others = [ends.enter_context(another_process()) for _ in range(2)]
        for name in BACKBONES:
            for work in ("forward", "training"):
                gflop = gflop_of(name, work, size)
                for precision in ("fp32", "bf16"):
                    rates = rates_of({"name": name, "work": work, "precision": precision, "size": size}, others)
                    if not rates:
                        continue
                    shares = {on: rate * gflop / limit[on][f"GFLOP/s {precision}"] for on, rate in rates.items()}
                    row = {"backbone": name, "work": work, "precision": precision, "GFLOP": gflop}
                    row |= {f"images/s {on}": rate for on, rate in rates.items()}
                    row |= {f"GFLOP/s {on}": rate * gflop for on, rate in rates.items()}
                    rows.append(row | {f"of limit {on}": share for on, share in shares.items()})
    return rows


def rates_of(task: dict, others: list[subprocess.Popen]) -> dict[str, float]:
    """Images per second by place, and of the other processes together, which work at the same time."""
    usable = [place for place in places() if task["precision"] in precisions(place[1])]
    rates = {on: backbone_rate(**task, device=device, threads=threads) for on, device, threads in usable}
    if "1 thread" in rates:
        for process in others:
            print(json.dumps(task), file=process.stdin, flush=True)
        rates["2 processes"] = sum(float(process.stdout.readline()) for process in others)
    return rates


def another_process() -> subprocess.Popen:
    """This module again, in a process of its own, which ends with its standard input."""
    return subprocess.Popen([sys.executable, __file__], stdin=-1, stdout=-1, text=True)


def main() -> None:
    for line in sys.stdin:
        print(backbone_rate(**json.loads(line), device=torch.device("cpu"), threads=1), flush=True)


def backbone_rate(*, name: str, work: str, precision: str, size: int, device: torch.device, threads: int) -> float:
    """Images per second, after one batch to warm up."""
    torch.set_num_threads(threads)
    batch = torch.randn(BATCH[device.type], 1, size, size, device=device).contiguous(memory_format=torch.channels_last)
    run = runner(name, work, precision, device)
    finished(run(batch))
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        finished(run(batch))
        done += len(batch)
    return done / (time.perf_counter() - started)


def runner(name: str, work: str, precision: str, device: torch.device) -> Callable[[torch.Tensor], torch.Tensor]:
    """Pictures (k, 1, size, size) -> features, or the loss of one step of AdamW."""
    backbone = BACKBONES[name]().to(device, memory_format=torch.channels_last).train(work == "training")
    optimizer = torch.optim.AdamW(backbone.parameters())

    def forward(batch: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode(), autocast(device, precision):
            return backbone(batch)

    def training(batch: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with autocast(device, precision):
            loss = backbone(batch).float().square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return forward if work == "forward" else training


def gflop_of(name: str, work: str, size: int) -> float:
    """10^9 operations an image, of convolutions and matrix products."""
    with FlopCounterMode(display=False) as counted:
        runner(name, work, "fp32", torch.device("cpu"))(torch.randn(2, 1, size, size))
    return counted.get_total_flops() / 2 / 1e9


if __name__ == "__main__":
    main()
