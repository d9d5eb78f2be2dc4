"""The standing campaign: cases by number, in several processes, until the time is over."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
PATHS = [TESTS.parent, HERE, TESTS, TESTS / "helpers", TESTS / "video"]
"""Where the workers, and what their commands start, find their modules."""
RESULTS = "results.jsonl"
STUCK = 900
"""Seconds after which a worker is given up: far more than any case may take."""


@dataclass
class Campaign:
    """A folder with the samples, the results, and the files of each failed case."""

    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def results(self) -> list[dict]:
        """Everything that was run, in this session and before."""
        file = self.folder / RESULTS
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines]

    def run(self, seconds: float) -> list[dict]:
        """Go on after the last case for some time; return the results of this session."""
        self.prepare()
        end = time.monotonic() + seconds
        first = max((result["case"] for result in self.results), default=-1) + 1
        numbers = self._numbers(first, end)
        done: list[dict] = []

        threads = [
            threading.Thread(target=self._work, args=(numbers, done))
            for _ in range(os.cpu_count() or 1)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sorted(done, key=lambda result: result["case"])

    def prepare(self) -> None:
        """Make the samples, unless they are there."""
        if (self.folder / "samples").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        samples = self._start("samples.py")
        assert samples.wait() == 0, "the samples could not be made"

    def run_one(self, number: int) -> dict:
        """Run one case again and return its result."""
        self.prepare()
        with self._start("worker.py") as worker:
            return _ask(worker, number)

    def _start(self, script: str) -> subprocess.Popen:
        """Start a script of this folder, which can be asked by its stdin."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, PATHS)),
            "MPLCONFIGDIR": str(self.folder / "matplotlib"),
        }
        return subprocess.Popen(
            [sys.executable, str(HERE / script), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def _numbers(self, first: int, end: float) -> Iterator[int]:
        number = first
        while time.monotonic() < end:
            yield number
            number += 1

    def _work(self, numbers: Iterator[int], done: list[dict]) -> None:
        """Keep one worker busy."""
        worker = self._start("worker.py")
        while True:
            with self.lock:
                number = next(numbers, None)
            if number is None:
                break
            result = _ask(worker, number)
            if worker.poll() is not None:
                worker = self._start("worker.py")
            with self.lock:
                done.append(result)
                with (self.folder / RESULTS).open("a") as file:
                    file.write(json.dumps(result) + "\n")
        worker.stdin.close()
        worker.wait()


def _ask(worker: subprocess.Popen, number: int) -> dict:
    """Return the worker's result of a case, or that it died or hung."""
    timer = threading.Timer(STUCK, worker.kill)
    timer.start()
    try:
        worker.stdin.write(f"{number}\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
    except BrokenPipeError:
        answer = ""
    finally:
        timer.cancel()
    if answer:
        return json.loads(answer)
    worker.wait()
    return {"case": number, "problems": ["the campaign's own worker died or hung"]}
