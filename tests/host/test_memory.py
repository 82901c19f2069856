"""Copies to and from the memory of a real process: the same results as the system calls of that process itself."""

import os
import subprocess
from collections.abc import Callable, Iterator
from errno import EFAULT, ENAMETOOLONG, ENOENT
from pathlib import Path

import pytest

from tests.host.traced import compile_c
from tests.programs.harness import LIMIT_S
from tickless.host.memory import AddressSpace
from tickless.kernel.errors import Errno

PAGE = 4096
SOURCE = Path(__file__).parent / "c" / "memory.c"
# In pages: 0 RW, 1 RW, 2 R, 3 RW, 4 NONE, 5 RW, 6 unmapped, 7 RW.
COPIES = [
    (0, 8),
    (0, 0),
    (PAGE - 4, 8),
    (PAGE, PAGE),
    (PAGE + 1, 2 * PAGE),
    (2 * PAGE - 4, 4),
    (2 * PAGE - 4, 5),
    (2 * PAGE, 8),
    (3 * PAGE - 4, 8),
    (3 * PAGE, PAGE),
    (4 * PAGE - 3, 8),
    (4 * PAGE, 8),
    (4 * PAGE, 0),
    (5 * PAGE - 1, 2),
    (6 * PAGE - 100, 100),
    (6 * PAGE - 100, 101),
    (6 * PAGE, 1),
    (7 * PAGE - 1, 2),
    (7 * PAGE, PAGE),
    (0, 8 * PAGE),
]
STRINGS = {"across pages": PAGE - 3, "at a page's end": 4 * PAGE - 5, "no end": 6 * PAGE - 4, "too long": 0}


