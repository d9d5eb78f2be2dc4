"""A local S3 server, moto's, with what the storage's tools need to find it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import Request, urlopen

import pytest


@contextmanager
def s3_server(
    monkeypatch: pytest.MonkeyPatch, bucket: str
) -> Iterator[tuple[Any, Callable[[float], None]]]:
    """Start a server with an empty bucket; yield its client, and what stops it for seconds."""
    moto = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    s3fs = pytest.importorskip("s3fs")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    port = server.get_host_and_port()[1]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    s3fs.S3FileSystem.clear_instance_cache()

    # Servers of one process have the same memory: without what another test has put there.
    urlopen(Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST")).close()
    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    client.create_bucket(Bucket=bucket)

    def stop_for(seconds: float) -> None:
        nonlocal server
        server.stop()
        time.sleep(seconds)
        server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=port)
        server.start()

    yield client, stop_for
    server.stop()
