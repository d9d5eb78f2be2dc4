"""How many threads the products of small matrices get."""

import os


def use_one_blas_thread() -> None:
    """Let numpy compute products of matrices in one thread; call it before its import.

    What a user has set is kept. With a thread for each core, OpenBLAS, which numpy's
    wheels have, spends most of their time waiting: comparing 400 corners of two pictures
    (`data.footage.views.features`) took 17 ms of processor time on two cores, and 2 ms
    with one thread.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
