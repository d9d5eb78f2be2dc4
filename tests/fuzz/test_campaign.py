"""Nothing that a stranger's file holds ends in more than one line and exit code 1.

    python -m pytest -m fuzz --minutes 20

goes on where the last campaign in the same folder (`--campaign`) has stopped.
"""

import sys
from pathlib import Path

import pytest
from campaign import Campaign

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.slow
@pytest.mark.fuzz
def test_no_file_does_more_than_fail_in_one_line(request, record_property):
    campaign = Campaign(Path(request.config.getoption("--campaign")).resolve())
    number = request.config.getoption("--case")
    if number is None:
        results = campaign.run(60 * request.config.getoption("--minutes"))
    else:
        results = [campaign.run_one(number)]

    record_property("campaign", f"{summary(results)}; {campaign.folder}")
    assert results, "no case was run"
    failed = [result for result in results if result["problems"]]
    if failed:
        pytest.fail("\n".join(map(report, failed)), pytrace=False)


def summary(results: list[dict]) -> str:
    """Return the campaign's counts in one line."""
    run = [result for result in results if "seconds" in result]
    failed = sum(bool(result["problems"]) for result in results)
    longest = max((result["seconds"] for result in run), default=0)
    memory = max((result["memory_mb"] for result in run), default=0)
    return (
        f"{len(results)} cases, {failed} not accepted; "
        f"longest run {longest:.0f} s, peak memory {memory} MB"
    )


def report(result: dict) -> str:
    """Return a line on a failed case, with the command that runs it again."""
    again = f"python -m pytest -m fuzz --case {result['case']}"
    return f"{again}: {result.get('command')}: {'; '.join(result['problems'])}"
