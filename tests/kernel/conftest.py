"""Every test of the kernel has a Machine: no host, no real time."""

import pytest

from tests.kernel.epoll_watcher import Watcher, new_watcher
from tests.kernel.fake_host import idle
from tests.kernel.pipe_ends import Ends, new_pipe
from tickless.abi.fcntl import O_DIRECT, O_NONBLOCK
from tickless.kernel.machine import Machine, OwnTask


@pytest.fixture
def kernel() -> Machine:
    return Machine()


@pytest.fixture
def task(kernel: Machine) -> OwnTask:
    """A task that does not run: a test makes its calls."""
    return kernel.spawn(idle)


@pytest.fixture
def watcher(kernel: Machine, task: OwnTask) -> Watcher:
    """The task with an epoll."""
    return new_watcher(kernel, task)


@pytest.fixture
def ends(kernel: Machine) -> Ends:
    """A task with a pipe that never blocks."""
    return new_pipe(kernel, O_NONBLOCK)


@pytest.fixture
def packets(kernel: Machine) -> Ends:
    """The same, but it carries packets."""
    return new_pipe(kernel, O_NONBLOCK | O_DIRECT)
