"""Where and how precisely tensors are computed, and under which seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


def pick_device(name: str = "auto") -> torch.device:
    """The device for `auto` (a GPU where there is one), `cpu`, or `cuda`. Raises ValueError if there is no such."""
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"the device is auto, cpu or cuda, not {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("there is no CUDA device here: give auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 pays on `device`: a GPU from Ampere on, or a processor with avx512_bf16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def autocast(device: torch.device, precision: str):
    """The context in which a forward pass runs: `fp32` as it stands, `bf16` by autocast."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)


def machine(device: torch.device) -> dict[str, str | int]:
    """What the digits of a training depend on here, beside its seed."""
    processor = torch.backends.cpu.get_cpu_capability()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor
    return {"device": device.type, "processor": name, "threads": torch.get_num_threads()}


def training_precision(device: torch.device) -> str:
    """bf16 where it is fast, else fp32."""
    return "bf16" if has_fast_bf16(device) else "fp32"


@contextmanager
def seeded(random_state: int, device: torch.device) -> Iterator[torch.Generator]:
    """Everything random inside follows `random_state`; the global generators are as before afterwards.

    Yields a CPU generator of its own for what takes one."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(random_state)
        yield torch.Generator().manual_seed(random_state)
