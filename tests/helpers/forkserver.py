"""Processes that start in milliseconds, because their imports are done already."""

import multiprocessing

FORKSERVER = multiprocessing.get_context("forkserver")
# Imported once for all processes; the first one imports Paddle.
FORKSERVER.set_forkserver_preload(
    [
        "realesrgan_paddle.training.checkpoints",
        "realesrgan_paddle.tools.build_domain_set",
    ]
)
