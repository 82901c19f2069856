"""The signal calls: arguments are checked in Linux's order, and fail with its errnos."""

from collections.abc import Callable

import pytest

from tests.kernel.signalling import queued
from tickless.abi.errno import E2BIG, EAGAIN, EFAULT, EINVAL, EPERM, ESRCH
from tickless.abi.siginfo import SI_ASYNCNL, SI_KERNEL, SI_QUEUE, SI_TKILL, SI_USER
from tickless.abi.signal import (
    SIG_BLOCK,
    SIG_IGN,
    SIGKILL,
    SIGSET,
    SIGSTOP,
    SIGUSR1,
    sigmask,
)
from tickless.abi.time import NSEC_PER_SEC as SECOND
from tickless.abi.time import TIMESPEC
from tickless.kernel.machine import Call, Calls, Machine, Program

NOWHERE = 8  # an address that is in no task's memory
NOBODY = 99999
ONE_SET = SIGSET.pack(sigmask(SIGUSR1))

MakeCall = Callable[[Calls], Call]


def result_of(kernel: Machine, make_call: MakeCall) -> int:
    """What a single call gives to a program that blocks SIGUSR1."""
    results = []

    def program(sys: Calls) -> Program:
        yield sys.rt_sigprocmask(SIG_BLOCK, ONE_SET, 0, 8)
        results.append((yield make_call(sys)))

    kernel.spawn(program)
    kernel.run()
    return results[0]


