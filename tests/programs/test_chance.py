"""Chance is drawn from the run's seed: the same seed, the same bytes. getrandom(2), getauxval(3)."""

from pathlib import Path
from uuid import UUID

from tests.programs.build import compile_c
from tests.programs.harness import run_natively, run_virtually

CHANCE = "import os, random; print(os.urandom(40000).hex()[-8:], random.random(), hash('a'), {'x', 'y', 'z'})"


def test_the_same_seed_gives_the_same_chance(tmp_path: Path) -> None:
    """Python seeds its hashes and its generator from getrandom."""
    seeds = ["--seed=7", "--seed=7", "--seed=8"]
    outputs = []
    for number, seed in enumerate(seeds):
        folder = tmp_path / str(number)
        folder.mkdir()
        outputs.append(run_virtually(["/usr/bin/python3", "-c", CHANCE], folder, [seed]).stdout)

    assert outputs[0] == outputs[1]
    assert outputs[0] != outputs[2]


def test_chance_fails_as_on_linux(tmp_path: Path) -> None:
    """Flags, faults and lengths of getrandom, and the 16 bytes of AT_RANDOM."""
    program = str(compile_c(Path(__file__).parent / "c" / "chance.c"))

    native, virtual = run_natively([program], tmp_path), run_virtually([program], tmp_path)

    assert native.status == 0
    assert virtual.stdout == native.stdout


def test_the_ids_in_proc_are_chance(tmp_path: Path) -> None:
    """proc_sys_kernel(5): one boot_id in a run, a new uuid at each open. libsystemd shifts wake-ups by boot_id."""
    random = "/proc/sys/kernel/random/"
    outputs = []
    for number, seed in enumerate(["--seed=7", "--seed=7", "--seed=8"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = [random + name for name in ("boot_id", "boot_id", "uuid", "uuid")]
        outputs.append(run_virtually(["cat", *paths], folder, [seed]).stdout.split())
    boot_id, again, one, other = map(UUID, outputs[0])

    assert outputs[0] == outputs[1]
    assert set(outputs[0]).isdisjoint(outputs[2])
    assert boot_id == again
    assert len({boot_id, one, other}) == 3
    assert [each.version for each in (boot_id, one, other)] == [4, 4, 4]
