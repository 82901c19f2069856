"""epoll(7): events, operations and struct epoll_event."""

from struct import Struct

from tickless.abi.arch import ARCH

# epoll_create1(2)
EPOLL_CLOEXEC = 0o2000000

# epoll_ctl(2): operations
EPOLL_CTL_ADD = 1
EPOLL_CTL_DEL = 2
EPOLL_CTL_MOD = 3

# Events: the same bits as poll(2).
EPOLLIN = 0x1
EPOLLPRI = 0x2
EPOLLOUT = 0x4
EPOLLERR = 0x8
EPOLLHUP = 0x10
EPOLLNVAL = 0x20
EPOLLRDNORM = 0x40
EPOLLRDBAND = 0x80
EPOLLWRNORM = 0x100
EPOLLWRBAND = 0x200
EPOLLMSG = 0x400
EPOLLRDHUP = 0x2000

# How an interest is watched.
EPOLLEXCLUSIVE = 1 << 28
EPOLLWAKEUP = 1 << 29
EPOLLONESHOT = 1 << 30
EPOLLET = 1 << 31

# ioctl(2): busy polling, Linux 6.9.
EPIOCSPARAMS = 0x40088A01
EPIOCGPARAMS = 0x80088A02

# Linux packs the structure on x86-64 alone, so that 32-bit programs have the same layout there.
EPOLL_EVENT_X86_64 = Struct("<IQ")
EPOLL_EVENT_AARCH64 = Struct("<I4xQ")
EPOLL_EVENT = EPOLL_EVENT_X86_64 if ARCH == "x86_64" else EPOLL_EVENT_AARCH64

# epoll_wait(2) refuses a maxevents whose buffer would pass INT_MAX.
EP_MAX_EVENTS = 0x7FFFFFFF // EPOLL_EVENT.size
# An epoll may contain epolls this deep. epoll_ctl(2), ELOOP.
EP_MAX_NESTS = 4
