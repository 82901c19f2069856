/* readv(2), writev(2), preadv2(2) on files that have no position, and the order of checks. */
#include "contract.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

/* linux/fs.h */
#define HIPRI 1
#define SYNC 4
#define NOWAIT 8

#define BEYOND (1UL << 62) /* further than any address */

static char bytes[64];
static uint64_t one = 1, two = 2;

static long readv_of(int fd, struct iovec *pieces, long count)
{
    return syscall(SYS_readv, fd, pieces, count);
}

static long writev_of(int fd, struct iovec *pieces, long count)
{
    return syscall(SYS_writev, fd, pieces, count);
}

static long preadv_at(int fd, struct iovec *pieces, long count, long position, int flags)
{
    return syscall(SYS_preadv2, fd, pieces, count, position, 0L, flags);
}

static long pwritev_at(int fd, struct iovec *pieces, long count, long position, int flags)
{
    return syscall(SYS_pwritev2, fd, pieces, count, position, 0L, flags);
}

static uint64_t count_of(int fd)
{
    uint64_t count = 0;
    return read(fd, &count, sizeof count) == sizeof count ? count : 0;
}

RULE(no_pieces, "readv(2)", "no pieces, and empty ones, give 0, also where a read would wait")
{
    struct iovec empty[2] = {{bytes, 0}, {NULL, 0}};
    int fd = eventfd(0, 0), ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE(readv_of(fd, NULL, 0));
    SEE(readv_of(fd, empty, 2));
    SEE(readv_of(ends[0], empty, 1));
    SEE(writev_of(fd, NULL, 0));
    SEE(writev_of(fd, empty, 2));
    SEE(writev_of(ends[1], empty, 2));
}

RULE(no_pieces_wrong_end, "readv(2)", "the wrong end of a pipe is EBADF even where nothing is to be read or written")
{
    int ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE(readv_of(ends[1], NULL, 0));
    SEE(writev_of(ends[0], NULL, 0));
    SEE(readv_of(-1, NULL, 0));
}

RULE(too_many, "readv(2)", "EINVAL for more than IOV_MAX pieces; the count is an unsigned int")
{
    struct iovec piece = {bytes, 8};
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(readv_of(fd, &piece, 1025));
    SEE(readv_of(fd, &piece, -1));
    SEE(readv_of(fd, &piece, 1L << 32));
    SEE(readv_of(fd, &piece, (1L << 32) + 1));
}

RULE(lengths, "readv(2)", "EINVAL for a piece with a negative length, EFAULT for one that no address reaches")
{
    struct iovec negative[2] = {{bytes, 8}, {bytes, -1UL}}, beyond[2] = {{bytes, 8}, {bytes, BEYOND}};
    struct iovec both[2] = {{bytes, BEYOND}, {bytes, -1UL}};
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(readv_of(fd, negative, 2));
    SEE(readv_of(fd, beyond, 2));
    SEE(readv_of(fd, both, 2));
    SEE(writev_of(fd, negative, 2));
    SEE(writev_of(fd, beyond, 2));
    SEE(count_of(fd));
}

RULE(bad_array, "readv(2)", "EFAULT for an array of pieces that is not there, with nothing read")
{
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(readv_of(fd, (struct iovec *)16, 1));
    SEE(writev_of(fd, (struct iovec *)16, 1));
    SEE(count_of(fd));
}

RULE(read_beyond, "read(2)", "EFAULT for a buffer that ends where no address is, before the file is asked")
{
    int fd = eventfd(3, EFD_NONBLOCK), ends[2];
    if (pipe2(ends, O_NONBLOCK) < 0)
        cannot_start("pipe");
    SEE(syscall(SYS_read, fd, bytes, BEYOND));
    SEE(syscall(SYS_read, ends[0], bytes, BEYOND));
    SEE(syscall(SYS_write, fd, bytes, BEYOND));
    SEE(syscall(SYS_write, ends[1], bytes, BEYOND));
    SEE(syscall(SYS_read, ends[1], bytes, BEYOND));
    SEE(syscall(SYS_write, ends[0], bytes, BEYOND));
    SEE(count_of(fd));
}

RULE(scattered, "readv(2)", "the pieces of an eventfd's count are filled one after the other")
{
    struct iovec pieces[3] = {{bytes, 3}, {bytes + 16, 0}, {bytes + 32, 8}};
    int fd = eventfd(0x01020304, EFD_NONBLOCK);
    SEE(readv_of(fd, pieces, 3));
    observed("first piece", "%d %d %d %d", bytes[0], bytes[1], bytes[2], bytes[3]);
    observed("last piece", "%d %d", bytes[32], bytes[33]);
}

