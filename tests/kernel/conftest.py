"""Every test of the kernel has a Machine: no host, no real time."""

import pytest

from tickless.kernel.machine import Machine


@pytest.fixture
def kernel() -> Machine:
    return Machine()
