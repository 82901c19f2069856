"""The filter: what it traps, in numbers small and large, and what the evaluator says about any filter."""

import random
from struct import Struct

import pytest

from tickless.abi.numbers import number_of
from tickless.host.seccomp import (
    AUDIT_ARCH,
    INSTRUCTION,
    RET_ALLOW,
    RET_ENOSYS,
    RET_USER_NOTIF,
    X32_SYSCALL_BIT,
    build_filter,
    evaluate,
)
from tickless.kernel.registry import ArgumentTest

X86_64, AARCH64, I386 = AUDIT_ARCH["x86_64"], AUDIT_ARCH["aarch64"], 0x40000003
MMAP, PRCTL = number_of("x86_64", "mmap") or 0, number_of("x86_64", "prctl") or 0
MAP_FIXED, PR_SET_DUMPABLE, PR_SET_TSC = 0x10, 4, 26


def trapped(program: bytes, *args: int, upto: int = 500) -> set[int]:
    """The numbers that the filter traps; the others it has to allow."""
    actions = {nr: evaluate(program, nr, X86_64, args) for nr in range(upto)}
    assert set(actions.values()) <= {RET_USER_NOTIF, RET_ALLOW}
    return {nr for nr, action in actions.items() if action == RET_USER_NOTIF}


@pytest.mark.parametrize("count", [0, 1, 2, 120, 255, 256, 499, 500])
@pytest.mark.parametrize("seed", [1, 2])
def test_exactly_the_given_numbers_are_trapped(count: int, seed: int) -> None:
    """Also with more of them than one conditional jump crosses instructions (255)."""
    numbers = set(random.Random(seed).sample(range(500), count))

    assert trapped(build_filter(numbers, arch="x86_64")) == numbers


def test_a_jump_over_more_than_255_instructions() -> None:
    """Every second number makes the longest program: a comparison and a return for each of them."""
    numbers = set(range(0, 1000, 2))
    program = build_filter(numbers, arch="x86_64")

    assert len(program) // INSTRUCTION.size > 4 * 255
    assert trapped(program, upto=1000) == numbers


def test_a_number_costs_a_logarithm_of_comparisons() -> None:
    numbers = set(range(0, 480, 2))
    program = list(INSTRUCTION.iter_unpack(build_filter(numbers, arch="x86_64")))
    depth = [0] * len(program)
    for at, (code, if_true, if_false, operand) in enumerate(program):
        following = {0x06: [], 0x05: [operand]}.get(code, [if_true, if_false] if code & 7 == 5 else [0])
        for skipped in following:
            depth[at + 1 + skipped] = max(depth[at + 1 + skipped], depth[at] + 1)

    assert max(depth) <= 5 + 2 * 9  # a long jump counts twice; log2(480) < 9


def test_other_architectures_get_enosys() -> None:
    """32-bit calls (int 0x80) come with an arch of their own, x32 ones with a bit in the number."""
    program = build_filter({0, 1}, arch="x86_64")

    assert evaluate(program, 1, I386) == RET_ENOSYS
    assert evaluate(program, 1 | X32_SYSCALL_BIT, X86_64) == RET_ENOSYS
    assert evaluate(program, 1, X86_64) == RET_USER_NOTIF


def test_aarch64_has_no_x32() -> None:
    program = build_filter({63}, arch="aarch64")

    assert evaluate(program, 63, AARCH64) == RET_USER_NOTIF
    assert evaluate(program, 64, AARCH64) == RET_ALLOW
    assert evaluate(program, 63, X86_64) == RET_ENOSYS


def test_mmap_is_trapped_only_with_map_fixed() -> None:
    program = build_filter({0, 1}, [(MMAP, ArgumentTest(3, MAP_FIXED))], arch="x86_64")

    assert trapped(program, 0, 0, 0, 0x22) == {0, 1}
    assert trapped(program, 0, 0, 0, 0x22 | MAP_FIXED) == {0, 1, MMAP}


def test_prctl_is_trapped_only_for_given_options() -> None:
    """An option is an int: the upper half of the register says nothing."""
    test = ArgumentTest(0, 0xFFFFFFFF, (PR_SET_DUMPABLE, PR_SET_TSC))
    program = build_filter((), [(PRCTL, test)], arch="x86_64")

    assert trapped(program, PR_SET_DUMPABLE) == {PRCTL}
    assert trapped(program, PR_SET_TSC | 1 << 32) == {PRCTL}
    assert trapped(program, PR_SET_DUMPABLE + 1) == set()


def test_two_tests_of_one_number_are_alternatives() -> None:
    program = build_filter((), [(MMAP, ArgumentTest(3, MAP_FIXED)), (MMAP, ArgumentTest(0, 0xFF, (7,)))], arch="x86_64")

    assert trapped(program, 7) == {MMAP}
    assert trapped(program, 0x107) == {MMAP}
    assert trapped(program, 0, 0, 0, MAP_FIXED) == {MMAP}
    assert trapped(program, 8) == set()


