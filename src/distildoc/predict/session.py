"""An ONNX graph of a bundle, opened on the CPU and compared with what bundle.json says of it."""

from collections.abc import Sequence
from pathlib import Path

import onnxruntime

from distildoc.schema.bundle import Bundle, read_bundle
from distildoc.schema.errors import InputError

TEXT_INPUTS = ("input_ids", "attention_mask")
PREDICTS = {"classification": "the classes of pages or texts", "detection": "the layout of pages"}


def open_session(path: Path, threads: int | None) -> onnxruntime.InferenceSession:
    """A session on `threads` CPU threads (None: one a core); raises InputError for a damaged graph."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its warnings are no business of the user; errors come as exceptions
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads leave the cores alone
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a class of its own for every kind of damage
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: onnxruntime cannot open the graph ({reason}); export it again") from None


def bundle_for(folder: str | Path, task: str) -> Bundle:
    """The bundle in a folder; raises InputError where it is damaged or made for another task."""
    bundle = read_bundle(folder)
    if bundle.task != task:
        raise InputError(f"{folder}: this bundle predicts {PREDICTS[bundle.task]}, not {PREDICTS[task]}")
    return bundle


def check_graph(session: onnxruntime.InferenceSession, bundle: Bundle, where: str) -> dict[str, Sequence[object]]:
    """Shapes of the outputs, by name, once inputs and outputs are those of bundle.json; InputError otherwise."""
    inputs = {item.name: item.shape for item in session.get_inputs()}
    outputs = {item.name: item.shape for item in session.get_outputs()}
    if bundle.reads_texts and bundle.graph.inputs != TEXT_INPUTS:
        raise InputError(f"{where}: a bundle of texts has the inputs {list(TEXT_INPUTS)}; export the bundle again")
    if set(inputs) != set(bundle.graph.inputs) or not set(bundle.graph.outputs) <= set(outputs):
        raise InputError(
            f"{where}: the graph has inputs {sorted(inputs)} and outputs {sorted(outputs)}, bundle.json says "
            f"{list(bundle.graph.inputs)} and {list(bundle.graph.outputs)}; export the bundle again"
        )
    size = None if bundle.reads_texts else list(bundle.preprocess.shape)
    if size is not None and inputs[bundle.graph.inputs[0]][1:] != size:
        raise InputError(f"{where}: the graph reads {inputs[bundle.graph.inputs[0]]}, bundle.json says {size} a page")
    return outputs
