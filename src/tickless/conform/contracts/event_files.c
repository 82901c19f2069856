/* fcntl(2), ioctl(2), lseek(2), stat(2), getrlimit(2): what event files and pipes answer to calls that are for any file. */
#include "contract.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <termios.h>

#define KINDS 6
#define EPOLL 2 /* its place among them */
#define DUPFD_QUERY 1027 /* linux/fcntl.h */
#define FULL_FLAGS (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

static char bytes[64];
static int fds[KINDS];
static const char *const names[KINDS] = {"eventfd", "timerfd", "epoll", "signalfd", "read end", "write end"};

static void make_all(void)
{
    sigset_t none;
    int ends[2];
    sigemptyset(&none);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    int made[] = {eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), epoll_create1(0),
                  signalfd(-1, &none, 0), ends[0], ends[1]};
    memcpy(fds, made, sizeof made);
}

/* Begin the part of one kind of file, and say which it is. */
static int kind(int i)
{
    if (i == 0)
        make_all();
    if (i < KINDS)
        observed("kind", "%s", names[i]);
    return i < KINDS;
}

#define EACH_KIND(i) for (int i = 0; kind(i); i++)

RULE(access_modes, "fcntl(2)", "F_GETFL: event files are open for both ways, a pipe's ends for one each")
{
    EACH_KIND(i) SEE(fcntl(fds[i], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
}

RULE(flags_that_change, "fcntl(2)", "F_SETFL sets O_APPEND on any, O_DIRECT on pipes alone: EINVAL, and nothing is set")
{
    EACH_KIND(i)
    {
        SEE(fcntl(fds[i], F_SETFL, O_APPEND));
        SEE_WHETHER((fcntl(fds[i], F_GETFL) & FULL_FLAGS) == O_APPEND);
        SEE(fcntl(fds[i], F_SETFL, O_DIRECT));
        SEE_WHETHER((fcntl(fds[i], F_GETFL) & FULL_FLAGS) == (i > 3 ? O_DIRECT : O_APPEND));
    }
}

RULE(flags_of_the_number, "ioctl(2)", "FIOCLEX and FIONCLEX set and clear close-on-exec; F_SETFD looks at one bit")
{
    EACH_KIND(i)
    {
        SEE(fcntl(fds[i], F_SETFD, 0xff));
        SEE(ioctl(fds[i], FIONCLEX));
        SEE(fcntl(fds[i], F_GETFD));
        SEE(ioctl(fds[i], FIOCLEX));
        SEE(fcntl(fds[i], F_GETFD));
    }
}

RULE(fionbio, "ioctl(2)", "FIONBIO reads an int: EFAULT without one; any but 0 is yes")
{
    int on = -1, off = 0;
    EACH_KIND(i)
    {
        SEE(ioctl(fds[i], FIONBIO, &on));
        SEE_WHETHER(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        SEE(ioctl(fds[i], FIONBIO, &off));
        SEE_WHETHER(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
        SEE(syscall(SYS_ioctl, fds[i], FIONBIO, 16));
    }
}

static void see_ioctls(int fd)
{
    int count;
    SEE(ioctl(fd, FIONREAD, &count));
    SEE(ioctl(fd, TCGETS, bytes));
    SEE(ioctl(fd, 0x12345678, 16));
}

RULE(other_ioctls, "ioctl(2)", "FIONREAD is a pipe's; TCGETS nobody's; EBADF before all")
{
    EACH_KIND(i) if (i != EPOLL) see_ioctls(fds[i]);
    SEE(ioctl(99, TCGETS, 16));
    SEE(syscall(SYS_ioctl, fds[4], FIONREAD, 16));
}

RULE(ioctls_of_an_epoll, "epoll(7)", "it has ioctls of its own, so that others are EINVAL")
{
    since(6, 9);
    make_all();
    see_ioctls(fds[EPOLL]);
}

RULE(seeks, "lseek(2)", "a pipe is ESPIPE, an unknown whence EINVAL before that, event files stay at 0")
{
    EACH_KIND(i)
    {
        SEE(lseek(fds[i], 5, SEEK_SET));
        SEE(lseek(fds[i], -5, SEEK_END));
        SEE(lseek(fds[i], 0, 9));
    }
}

RULE(reads_at_a_position, "pread(2)", "ESPIPE, EINVAL for a negative position; -1 is the file's own to preadv2; EBADF for the wrong way first")
{
    struct iovec piece = {bytes, 8};
    EACH_KIND(i)
    {
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        SEE(pread(fds[i], bytes, 8, 0));
        SEE(pwrite(fds[i], bytes, 8, 0));
        SEE(pread(fds[i], bytes, 8, -1));
        SEE(preadv(fds[i], &piece, 1, 0));
        SEE(syscall(SYS_preadv2, fds[i], &piece, 1, 0, 0, 8));
        SEE(syscall(SYS_preadv2, fds[i], &piece, 1, -5L, -1L, 0));
    }
}

RULE(nothing_to_keep, "fsync(2)", "no data goes to a disk: EINVAL for fsync, fdatasync and ftruncate, ESPIPE for advice on a pipe")
{
    EACH_KIND(i)
    {
        SEE(fsync(fds[i]));
        SEE(fdatasync(fds[i]));
        SEE(ftruncate(fds[i], 0));
        SEE(syscall(SYS_fadvise64, fds[i], 0, 0, 0));
        SEE(syscall(SYS_fadvise64, fds[i], 0, -1L, 0));
        SEE(syscall(SYS_fadvise64, fds[i], 0, 0, 6));
    }
}

RULE(other_commands, "fcntl(2)", "leases and notifications are for files on disk, owners for whoever asks; EBADF for a size but of a pipe")
{
    EACH_KIND(i)
    {
        SEE(fcntl(fds[i], F_GETPIPE_SZ));
        SEE(fcntl(fds[i], F_SETPIPE_SZ, 4096));
        SEE(fcntl(fds[i], F_GETLEASE));
        SEE(fcntl(fds[i], F_NOTIFY, 1));
        SEE(fcntl(fds[i], F_GETOWN));
        SEE(fcntl(fds[i], F_GETSIG));
        SEE(fcntl(fds[i], F_GET_SEALS));
    }
}

RULE(reads_of_nothing, "read(2)", "of 0 bytes: 0 from a pipe, EINVAL from event files, EBADF for the wrong way, EINVAL for an epoll")
{
    EACH_KIND(i)
    {
        SEE(read(fds[i], bytes, 0));
        SEE(write(fds[i], bytes, 0));
        SEE(syscall(SYS_read, fds[i], 16, 0));
        SEE(syscall(SYS_write, fds[i], 16, 0));
    }
}

RULE(no_sockets, "recv(2)", "ENOTSOCK for all of them, whatever the arguments; EBADF first")
{
    EACH_KIND(i)
    {
        SEE(recv(fds[i], bytes, 1, 0));
        SEE(send(fds[i], bytes, 1, ~0));
        SEE(shutdown(fds[i], 77));
        SEE(getsockopt(fds[i], SOL_SOCKET, SO_TYPE, bytes, NULL));
    }
    SEE(recv(99, NULL, 1, 0));
}

RULE(no_copies, "copy_file_range(2)", "only between files on disk: EINVAL, EBADF for the wrong way")
{
    EACH_KIND(i)
    {
        SEE(syscall(SYS_copy_file_range, fds[i], NULL, fds[i], NULL, 1, 0));
        SEE(syscall(SYS_copy_file_range, fds[i], NULL, 99, NULL, 1, 0));
    }
}

RULE(what_stat_tells, "stat(2)", "a pipe is a FIFO of 0600, an event file of no type, each of size 0 in blocks of 4096, with one link")
{
    struct stat shown, again;
    EACH_KIND(i)
    {
        SEE(fstat(fds[i], &shown));
        observed("shown", "mode %o, %ld links, size %ld, blocks of %ld", shown.st_mode, (long)shown.st_nlink,
                 (long)shown.st_size, (long)shown.st_blksize);
        SEE(syscall(SYS_fstat, fds[i], 16));
        SEE(syscall(SYS_newfstatat, fds[i], "", &again, AT_EMPTY_PATH));
        SEE_WHETHER(shown.st_ino == again.st_ino && shown.st_dev == again.st_dev);
        SEE(syscall(SYS_newfstatat, fds[i], "x", &again, AT_EMPTY_PATH));
        SEE(syscall(SYS_newfstatat, fds[i], "", &again, 0));
    }
}

/* The beginning of a struct statx, which an older musl does not know. */
struct more_status {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, spare;
    uint64_t inode, size, rest[29];
};

RULE(what_statx_tells, "statx(2)", "the same with AT_EMPTY_PATH; EINVAL for the reserved bit of the mask and both ways to synchronize")
{
    struct more_status more;
    struct stat shown;
    EACH_KIND(i)
    {
        fstat(fds[i], &shown);
        SEE(syscall(SYS_statx, fds[i], "", AT_EMPTY_PATH, 0x7ff, &more));
        SEE_WHETHER(more.mode == shown.st_mode && more.inode == shown.st_ino && more.size == 0);
        SEE(syscall(SYS_statx, fds[i], "", AT_EMPTY_PATH, 0x80000000, &more));
        SEE(syscall(SYS_statx, fds[i], "", AT_EMPTY_PATH | 0x6000, 0, &more));
        SEE(syscall(SYS_statx, fds[i], "", AT_EMPTY_PATH, 0, 16));
    }
}

RULE(modes_of_a_description, "fchmod(2)", "the owner of a pipe may change its permissions, and both ends show them")
{
    struct stat shown;
    make_all();
    SEE(fchmod(fds[4], 0640));
    SEE(fstat(fds[5], &shown));
    observed("the other end", "%o", shown.st_mode);
}

RULE(same_file, "fcntl(2)", "F_DUPFD_QUERY tells whether two numbers are one description; EBADF for the second")
{
    int event = eventfd(0, 0), copy = dup(event), other = eventfd(0, 0);
    since(6, 10);
    SEE(fcntl(event, DUPFD_QUERY, copy));
    SEE(fcntl(event, DUPFD_QUERY, other));
    SEE(fcntl(event, DUPFD_QUERY, 0));
    SEE(fcntl(event, DUPFD_QUERY, 99));
}

RULE(highest_numbers, "dup(2)", "F_DUPFD from beyond the limit is EINVAL, from the last number EMFILE when it is taken; dup2 EBADF")
{
    struct rlimit limit = {32, 32};
    int event = eventfd(0, 0);
    SEE(setrlimit(RLIMIT_NOFILE, &limit));
    SEE(fcntl(event, F_DUPFD, 31));
    SEE(fcntl(event, F_DUPFD, 31));
    SEE(fcntl(event, F_DUPFD, 32));
    SEE(dup2(event, 32));
    SEE(dup2(event, 31));
}

enum { LIMIT = 16 };

static int open_numbers(void)
{
    int open_ones = 0;
    for (int fd = 0; fd < LIMIT; fd++)
        open_ones += fcntl(fd, F_GETFD) >= 0;
    return open_ones;
}

static int fill_numbers(void)
{
    struct rlimit limit = {LIMIT, LIMIT};
    int fd, last = -1;
    setrlimit(RLIMIT_NOFILE, &limit);
    while ((fd = eventfd(0, 0)) >= 0)
        last = fd;
    return last;
}

RULE(no_number_left, "getrlimit(2)", "EMFILE for whatever makes a number, and nothing is left of it")
{
    sigset_t none;
    sigemptyset(&none);
    SEE(fill_numbers());
    SEE(eventfd(0, 0));
    SEE(epoll_create1(0));
    SEE(timerfd_create(CLOCK_MONOTONIC, 0));
    SEE(signalfd(-1, &none, 0));
    SEE(inotify_init());
    SEE(syscall(SYS_pidfd_open, getpid(), 0));
    SEE(dup(0));
    SEE(open("/dev/null", O_RDONLY));
    SEE(socket(AF_UNIX, SOCK_STREAM, 0));
    SEE(open_numbers());
}

RULE(arguments_before_numbers, "getrlimit(2)", "a wrong argument is found before EMFILE")
{
    sigset_t none;
    sigemptyset(&none);
    fill_numbers();
    SEE(eventfd(0, 2));
    SEE(epoll_create1(2));
    SEE(timerfd_create(99, 0));
    SEE(syscall(SYS_signalfd4, -1, &none, 8, 2));
    SEE(syscall(SYS_signalfd4, -1, 16, 8, 0));
    SEE(syscall(SYS_pidfd_open, 0, 0));
    SEE(syscall(SYS_pipe2, 16, 1));
    SEE(dup(99));
}

RULE(half_a_pipe, "pipe(2)", "with one number left EMFILE, and both are free again; the array is not written; EFAULT frees them, too")
{
    int ends[2] = {-7, -7}, last = fill_numbers();
    SEE(pipe(ends));
    close(last);
    SEE(pipe(ends));
    SEE(ends[0]);
    SEE(open_numbers());
    SEE(syscall(SYS_pipe2, 16, 0));
    close(last - 1);
    SEE(syscall(SYS_pipe2, 16, 0));
    SEE(open_numbers());
    SEE(pipe(ends));
    SEE(open_numbers());
}

RULE(a_lower_limit, "getrlimit(2)", "numbers above a limit that was lowered stay open and can be used")
{
    struct rlimit five = {5, 5};
    int event = dup2(eventfd(7, 0), 20);
    uint64_t count = 0;
    SEE(setrlimit(RLIMIT_NOFILE, &five));
    SEE(read(event, &count, 8));
    SEE(count);
    SEE(dup(event));
    SEE(dup(event));
    SEE(dup2(event, 20));
    SEE(dup2(event, 21));
    SEE(close(event));
}
