"""What tests of the engine need of the processor."""

import pytest


@pytest.fixture
def has_bf16():
    """Skip where oneDNN does not multiply in bfloat16."""
    from realesrgan_paddle.inference.engine.check import check_operators
    from realesrgan_paddle.ops.onednn.library import BF16, OneDNNError

    try:
        check_operators(BF16)
    except OneDNNError as error:
        pytest.skip(f"no bfloat16 here: {error}")
