"""Fixtures that several test files share, and the flags of the fuzz campaign."""

import signal
import sys
import tempfile
from pathlib import Path

import pytest

from realesrgan_paddle.utils.machine.devices import use_one_blas_thread

# As in the commands, so before any test imports numpy: two processes of threads that wait
# for each other took twice as long for tests/footage.
use_one_blas_thread()

ASSETS = Path(__file__).resolve().parents[2] / "shared" / "assets"
CPUINFO = Path("/proc/cpuinfo")
CAMPAIGN = Path(tempfile.gettempdir()) / "realesrgan-paddle-fuzz"


@pytest.fixture
def avx2():
    """Skip where oneDNN has no convolutions for the engine, which the command then leaves."""
    if CPUINFO.is_file() and "avx2" not in CPUINFO.read_text().split():
        pytest.skip("this processor has no AVX2")


@pytest.fixture(autouse=True)
def own_words(monkeypatch):
    """Let no test see how another one called the program, which notes it in `sys.argv`."""
    monkeypatch.setattr(sys, "argv", [*sys.argv])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the flags of tests/fuzz here: pytest reads this file in time."""
    group = parser.getgroup("fuzz")
    group.addoption(
        "--minutes", type=float, default=1, help="how long -m fuzz goes on; default: 1"
    )
    group.addoption(
        "--campaign",
        default=str(CAMPAIGN),
        metavar="=FOLDER",  # a folder after a space would be taken for a test
        help="its results, after which the next run goes on; default: %(default)s",
    )
    group.addoption("--case", type=int, help="run this case of -m fuzz again, alone")


def pytest_configure() -> None:
    """Listen to Ctrl-C, as in a terminal: a shell's background jobs ignore it.

    The commands that tests start would ignore it too.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter,
) -> None:
    """Print the counts of a campaign, which was run in another process."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            counts = dict(report.user_properties).get("campaign")
            if counts:
                terminalreporter.write_line(counts)


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real weights, frames and videos that lies beside a developer's checkout."""
    if not ASSETS.is_dir():
        pytest.skip(
            "the folder of real files (shared/assets) is not beside this checkout"
        )
    return ASSETS


@pytest.fixture
def options(tmp_path: Path) -> dict:
    """Options of a GAN run of a second over three images, one of them smaller than a crop."""
    from sample_runs import tiny_options  # it imports the training loop

    return tiny_options(tmp_path)


@pytest.fixture(autouse=True)
def no_fetched_weights(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run without LPIPS unless a test asks for it: downloads must not change a test."""
    if request.node.get_closest_marker("paddle"):
        from unfetched import fetch_nothing

        fetch_nothing(monkeypatch)


@pytest.fixture(autouse=True)
def _sigterm_as_before():
    """A command's `run` sets a handler, and children inherit that SIGTERM is ignored."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
