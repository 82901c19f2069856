/* fcntl(2), dup(2), close(2), close_range(2): numbers, flags of numbers and of descriptions. */
#include "contract.h"
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#define RANGE_CLOEXEC 4 /* linux/close_range.h */

static char bytes[16];

static long range(unsigned first, unsigned last, int flags)
{
#ifdef SYS_close_range
    return syscall(SYS_close_range, first, last, flags);
#else
    (void)first, (void)last, (void)flags;
    not_here("close_range: Linux 5.9");
#endif
}

RULE(lowest, "dup(2)", "a new number is the lowest that is free")
{
    int fd = eventfd(0, 0);
    SEE(dup(fd));
    SEE(dup(fd));
    close(4);
    SEE(dup(fd));
    SEE(eventfd(0, 0));
    close(fd);
    SEE(timerfd_create(CLOCK_MONOTONIC, 0));
}

RULE(dup_errors, "dup(2)", "EBADF for what is not open, or beyond all numbers; EMFILE at the limit")
{
    struct rlimit six = {6, 6};
    SEE(dup(99));
    SEE(dup(-1));
    SEE(dup2(99, 3));
    SEE(dup2(0, -1));
    SEE(dup2(0, 1 << 30));
    setrlimit(RLIMIT_NOFILE, &six);
    SEE(dup2(0, 6));
    SEE(dup2(0, 5));
    SEE(dup(0));
    SEE(dup(0));
    SEE(dup(0));
    SEE(eventfd(0, 0));
}

RULE(dup2_same, "dup2(2)", "the same number twice does nothing; dup3 refuses it")
{
    int fd = eventfd(0, EFD_CLOEXEC);
    SEE(dup2(fd, fd));
    SEE(fcntl(fd, F_GETFD));
    SEE(dup3(fd, fd, 0));
    SEE(dup2(99, 99));
    SEE(dup3(99, 99, 0));
}

RULE(dup3_flags, "dup3(2)", "only O_CLOEXEC; checked before the numbers")
{
    int fd = eventfd(0, 0);
    SEE(dup3(fd, 20, O_CLOEXEC));
    SEE(fcntl(20, F_GETFD));
    SEE(dup3(fd, 21, O_NONBLOCK));
    SEE(dup3(99, 21, O_NONBLOCK));
    SEE(dup3(fd, fd, O_NONBLOCK));
}

RULE(dup2_closes, "dup2(2)", "what the number was before is closed")
{
    int ends[2], fd = eventfd(0, 0);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE_WHETHER(dup2(fd, ends[1]) == ends[1]);
    SEE(read(ends[0], bytes, 1));
}

RULE(cloexec_is_the_numbers, "fcntl(2)", "FD_CLOEXEC belongs to the number, not to the description")
{
    int fd = eventfd(0, EFD_CLOEXEC), copy = dup(fd);
    SEE(fcntl(fd, F_GETFD));
    SEE(fcntl(copy, F_GETFD));
    SEE(fcntl(copy, F_SETFD, FD_CLOEXEC));
    SEE(fcntl(fd, F_SETFD, 0));
    SEE(fcntl(copy, F_GETFD));
    SEE(fcntl(fd, F_SETFD, 0x7ffffffe));
    SEE(fcntl(fd, F_GETFD));
}

RULE(dupfd, "fcntl(2)", "F_DUPFD takes the lowest free number from its argument on")
{
    int fd = eventfd(0, 0);
    SEE(fcntl(fd, F_DUPFD, 10));
    SEE(fcntl(fd, F_DUPFD, 10));
    SEE(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    SEE(fcntl(4, F_GETFD));
    SEE(fcntl(fd, F_DUPFD, -1));
    SEE(fcntl(fd, F_DUPFD, 1 << 30));
    SEE(fcntl(99, F_DUPFD, 0));
}

RULE(status_flags, "fcntl(2)", "F_SETFL changes O_NONBLOCK and O_APPEND; the access mode and the rest are left")
{
    int fd = eventfd(0, 0);
    SEE(fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY | O_CREAT));
    SEE_WHETHER(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
    SEE(fcntl(fd, F_SETFL, O_APPEND));
    SEE_WHETHER(fcntl(fd, F_GETFL) == (O_RDWR | O_APPEND));
    SEE(fcntl(fd, F_SETFL, 0));
    SEE(fcntl(fd, F_SETFL, O_DIRECT));
}

RULE(unknown, "fcntl(2)", "EINVAL for an unknown command, EBADF first for a number that is not open")
{
    int fd = eventfd(0, 0);
    SEE(fcntl(fd, 9999, 0));
    SEE(fcntl(99, 9999, 0));
    SEE(fcntl(99, F_GETFD));
    SEE(fcntl(-1, F_GETFL));
}

RULE(close_twice, "close(2)", "EBADF for a number that is not open")
{
    int fd = eventfd(0, 0);
    SEE(close(fd));
    SEE(close(fd));
    SEE(close(-1));
}

RULE(range_arguments, "close_range(2)", "EINVAL for unknown flags and for a range that ends before it begins")
{
    SEE(range(5, 4, 0));
    SEE(range(3, 4, 1));
    SEE(range(5, 4, RANGE_CLOEXEC));
    SEE(range(1000, ~0U, 0));
}

RULE(range_closes, "close_range(2)", "every number of the range is closed, holes are no error")
{
    int fd = eventfd(0, 0);
    dup2(fd, 7);
    dup2(fd, 12);
    SEE(range(4, 10, 0));
    SEE(fcntl(7, F_GETFD));
    SEE(fcntl(12, F_GETFD));
    SEE(fcntl(fd, F_GETFD));
}

RULE(range_cloexec, "close_range(2)", "CLOSE_RANGE_CLOEXEC sets the flag and closes nothing")
{
    int fd = eventfd(0, 0);
    dup2(fd, 7);
    SEE(range(3, ~0U, RANGE_CLOEXEC));
    SEE(fcntl(fd, F_GETFD));
    SEE(fcntl(7, F_GETFD));
    SEE(fcntl(0, F_GETFD));
}

RULE(what_stat_shows, "stat(2)", "an eventfd, a timerfd and a pipe: kind of file, permissions, size")
{
    struct stat status;
    int ends[2], fds[3] = {eventfd(5, 0), timerfd_create(CLOCK_MONOTONIC, 0), 0};
    if (pipe(ends) < 0)
        cannot_start("pipe");
    fds[2] = ends[0];
    for (int i = 0; i < 3; i++) {
        SEE(fstat(fds[i], &status));
        observed("mode", "%o, size %ld", status.st_mode, (long)status.st_size);
    }
}

RULE(links, "proc(5)", "what /proc/self/fd says of them")
{
    char path[32], link[64];
    int fds[2] = {eventfd(5, 0), timerfd_create(CLOCK_MONOTONIC, 0)};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fds[i]);
        long length = readlink(path, link, sizeof link - 1);
        link[length > 0 ? length : 0] = 0;
        observed("link", "%s", link);
    }
}

RULE(not_seekable, "lseek(2)", "an eventfd seeks to 0, a pipe not at all")
{
    int fd = eventfd(5, 0), ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE(lseek(fd, 0, SEEK_CUR));
    SEE(lseek(fd, 100, SEEK_SET));
    SEE(lseek(ends[0], 0, SEEK_CUR));
    SEE(ftruncate(fd, 0));
    SEE(fsync(fd));
    SEE(fchmod(ends[0], 0600));
}
