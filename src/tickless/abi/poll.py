"""poll(2): events and struct pollfd; select(2): the size of its sets."""

from struct import Struct

POLLIN = 0x1
POLLPRI = 0x2
POLLOUT = 0x4
POLLERR = 0x8
POLLHUP = 0x10
POLLNVAL = 0x20
POLLRDNORM = 0x40
POLLRDBAND = 0x80
POLLWRNORM = 0x100
POLLWRBAND = 0x200
POLLMSG = 0x400
POLLREMOVE = 0x1000
POLLRDHUP = 0x2000

# fd, events, revents.
POLLFD = Struct("<iHH")

FD_SETSIZE = 1024
# What select(2) takes for readable, writable and exceptional.
POLLIN_SET = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
POLLOUT_SET = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
POLLEX_SET = POLLPRI
# pselect6(2): the address and the size of a signal set, itself passed by address.
SIGSET_ARGPACK = Struct("<QQ")
