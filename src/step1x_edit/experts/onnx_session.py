"""Opens networks stored as ONNX, each on one thread: workers share the cores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from step1x_edit.errors import ExpertError, MissingExtra
from step1x_edit.experts.extras import optional_package, part_file

__all__ = ["onnx_session"]

ERRORS_ONLY = 3


def onnx_session(model: Path) -> Any:
    """Return an onnxruntime session for a file.

    Args:
        model: The network as an ONNX file.

    Raises:
        MissingExtra: onnxruntime is not installed, or there is no such file.
        ExpertError: The file is no network that onnxruntime can run.
    """
    onnxruntime = optional_package("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(part_file(model)), options, providers=["CPUExecutionProvider"])
    except MissingExtra:
        raise
    except Exception as broken:  # onnxruntime's errors share no nearer base
        raise ExpertError(
            given=f"{model} ({broken})",
            expected="a network that onnxruntime can run",
            remedy="Bring the part again with `step1x data setup`.",
        ) from broken