class Helper:
    """The C program with the memory under test, waiting for lines on its standard input."""

    def __init__(self, program: Path, *mode: str) -> None:
        self.process = subprocess.Popen([program, "wait", *mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.base = self.read_fact("base")
        self.stack = self.read_fact("stack")
        self.space = AddressSpace(self.process.pid)

    def read_fact(self, name: str) -> int:
        assert self.process.stdout is not None
        found, value = self.process.stdout.readline().split()
        assert found.decode() == name
        return int(value)

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.space.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_c(SOURCE, tmp_path_factory.mktemp("memory"))


@pytest.fixture
def start(program: Path) -> Iterator[Callable[..., Helper]]:
    started = []

    def start(*mode: str) -> Helper:
        started.append(Helper(program, *mode))
        return started[-1]

    yield start
    for helper in started:
        helper.close()


@pytest.fixture(scope="module")
def native(program: Path) -> Callable[[str, int, int], int]:
    """What Linux answers to each row of the tables."""
    rows = [("string", offset, 0) for offset in STRINGS.values()]
    rows += [(what, offset, length) for what in ("in", "out") for offset, length in COPIES]
    asked = "".join(f"{what} {offset} {length}\n" for what, offset, length in rows)
    answers = subprocess.run(
        [program, "native"], input=asked, capture_output=True, text=True, check=True, timeout=LIMIT_S
    )
    results = dict(zip([*rows, ("stack", 0, 0)], map(int, answers.stdout.split()), strict=True))
    return lambda what, offset, length: results[what, offset, length]


def outcome(attempt: Callable[[], int]) -> int:
    try:
        return attempt()
    except Errno as error:
        return -error.number


@pytest.mark.parametrize("warm", [False, True], ids=["unproved", "proved"])
@pytest.mark.parametrize(("offset", "length"), COPIES)
def test_a_read_faults_where_linux_faults(
    start: Callable[..., Helper], native: Callable[[str, int, int], int], offset: int, length: int, warm: bool
) -> None:
    helper = start()
    address = helper.base + offset
    if warm:
        helper.space.read_until_fault(helper.base, 8 * PAGE)

    result = outcome(lambda: len(helper.space.copy_in(address, length)))

    assert result == native("in", offset, length)


@pytest.mark.parametrize("warm", [False, True], ids=["unproved", "proved"])
@pytest.mark.parametrize(("offset", "length"), COPIES)
def test_a_write_faults_where_linux_faults(
    start: Callable[..., Helper], native: Callable[[str, int, int], int], offset: int, length: int, warm: bool
) -> None:
    """getrandom(2) tells how much it wrote before the fault, or EFAULT if that is nothing."""
    helper = start()
    address = helper.base + offset
    if warm:
        for page in range(8):
            helper.space.write_until_fault(helper.base + page * PAGE, b"w")

    written = helper.space.write_until_fault(address, bytes(length))

    assert (written or (-EFAULT if length else 0)) == native("out", offset, length)
    assert outcome(lambda: helper.space.copy_out(address, bytes(length))) == (length if written == length else -EFAULT)


def test_bytes_before_a_fault_are_written_and_none_behind_it(start: Callable[..., Helper]) -> None:
    helper = start()
    border = helper.base + 2 * PAGE

    with pytest.raises(Errno):
        helper.space.copy_out(border - 8, b"0123456789abcdef")

    assert helper.space.copy_in(border - 8, 16) == b"01234567xxxxxxxx"


@pytest.mark.parametrize("offset", STRINGS.values(), ids=STRINGS.keys())
def test_strings_end_or_fault_as_a_path_does(
    start: Callable[..., Helper], native: Callable[[str, int, int], int], offset: int
) -> None:
    """path_resolution(7): a path has at most PATH_MAX bytes with its NUL, else ENAMETOOLONG."""
    helper = start()

    def resolve() -> int:
        helper.space.read_string(helper.base + offset, 4096)
        return -ENOENT

    assert outcome(resolve) == native("string", offset, 0)


def test_read_string_gives_what_precedes_the_nul(start: Callable[..., Helper]) -> None:
    helper = start()

    assert helper.space.read_string(helper.base + STRINGS["across pages"], 4096) == b"/nowhere"
    assert helper.space.read_string(helper.base + STRINGS["at a page's end"], 5) == b"/nul"
    assert outcome(lambda: len(helper.space.read_string(helper.base + 1, 3))) == -ENAMETOOLONG


@pytest.mark.parametrize(
    ("address", "length"),
    [
        (0, 1),
        (0, 2**60),
        (1 << 47, 8),
        ((1 << 47) - 4, 8),
        ((1 << 63) - 4, 8),
        ((1 << 64) - 8, 8),
        (0xFFFF_FFFF_FF60_0000, 8),  # vsyscall: process_vm_readv would read it, copy_from_user does not
    ],
)
def test_addresses_outside_the_task_fault(start: Callable[..., Helper], address: int, length: int) -> None:
    helper = start()

    assert outcome(lambda: len(helper.space.copy_in(address, length))) == -EFAULT
    assert outcome(lambda: helper.space.copy_out(address, bytes(min(length, 8)))) == -EFAULT


@pytest.mark.parametrize("length", [2**40, 2**60, 2**64 - 1])
def test_an_absurd_length_allocates_nothing(start: Callable[..., Helper], length: int) -> None:
    helper = start()

    assert outcome(lambda: len(helper.space.copy_in(helper.base, length))) == -EFAULT
    assert len(helper.space.read_until_fault(helper.base, 2**30)) == 4 * PAGE


def test_a_buffer_below_the_stack_grows_it_as_linux_does(
    start: Callable[..., Helper], native: Callable[[str, int, int], int]
) -> None:
    """mmap(2), MAP_GROWSDOWN: touching an address below grows the mapping, also from inside the kernel."""
    helper = start()

    written = helper.space.copy_out(helper.stack - 20 * PAGE, bytes(30 * PAGE))

    assert written == native("stack", 0, 0) == 30 * PAGE


def test_forgotten_proofs_are_made_again(start: Callable[..., Helper]) -> None:
    helper = start("protect")
    helper.space.copy_out(helper.base, b"before")
    assert helper.space.copy_in(helper.base, 6) == b"before"
    helper.go_on()
    helper.read_fact("protected")

    helper.space.forget()

    assert outcome(lambda: len(helper.space.copy_in(helper.base, 6))) == -EFAULT
    assert outcome(lambda: helper.space.copy_out(helper.base, b"after")) == -EFAULT


def test_a_task_that_became_undumpable_is_still_reachable(start: Callable[..., Helper]) -> None:
    """PR_SET_DUMPABLE 0 makes process_vm_* fail for a supervisor without CAP_SYS_PTRACE; the open file works on."""
    helper = start("undumpable")
    helper.go_on()
    helper.read_fact("undumpable")
    uid = os.geteuid()
    try:
        if uid == 0:
            os.seteuid(65534)  # no effective capabilities, real uid as before
        written = helper.space.copy_out(helper.base, b"reached!")
        unmapped = outcome(lambda: len(helper.space.copy_in(helper.base + 6 * PAGE - 4, 8)))
        unprotected = helper.space.copy_out(helper.base + 2 * PAGE, b"w")
    finally:
        os.seteuid(uid)

    assert written == 8
    assert unmapped == -EFAULT
    assert unprotected == 1  # the documented limit: without proofs a read-only page is written
    helper.go_on()
    assert helper.process.stdout is not None
    assert helper.process.stdout.readline() == b"saw reached!\n"


def test_proofs_go_through_a_live_thread_when_the_leader_has_ended(start: Callable[..., Helper]) -> None:
    helper = start("leaderless")
    helper.go_on()
    helper.space.join(helper.read_fact("thread"))
    leader = Path(f"/proc/{helper.process.pid}/stat")
    while leader.read_text().split()[2] != "Z":
        os.sched_yield()

    assert helper.space.copy_in(helper.base, 4) == b"xxxx"
    assert outcome(lambda: len(helper.space.copy_in(helper.base + 4 * PAGE, 4))) == -EFAULT


def test_proofs_never_go_through_a_task_that_has_left(start: Callable[..., Helper]) -> None:
    """After exec a task has other memory: a page that is readable there may be none here."""
    helper, other = start(), start()
    space = AddressSpace(other.process.pid)
    space.join(helper.process.pid)  # as if `other` had shared the memory of `helper`, and called exec

    space.leave(other.process.pid)

    assert space._tid.value == helper.process.pid
    space.close()


def test_a_dead_task_faults(start: Callable[..., Helper]) -> None:
    helper = start()
    helper.space.copy_in(helper.base, 1)
    helper.process.kill()
    helper.process.wait()

    assert outcome(lambda: len(helper.space.copy_in(helper.base, 1))) == -EFAULT
    assert outcome(lambda: len(helper.space.copy_in(helper.base + PAGE, 1))) == -EFAULT


def test_the_last_task_to_leave_closes_the_file(start: Callable[..., Helper]) -> None:
    helper = start()
    fd = helper.space.fd
    helper.space.join(1234)

    helper.space.leave(helper.process.pid)
    assert os.readlink(f"/proc/self/fd/{fd}").endswith("/mem")
    helper.space.leave(1234)

    assert helper.space.fd == -1


def test_a_forked_copy_knows_its_parents_proofs(start: Callable[..., Helper]) -> None:
    """fork(2): the child starts with the same mappings and protections."""
    helper = start()
    helper.space.copy_in(helper.base, 1)

    child = helper.space.forked(helper.process.pid)

    assert child.fd != helper.space.fd
    assert child.copy_in(helper.base, 4) == b"xxxx"
    child.close()
