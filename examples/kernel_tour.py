"""A tour of the event kernel: the main loop of a service manager, as systemd has it, on the kernel alone.

Everything that happens to the manager comes out of one epoll: its signals, which it blocks and reads from a signalfd;
a watchdog, which is a timerfd; and an eventfd, on which its service tells that it is alive. No host is involved: the
programs are generators that yield system calls, and the kernel answers them. Two minutes pass in a few milliseconds.

    .venv/bin/python examples/kernel_tour.py
"""

from struct import Struct

from tickless.abi.epoll import EPOLL_CTL_ADD, EPOLL_EVENT, EPOLLIN
from tickless.abi.siginfo import SIGNALFD_SIGINFO
from tickless.abi.signal import SIG_BLOCK, SIG_SETMASK, SIGABRT, SIGCHLD, SIGHUP, SIGSET, SIGTERM, sigmask, signal_name
from tickless.abi.time import CLOCK_MONOTONIC, ITIMERSPEC
from tickless.abi.wait import WNOHANG
from tickless.kernel.machine import Calls, Machine, Program

SECOND = 10**9
COUNT = Struct("<Q")  # what an eventfd and a timerfd give to a read
WATCHDOG_S = 10
MANAGER = 100  # the pid of a Machine's first process


class Manager:
    """Starts a service, watches it, starts it again when it dies, and ends it on SIGTERM."""

    def __init__(self, kernel: Machine) -> None:
        self.kernel = kernel
        self.service = 0  # its pid; 0: it does not run
        self.starts = 0
        self.stopping = False

    def say(self, text: str) -> None:
        minutes, seconds = divmod(self.kernel.now_ns // SECOND, 60)
        print(f"{minutes:02}:{seconds:02}  {text}")

    def main(self, sys: Calls) -> Program:
        """Set up four files, then serve one event after the other."""
        yield sys.rt_sigprocmask(SIG_BLOCK, signals := SIGSET.pack(sigmask(SIGCHLD, SIGHUP, SIGTERM)), 0, 8)
        self.signals = yield sys.signalfd4(-1, signals, 8, 0)
        self.watchdog = yield sys.timerfd_create(CLOCK_MONOTONIC, 0)
        self.notify = yield sys.eventfd2(0, 0)
        epoll = yield sys.epoll_create1(0)
        for fd in (self.signals, self.watchdog, self.notify):
            yield sys.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, EPOLL_EVENT.pack(EPOLLIN, fd))
        yield from self.start_service(sys)

        handlers = {self.signals: self.on_signal, self.watchdog: self.on_watchdog, self.notify: self.on_notify}
        event = bytearray(EPOLL_EVENT.size)
        while self.service:
            yield sys.epoll_wait(epoll, event, 1, -1)
            yield from handlers[EPOLL_EVENT.unpack(event)[1]](sys)
        self.say("nothing is left to manage")

    def start_service(self, sys: Calls) -> Program:
        self.starts += 1
        self.service = yield sys.fork(self.service_main)
        self.say(f"service: started as {self.service}")
        yield from self.arm_watchdog(sys)

    def arm_watchdog(self, sys: Calls) -> Program:
        """Let the timerfd expire after some silence; arming it anew is how a sign of life is taken note of."""
        yield sys.timerfd_settime(self.watchdog, 0, ITIMERSPEC.pack(0, 0, WATCHDOG_S, 0), 0)

    def on_notify(self, sys: Calls) -> Program:
        count = bytearray(COUNT.size)
        yield sys.read(self.notify, count, COUNT.size)
        yield from self.arm_watchdog(sys)

    def on_watchdog(self, sys: Calls) -> Program:
        yield sys.read(self.watchdog, bytearray(COUNT.size), COUNT.size)
        self.say(f"watchdog: {WATCHDOG_S} s without a sign of life, sending SIGABRT")
        yield sys.kill(self.service, SIGABRT)

    def on_signal(self, sys: Calls) -> Program:
        record = bytearray(SIGNALFD_SIGINFO.size)
        yield sys.read(self.signals, record, len(record))
        signo, _, _, sender, *_ = SIGNALFD_SIGINFO.unpack(record)
        self.say(f"manager: {signal_name(signo)} from {sender}")
        if signo == SIGTERM:
            self.stopping = True
            yield sys.kill(self.service, SIGTERM)
        elif signo == SIGCHLD:
            yield from self.reap(sys)

    def reap(self, sys: Calls) -> Program:
        """Wait for every child that has ended: of several SIGCHLDs only one is pending."""
        status = bytearray(4)
        while (pid := (yield sys.wait4(-1, status, WNOHANG, 0))) > 0:
            self.say(f"service: {pid} was ended by {signal_name(status[0] & 0x7F)}")
            self.service = 0
        if not self.stopping:
            yield from self.start_service(sys)

    def service_main(self, sys: Calls) -> Program:
        """Sign of life every four seconds; the first time it hangs after the fifth."""
        yield sys.rt_sigprocmask(SIG_SETMASK, SIGSET.pack(0), 0, 8)  # fork has kept the manager's mask
        while not (self.starts == 1 and self.kernel.now_ns > 20 * SECOND):
            yield sys.sleep_ns(4 * SECOND)
            yield sys.write(self.notify, COUNT.pack(1), COUNT.size)
        yield sys.pause()


def operator(sys: Calls) -> Program:
    """Whoever is at the keyboard: asks for a reload after a minute and for the end after two."""
    for signo in (SIGHUP, SIGTERM):
        yield sys.sleep_ns(60 * SECOND)
        yield sys.kill(MANAGER, signo)


def main() -> None:
    kernel = Machine()
    kernel.spawn(Manager(kernel).main)
    kernel.spawn(operator)
    kernel.run()


if __name__ == "__main__":
    main()
