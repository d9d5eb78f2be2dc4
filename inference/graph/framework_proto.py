"""Paddle's own description of the `.pdmodel` format, loaded without Paddle."""

import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from realesrgan_paddle.utils.machine.devices import require_paddle

MODULE = "paddle.base.proto.framework_pb2"
"""The module that protobuf generated, in Paddle 2.6 and 3."""


def framework_proto() -> ModuleType:
    """Return Paddle's `framework_pb2`, which needs protobuf alone.

    Importing it as usual imports Paddle, which takes more than a second. It is kept
    where Paddle's import finds it: its messages are registered once in a process.

    Raises:
        UserError: there is no Paddle.
    """
    if MODULE in sys.modules:
        return sys.modules[MODULE]

    require_paddle()
    paddle = find_spec("paddle")
    assert paddle is not None
    assert paddle.origin is not None
    path = Path(paddle.origin).parent / "base" / "proto" / "framework_pb2.py"
    spec = spec_from_file_location(MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return sys.modules.setdefault(MODULE, module)