def test_a_number_given_both_ways_is_always_trapped() -> None:
    assert trapped(build_filter({MMAP}, [(MMAP, ArgumentTest(3, MAP_FIXED))], arch="x86_64")) == {MMAP}


def test_the_filter_loads_only_number_and_arch_without_tests() -> None:
    """So the kernel may cache what is allowed, which a look at anything else forbids."""
    loads = [k for code, _, _, k in INSTRUCTION.iter_unpack(build_filter(range(0, 400, 3))) if code & 7 == 0]

    assert set(loads) == {0, 4}


def bpf(*instructions: tuple[int, int, int, int]) -> bytes:
    return b"".join(INSTRUCTION.pack(*instruction) for instruction in instructions)


RET_A, LD_NR, LD_ARG0, LD_IMM = (0x16, 0, 0, 0), (0x20, 0, 0, 0), (0x20, 0, 0, 16), 0x00


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        pytest.param([(0x06, 0, 0, 7)], 7, id="ret k"),
        pytest.param([LD_NR, RET_A], 39, id="ld abs, ret a"),
        pytest.param([(0x80, 0, 0, 0), RET_A], 64, id="ld len"),
        pytest.param([(0x81, 0, 0, 0), (0x87, 0, 0, 0), RET_A], 64, id="ldx len, txa"),
        pytest.param([LD_NR, (0x07, 0, 0, 0), (LD_IMM, 0, 0, 2), (0x0C, 0, 0, 0), RET_A], 41, id="tax, add x"),
        pytest.param([LD_NR, (0x14, 0, 0, 40), RET_A], 0xFFFFFFFF, id="sub wraps"),
        pytest.param([LD_NR, (0x24, 0, 0, 2), RET_A], 78, id="mul"),
        pytest.param([LD_NR, (0x34, 0, 0, 2), RET_A], 19, id="div"),
        pytest.param([LD_NR, (0x01, 0, 0, 0), (0x3C, 0, 0, 0), (0x06, 0, 0, 9)], 0, id="div by 0 kills"),
        pytest.param([LD_NR, (0x44, 0, 0, 0x100), RET_A], 0x127, id="or"),
        pytest.param([LD_NR, (0x54, 0, 0, 3), RET_A], 3, id="and"),
        pytest.param([LD_NR, (0x64, 0, 0, 4), RET_A], 0x270, id="lsh"),
        pytest.param([LD_NR, (0x74, 0, 0, 1), RET_A], 19, id="rsh"),
        pytest.param([LD_NR, (0x84, 0, 0, 0), RET_A], 0x100000000 - 39, id="neg"),
        pytest.param([LD_NR, (0xA4, 0, 0, 1), RET_A], 38, id="xor"),
        pytest.param([LD_NR, (0x02, 0, 0, 3), LD_ARG0, (0x60, 0, 0, 3), RET_A], 39, id="st, ld mem"),
        pytest.param([(0x01, 0, 0, 5), (0x03, 0, 0, 1), (0x61, 0, 0, 1), (0x87, 0, 0, 0), RET_A], 5, id="stx, ldx mem"),
        pytest.param([(0x05, 0, 0, 1), (0x06, 0, 0, 1), (0x06, 0, 0, 2)], 2, id="ja"),
        pytest.param([LD_NR, (0x25, 1, 0, 38), (0x06, 0, 0, 1), (0x06, 0, 0, 2)], 2, id="jgt"),
        pytest.param([LD_NR, (0x35, 1, 0, 40), (0x06, 0, 0, 1), (0x06, 0, 0, 2)], 1, id="jge, false"),
        pytest.param([LD_NR, (0x45, 1, 0, 4), (0x06, 0, 0, 1), (0x06, 0, 0, 2)], 2, id="jset"),
        pytest.param([(0x01, 0, 0, 39), LD_NR, (0x1D, 0, 1, 0), (0x06, 0, 0, 1), (0x06, 0, 0, 2)], 1, id="jeq x"),
        pytest.param([LD_ARG0, RET_A], 0xFFFFFFFF, id="low half of an argument"),
        pytest.param([(0x20, 0, 0, 20), RET_A], 0x12, id="high half of an argument"),
        pytest.param([(0x20, 0, 0, 8), RET_A], 0x400000, id="instruction pointer"),
    ],
)
def test_the_evaluator_knows_what_seccomp_accepts(instructions: list[tuple[int, int, int, int]], expected: int) -> None:
    """A program's own filter may use all of classic BPF that seccomp(2) lets through."""
    assert evaluate(bpf(*instructions), 39, X86_64, [0x12_FFFFFFFF], 0x400000) == expected


def test_a_sock_filter_is_eight_bytes() -> None:
    assert INSTRUCTION.size == Struct("HBBI").size == 8
