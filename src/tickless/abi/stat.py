"""stat(2), statx(2): the type and mode of a file, and the structures that describe it."""

from struct import Struct

from tickless.abi.arch import ARCH
from tickless.abi.time import ns_to_timespec

# The type of a file
S_IFMT = 0o170000
S_IFSOCK = 0o140000
S_IFLNK = 0o120000
S_IFREG = 0o100000
S_IFBLK = 0o60000
S_IFDIR = 0o40000
S_IFCHR = 0o20000
S_IFIFO = 0o10000

S_ISUID = 0o4000
S_ISGID = 0o2000
S_ISVTX = 0o1000
S_IRWXU = 0o700
S_IRWXG = 0o70
S_IRWXO = 0o7
S_IRUSR = 0o400
S_IWUSR = 0o200

# statx(2): fields asked for and given
STATX_TYPE = 0x1
STATX_MODE = 0x2
STATX_NLINK = 0x4
STATX_UID = 0x8
STATX_GID = 0x10
STATX_ATIME = 0x20
STATX_MTIME = 0x40
STATX_CTIME = 0x80
STATX_INO = 0x100
STATX_SIZE = 0x200
STATX_BLOCKS = 0x400
STATX_BASIC_STATS = 0x7FF
STATX_BTIME = 0x800
STATX_MNT_ID = 0x1000

# dev, ino, nlink, mode, uid, gid, rdev, size, blksize, blocks, then atime, mtime and ctime as timespecs
STAT_X86_64 = Struct("<QQQIII4xQqqqqQqQqQ24x")
# dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, then the times
STAT_AARCH64 = Struct("<QQIIIIQ8xqi4xqqQqQqQ8x")

# mask, blksize, attributes, nlink, uid, gid, mode, ino, size, blocks, attributes_mask, then atime, btime, ctime and
# mtime as seconds and nanoseconds, rdev and dev as major and minor, mnt_id
STATX = Struct("<IIQIIIH2xQQQQqI4xqI4xqI4xqI4xIIIIQ104x")

# Where the two have their times: s and ns, 16 bytes each.
STAT_TIMES = (72, 88, 104)  # on all 64-bit architectures here
STATX_TIMES = (64, 80, 96, 112)

BLOCK_SIZE = 512  # what st_blocks counts


def pack_stat(
    *,
    mode: int,
    ino: int,
    dev: int = 0,
    nlink: int = 1,
    uid: int = 0,
    gid: int = 0,
    rdev: int = 0,
    size: int = 0,
    blksize: int = 4096,
    time_ns: int = 0,
) -> bytes:
    """Return this architecture's struct stat for a file whose three times are one (ns since 1970)."""
    blocks = -(-size // BLOCK_SIZE)
    tail = (size, blksize, blocks, *ns_to_timespec(time_ns) * 3)
    if ARCH == "x86_64":
        return STAT_X86_64.pack(dev, ino, nlink, mode, uid, gid, rdev, *tail)
    return STAT_AARCH64.pack(dev, ino, mode, nlink, uid, gid, rdev, *tail)


def pack_statx(
    *,
    mode: int,
    ino: int,
    dev: int = 0,
    nlink: int = 1,
    uid: int = 0,
    gid: int = 0,
    rdev: int = 0,
    size: int = 0,
    blksize: int = 4096,
    time_ns: int = 0,
) -> bytes:
    """Return struct statx with the basic fields for a file whose three times are one (ns since 1970)."""
    blocks = -(-size // BLOCK_SIZE)
    now = ns_to_timespec(time_ns)
    return STATX.pack(
        STATX_BASIC_STATS,
        blksize,
        0,
        nlink,
        uid,
        gid,
        mode,
        ino,
        size,
        blocks,
        0,
        *now,
        0,
        0,
        *now,
        *now,
        major(rdev),
        minor(rdev),
        major(dev),
        minor(dev),
        0,
    )


def makedev(major: int, minor: int) -> int:
    """Return a device number as stat(2) gives it. makedev(3)."""
    return (major & 0xFFFFF000) << 32 | (major & 0xFFF) << 8 | (minor & 0xFFFFFF00) << 12 | minor & 0xFF


def major(dev: int) -> int:
    return dev >> 32 & 0xFFFFF000 | dev >> 8 & 0xFFF


def minor(dev: int) -> int:
    return dev >> 12 & 0xFFFFFF00 | dev & 0xFF
