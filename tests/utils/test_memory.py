"""The memory that a process may take, and still take, from what Linux says of it."""

import subprocess
import sys

import pytest

from realesrgan_paddle.utils.machine import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with 8 GB available, and a control group as its test writes it."""
    (tmp_path / "meminfo").write_text(
        "MemTotal: 9000000 kB\nMemAvailable: 8000000 kB\n"
    )
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "OWN_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "sys")
    return tmp_path


def group(folder, limit, used, cached, names=("max", "current", "inactive_file")):
    folder.mkdir(parents=True)
    (folder / f"memory.{names[0]}").write_text(f"{limit}\n")
    (folder / f"memory.{names[1]}").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{names[2]} {cached}\n")


VERSION_1 = ("limit_in_bytes", "usage_in_bytes", "total_inactive_file")


def test_without_control_groups_it_is_what_is_available(machine):
    assert memory.free_memory() == 8_000_000 * 1024
    (machine / "groups").write_text("0::/\n")
    assert memory.free_memory() == 8_000_000 * 1024


def test_a_group_may_leave_less_than_is_available(machine):
    (machine / "groups").write_text("0::/user/job\n")
    group(machine / "sys/user", 3_000_000, 1_000_000, 400_000)
    group(machine / "sys/user/job", "max", 100, 0)
    assert memory.free_memory() == 2_400_000
    assert memory.memory_limit() == 3_000_000


def test_a_group_of_version_1_counts_as_well(machine):
    (machine / "groups").write_text("5:cpu,cpuacct:/job\n4:memory:/job\n0::/\n")
    group(machine / "sys/memory/job", 3_000_000, 2_900_000, 0, VERSION_1)
    assert memory.free_memory() == 100_000


def test_in_a_container_the_topmost_group_has_the_limit(machine):
    (machine / "groups").write_text("4:memory:/docker/0123\n")
    group(machine / "sys/memory", 3_000_000, 3_500_000, 0, VERSION_1)
    assert memory.free_memory() == 0


def test_elsewhere_it_is_half_of_the_machine_or_a_guess(machine, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", machine / "nowhere")
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(memory.os, "sysconf", sizes.get)
    assert memory.free_memory() == 4096 * 1000 / 2

    monkeypatch.delattr(memory.os, "sysconf")
    assert memory.free_memory() == memory.UNKNOWN_MEMORY


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_limited_address_space_is_shared():
    """Of `ulimit -v` each range takes half of what is left, so that others can follow."""
    code = (
        "import resource, sys\n"
        "from realesrgan_paddle.utils.machine.memory import reserve_memory\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "kept = [reserve_memory() for _ in range(3)]\n"
        "sizes = [each.pages.size for each in kept]\n"
        "assert 2**28 < sizes[2] < sizes[1] < sizes[0] < 2**31, sizes\n"
        "assert reserve_memory(2**20).pages.size == 2**20\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**20, 4 << 30))\n"
        "try:\n"
        "    reserve_memory()\n"
        "except MemoryError as error:\n"
        "    assert 'ulimit -v' in str(error)\n"
        "else:\n"
        "    sys.exit('there was memory')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