@pytest.mark.parametrize(
    ("make_call", "result"),
    [
        pytest.param(lambda sys: sys.kill(NOBODY, 1000), -ESRCH, id="kill: nobody, before a bad signal"),
        pytest.param(lambda sys: sys.kill(-NOBODY, 0), -ESRCH, id="kill: no such process group"),
        pytest.param(lambda sys: sys.kill(-(1 << 31), 0), -ESRCH, id="kill: -INT_MIN is no number"),
        pytest.param(lambda sys: sys.kill(-1, 0), -ESRCH, id="kill: all others, but there are none"),
        pytest.param(lambda sys: sys.kill(sys.task.tid, 65), -EINVAL, id="kill: signal too high"),
        pytest.param(lambda sys: sys.kill(sys.task.tid, -1), -EINVAL, id="kill: signal below 0"),
        pytest.param(lambda sys: sys.kill(sys.task.tid, 0), 0, id="kill: 0 asks"),
        pytest.param(lambda sys: sys.kill(0, 0), 0, id="kill: the own process group"),
        pytest.param(lambda sys: sys.kill(0, 65), -EINVAL, id="kill: a process group and a bad signal"),
        pytest.param(lambda sys: sys.tkill(0, SIGUSR1), -EINVAL, id="tkill: no tid"),
        pytest.param(lambda sys: sys.tkill(NOBODY, SIGUSR1), -ESRCH, id="tkill: nobody"),
        pytest.param(lambda sys: sys.tkill(sys.task.tid, 0), 0, id="tkill: 0 asks"),
        pytest.param(lambda sys: sys.tgkill(0, sys.task.tid, 0), -EINVAL, id="tgkill: no tgid"),
        pytest.param(lambda sys: sys.tgkill(sys.task.tid, -1, 0), -EINVAL, id="tgkill: no tid"),
        pytest.param(lambda sys: sys.tgkill(NOBODY, sys.task.tid, 0), -ESRCH, id="tgkill: of another process"),
        pytest.param(lambda sys: sys.tgkill(sys.task.tid, sys.task.tid, 65), -EINVAL, id="tgkill: bad signal"),
        pytest.param(lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, NOWHERE), -EFAULT, id="sigqueue: bad siginfo"),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_USER)), -EPERM, id="sigqueue: looks like kill"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_TKILL)), -EPERM, id="sigqueue: looks like tkill"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_KERNEL)), -EPERM, id="sigqueue: looks like the kernel"
        ),
        pytest.param(lambda sys: sys.rt_sigqueueinfo(NOBODY, 65, queued(SI_QUEUE)), -ESRCH, id="sigqueue: nobody"),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 65, queued(SI_QUEUE)), -EINVAL, id="sigqueue: bad signal"
        ),
        pytest.param(lambda sys: sys.rt_sigqueueinfo(0, SIGUSR1, queued(SI_QUEUE)), -ESRCH, id="sigqueue: no group"),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, SIGUSR1, queued(SI_USER)), 0, id="sigqueue: all to oneself"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 0, queued(-100, tail=b"x")),
            -E2BIG,
            id="sigqueue: more than Linux keeps of an unknown kind",
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 0, queued(-100)), 0, id="sigqueue: an unknown kind that fits"
        ),
        pytest.param(
            lambda sys: sys.rt_sigqueueinfo(sys.task.tid, 0, queued(SI_ASYNCNL, tail=b"x")), 0, id="sigqueue: known"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(0, sys.task.tid, 0, NOWHERE), -EFAULT, id="tgsigqueue: bad siginfo"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(0, 1, 0, queued(SI_USER)), -EINVAL, id="tgsigqueue: no tgid, before EPERM"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(sys.task.tid, NOBODY, 0, queued(SI_USER)), -EPERM, id="tgsigqueue: others"
        ),
        pytest.param(
            lambda sys: sys.rt_tgsigqueueinfo(sys.task.tid, NOBODY, 0, queued(SI_QUEUE)),
            -ESRCH,
            id="tgsigqueue: nobody",
        ),
        pytest.param(lambda sys: sys.rt_sigpending(NOWHERE, 9), -EINVAL, id="sigpending: too long, before the address"),
        pytest.param(lambda sys: sys.rt_sigpending(NOWHERE, 8), -EFAULT, id="sigpending: bad address"),
        pytest.param(lambda sys: sys.rt_sigpending(bytearray(2), 2), 0, id="sigpending: a shorter set will do"),
        pytest.param(lambda sys: sys.rt_sigsuspend(NOWHERE, 4), -EINVAL, id="sigsuspend: wrong size"),
        pytest.param(lambda sys: sys.rt_sigsuspend(NOWHERE, 8), -EFAULT, id="sigsuspend: bad address"),
        pytest.param(lambda sys: sys.rt_sigtimedwait(NOWHERE, 0, NOWHERE, 4), -EINVAL, id="sigtimedwait: wrong size"),
        pytest.param(lambda sys: sys.rt_sigtimedwait(NOWHERE, 0, NOWHERE, 8), -EFAULT, id="sigtimedwait: bad set"),
        pytest.param(lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, NOWHERE, 8), -EFAULT, id="sigtimedwait: bad time-out"),
        pytest.param(
            lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, TIMESPEC.pack(0, SECOND), 8),
            -EINVAL,
            id="sigtimedwait: no time",
        ),
        pytest.param(
            lambda sys: sys.rt_sigtimedwait(ONE_SET, 0, TIMESPEC.pack(0, 0), 8), -EAGAIN, id="sigtimedwait: no waiting"
        ),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, NOWHERE, NOWHERE, 4), -EINVAL, id="sigprocmask: wrong size"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, NOWHERE, NOWHERE, 8), -EFAULT, id="sigprocmask: bad new set"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, ONE_SET, NOWHERE, 8), -EINVAL, id="sigprocmask: unknown how"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, 0, 0, 8), 0, id="sigprocmask: how means nothing without a set"),
        pytest.param(lambda sys: sys.rt_sigprocmask(7, 0, NOWHERE, 8), -EFAULT, id="sigprocmask: bad old set"),
        pytest.param(lambda sys: sys.rt_sigaction(0, NOWHERE, NOWHERE, 4), -EINVAL, id="sigaction: wrong size"),
        pytest.param(lambda sys: sys.rt_sigaction(0, NOWHERE, NOWHERE, 8), -EFAULT, id="sigaction: bad address"),
        pytest.param(lambda sys: sys.rt_sigaction(0, 0, 0, 8), -EINVAL, id="sigaction: no signal"),
        pytest.param(lambda sys: sys.rt_sigaction(65, 0, 0, 8), -EINVAL, id="sigaction: signal too high"),
        pytest.param(lambda sys: sys.sigaction(SIGKILL, SIG_IGN), -EINVAL, id="sigaction: SIGKILL"),
        pytest.param(lambda sys: sys.sigaction(SIGSTOP, SIG_IGN), -EINVAL, id="sigaction: SIGSTOP"),
        pytest.param(lambda sys: sys.rt_sigaction(SIGKILL, 0, 0, 8), 0, id="sigaction: asking about SIGKILL"),
        pytest.param(lambda sys: sys.rt_sigaction(SIGUSR1, 0, NOWHERE, 8), -EFAULT, id="sigaction: bad old action"),
    ],
)
def test_arguments_are_checked_in_linux_order(kernel: Machine, make_call: MakeCall, result: int) -> None:
    assert result_of(kernel, make_call) == result
