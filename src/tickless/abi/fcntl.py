"""open(2), fcntl(2), pipe(2) and other calls on any file: flags, commands and structures."""

from struct import Struct

from tickless.abi.arch import ARCH

# open(2): access modes
O_RDONLY = 0
O_WRONLY = 0o1
O_RDWR = 0o2
O_ACCMODE = 0o3

# open(2): flags
O_CREAT = 0o100
O_EXCL = 0o200
O_NOCTTY = 0o400
O_TRUNC = 0o1000
O_APPEND = 0o2000
O_NONBLOCK = 0o4000
O_NDELAY = 0o4000
O_DSYNC = 0o10000
O_ASYNC = 0o20000
O_NOATIME = 0o1000000
O_CLOEXEC = 0o2000000
O_SYNC = 0o4010000
O_RSYNC = 0o4010000
O_PATH = 0o10000000

# open(2): the flags that differ per architecture
O_DIRECT = 0o40000 if ARCH == "x86_64" else 0o200000
O_LARGEFILE = 0o100000 if ARCH == "x86_64" else 0o400000
O_DIRECTORY = 0o200000 if ARCH == "x86_64" else 0o40000
O_NOFOLLOW = 0o400000 if ARCH == "x86_64" else 0o100000
O_TMPFILE = 0o20000000 | O_DIRECTORY

PIPE_FLAGS = O_CLOEXEC | O_NONBLOCK | O_DIRECT

# fcntl(2): commands
F_DUPFD = 0
F_GETFD = 1
F_SETFD = 2
F_GETFL = 3
F_SETFL = 4
F_GETLK = 5
F_SETLK = 6
F_SETLKW = 7
F_SETOWN = 8
F_GETOWN = 9
F_SETSIG = 10
F_GETSIG = 11
F_SETOWN_EX = 15
F_GETOWN_EX = 16
F_OFD_GETLK = 36
F_OFD_SETLK = 37
F_OFD_SETLKW = 38

# fcntl(2): commands of Linux alone start at 1024.
F_SETLEASE = 1024
F_GETLEASE = 1025
F_NOTIFY = 1026
F_DUPFD_QUERY = 1027
F_CREATED_QUERY = 1028
F_DUPFD_CLOEXEC = 1030
F_SETPIPE_SZ = 1031
F_GETPIPE_SZ = 1032
F_ADD_SEALS = 1033
F_GET_SEALS = 1034
F_GET_RW_HINT = 1035
F_SET_RW_HINT = 1036
F_GET_FILE_RW_HINT = 1037
F_SET_FILE_RW_HINT = 1038

FD_CLOEXEC = 1

# fcntl(2): types of a lock
F_RDLCK = 0
F_WRLCK = 1
F_UNLCK = 2

# fcntl(2): struct flock (type, whence, start, len, pid) and struct f_owner_ex (type, pid)
FLOCK = Struct("<hh4xqqi4x")
F_OWNER_EX = Struct("<ii")
F_OWNER_TID = 0
F_OWNER_PID = 1
F_OWNER_PGRP = 2

# lseek(2): where an offset starts from
SEEK_SET = 0
SEEK_CUR = 1
SEEK_END = 2
SEEK_DATA = 3
SEEK_HOLE = 4

# openat(2) and its kin
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
AT_EACCESS = 0x200
AT_REMOVEDIR = 0x200
AT_SYMLINK_FOLLOW = 0x400
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
AT_STATX_SYNC_AS_STAT = 0x0
AT_STATX_FORCE_SYNC = 0x2000
AT_STATX_DONT_SYNC = 0x4000
AT_STATX_SYNC_TYPE = 0x6000
AT_RECURSIVE = 0x8000

# close_range(2)
CLOSE_RANGE_UNSHARE = 2
CLOSE_RANGE_CLOEXEC = 4

# preadv2(2), pwritev2(2)
RWF_HIPRI = 0x1
RWF_DSYNC = 0x2
RWF_SYNC = 0x4
RWF_NOWAIT = 0x8
RWF_APPEND = 0x10
RWF_NOAPPEND = 0x20
RWF_NOSIGNAL = 0x100

# splice(2), tee(2), vmsplice(2)
SPLICE_F_MOVE = 0x1
SPLICE_F_NONBLOCK = 0x2
SPLICE_F_MORE = 0x4
SPLICE_F_GIFT = 0x8

# getrandom(2)
GRND_NONBLOCK = 0x1
GRND_RANDOM = 0x2
GRND_INSECURE = 0x4

# fcntl(2): the pipe a program gets, and the most that F_SETPIPE_SZ gives an ordinary user
PIPE_BUF = 4096
PIPE_DEF_BUFFERS = 16
PIPE_MAX_SIZE = 1048576

# readv(2): base and length, and how many there may be
IOVEC = Struct("<QQ")
UIO_MAXIOV = 1024
# read(2): no call moves more than this
MAX_RW_COUNT = 0x7FFFF000
