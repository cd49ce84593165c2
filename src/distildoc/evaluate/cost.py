"""What a model costs: weights stored, multiply-adds, and milliseconds a page on this machine."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from distildoc.core.model import evaluating, parameter_count

RUNS, WARM_UP = 30, 5


@dataclass(frozen=True)
class Latency:
    """Wall-clock milliseconds of one call: median and 90th percentile over `runs`, with so many threads."""

    median_ms: float
    p90_ms: float
    runs: int
    threads: int


class Session(Protocol):
    """The part of an ONNX Runtime session that is timed."""

    def get_inputs(self) -> Sequence[Any]: ...

    def get_session_options(self) -> Any: ...

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, Any]) -> Any: ...


def macs(model: nn.Module, size: tuple[int, int], *, text: int | None = None) -> int:
    """Multiply-adds of one forward on one page of (height, width) pixels, or on one text of so many bytes.

    Counted: convolutions, matrix products and attention, by torch's FLOP counter (two FLOPs a multiply-add). Not
    counted: normalisation, activations, softmax, resizing, additions, and what detectors sample from their maps
    (deformable attention, RoI align), sort and suppress. The page is blank: a detector that works through proposals
    is counted, and timed, with those it makes of it.
    """
    inputs = _example(model, size, text)
    counter = FlopCounterMode(display=False)
    # the fused attention kernels are opaque to the counter on CPU; the plain one is matrix products
    with evaluating(model), torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        model(inputs)
    return int(counter.get_total_flops()) // 2


def _example(model: nn.Module, size: tuple[int, int], text: int | None) -> torch.Tensor:
    """A blank page, or a text of one-letter words."""
    device = next(model.parameters()).device
    if text is None:
        return torch.zeros(1, 3, *size, device=device)
    return torch.tensor([list((b"a " * text)[:text])], dtype=torch.uint8, device=device)


def latency(call: Callable[[], object], *, threads: int, runs: int = RUNS, warm_up: int = WARM_UP) -> Latency:
    """Time a call after `warm_up` calls that do not count; `threads` is only written down."""
    for _ in range(warm_up):
        call()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    median, p90 = np.percentile(np.array(seconds) * 1000, [50, 90])
    return Latency(float(median), float(p90), runs, threads)


def torch_latency(
    model: nn.Module, size: tuple[int, int], *, threads: int = 1, runs: int = RUNS, text: int | None = None
) -> Latency:
    """Forward of one page of (height, width) pixels, or one text, on CPU with so many threads; logits out.

    On an accelerator the call waits for the result. The process keeps the number of threads it had.
    """
    inputs = _example(model, size, text)
    device = inputs.device

    def call() -> None:
        model(inputs)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with evaluating(model), torch.no_grad():
            return latency(call, threads=threads, runs=runs)
    finally:
        torch.set_num_threads(before)


def session_latency(session: Session, size: tuple[int, int], *, runs: int = RUNS) -> Latency:
    """Run of one blank page of (height, width) pixels through an ONNX session, with the threads it was made with."""
    name = session.get_inputs()[0].name
    pixels = np.zeros((1, 3, *size), np.float32)
    threads = int(session.get_session_options().intra_op_num_threads)  # 0 is ONNX Runtime's own choice
    return latency(lambda: session.run(None, {name: pixels}), threads=threads, runs=runs)


def cost_of(
    model: nn.Module, size: tuple[int, int], *, threads: int = 1, runs: int = RUNS, text: int | None = None
) -> dict[str, float]:
    """Cost for a Report: parameters, macs, latency_ms (median, batch 1), latency_p90_ms, threads, and of what: height
    and width of a page, or text_bytes of a text.
    """
    timed = torch_latency(model, size, threads=threads, runs=runs, text=text)
    seen = {"height": size[0], "width": size[1]} if text is None else {"text_bytes": text}
    return {
        "parameters": parameter_count(model),
        "macs": macs(model, size, text=text),
        "latency_ms": round(timed.median_ms, 4),
        "latency_p90_ms": round(timed.p90_ms, 4),
        "threads": threads,
        **seen,
    }