RULE(gathered, "writev(2)", "each piece for an eventfd is a write of its own")
{
    struct iovec twice[2] = {{&one, 8}, {&two, 8}}, halves[2] = {{&one, 4}, {(char *)&one + 4, 4}};
    struct iovec second_bad[2] = {{&one, 8}, {&two, 4}}, second_unmapped[2] = {{&one, 8}, {(void *)16, 8}};
    int fd = eventfd(0, EFD_NONBLOCK);
    SEE(writev_of(fd, twice, 2));
    SEE(count_of(fd));
    SEE(writev_of(fd, halves, 2));
    SEE(writev_of(fd, second_bad, 2));
    SEE(count_of(fd));
    SEE(writev_of(fd, second_unmapped, 2));
    SEE(count_of(fd));
}

RULE(gathered_full, "writev(2)", "an eventfd that has no room for the second piece has taken the first one")
{
    uint64_t most = UINT64_MAX - 2;
    struct iovec pieces[3] = {{&most, 8}, {&one, 8}, {&two, 8}};
    int fd = eventfd(0, EFD_NONBLOCK);
    SEE(writev_of(fd, pieces, 3));
    SEE_WHETHER(count_of(fd) == UINT64_MAX - 1);
    SEE(writev_of(fd, pieces + 2, 1));
    SEE(count_of(fd));
}

RULE(gathered_pipe, "writev(2)", "the pieces for a pipe are one write")
{
    struct iovec pieces[3] = {{"ab", 2}, {"", 0}, {"cde", 3}};
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_DIRECT) < 0)
        cannot_start("pipe");
    SEE(writev_of(ends[1], pieces, 3));
    SEE(read(ends[0], bytes, sizeof bytes));
    SEE(read(ends[0], bytes, sizeof bytes));
}

RULE(position, "preadv(2)", "ESPIPE for a position, EINVAL for a negative one; -1 is the file's own for preadv2")
{
    struct iovec piece = {bytes, 8};
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(preadv(fd, &piece, 1, 0));
    SEE(preadv(fd, &piece, 1, -1));
    SEE(preadv_at(fd, &piece, 1, 0, 0));
    SEE(preadv_at(fd, &piece, 1, -2, 0));
    SEE(preadv_at(fd, &piece, 1, -1, 0));
    SEE(pread(fd, bytes, 8, 0));
    SEE(pwrite(fd, bytes, 8, 0));
    SEE(pread(fd, bytes, 8, -1));
}

RULE(flags, "preadv2(2)", "EOPNOTSUPP for unknown flags; with RWF_NOWAIT a read does not wait")
{
    struct iovec piece = {bytes, 8};
    int fd = eventfd(0, 0);
    SEE(preadv_at(fd, &piece, 1, -1, 1 << 30));
    SEE(preadv_at(fd, &piece, 1, -1, NOWAIT));
    eventfd_write(fd, 5);
    SEE(preadv_at(fd, &piece, 1, -1, NOWAIT));
    SEE(preadv_at(fd, NULL, 0, -1, 1 << 30));
}

RULE(write_flags, "pwritev2(2)", "an eventfd takes no flags but RWF_HIPRI")
{
    struct iovec piece = {&one, 8};
    int fd = eventfd(0, EFD_NONBLOCK);
    SEE(pwritev_at(fd, &piece, 1, -1, HIPRI));
    SEE(pwritev_at(fd, &piece, 1, -1, NOWAIT));
    SEE(pwritev_at(fd, &piece, 1, -1, SYNC));
    SEE(pwritev_at(fd, &piece, 1, -1, 1 << 30));
    SEE(count_of(fd));
}

RULE(mode_first, "writev(2)", "the wrong end of a pipe is EBADF before the pieces are counted or read")
{
    since(6, 8);
    int ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE(writev_of(ends[0], (struct iovec *)16, 1));
    SEE(writev_of(ends[0], NULL, 1025));
    SEE(readv_of(ends[1], (struct iovec *)16, 1));
    SEE(preadv_at(ends[1], (struct iovec *)16, 1, -1, 1 << 30));
    SEE(pwritev_at(ends[0], (struct iovec *)16, 1, -1, 1 << 30));
}

RULE(operation_first, "writev(2)", "EINVAL for a file without such an operation, before the pieces are looked at")
{
    since(6, 8);
    struct iovec none = {bytes, 0};
    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    SEE(readv_of(epoll, (struct iovec *)16, 1));
    SEE(readv_of(epoll, &none, 1));
    SEE(writev_of(epoll, NULL, 0));
    SEE(writev_of(timer, (struct iovec *)16, 1));
    SEE(writev_of(timer, NULL, 0));
    SEE(readv_of(timer, NULL, 0));
    SEE(syscall(SYS_write, timer, bytes, BEYOND));
    SEE(syscall(SYS_read, epoll, bytes, BEYOND));
    SEE(pwritev_at(timer, &none, 1, -1, 1 << 30));
}

RULE(pieces_before_flags, "pwritev2(2)", "a bad array of pieces comes before unknown flags")
{
    int fd = eventfd(0, EFD_NONBLOCK);
    SEE(pwritev_at(fd, (struct iovec *)16, 1, -1, 1 << 30));
    SEE(preadv_at(fd, (struct iovec *)16, 1, -1, 1 << 30));
}
