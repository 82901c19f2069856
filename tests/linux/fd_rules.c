/* fcntl(2), ioctl(2), lseek(2), fstat(2): what event files and pipes answer to calls that are for any file. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("%s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

#define F_DUPFD_QUERY 1027

static char bytes[64];

static void flags(int fd)
{
    FACT(fcntl(fd, F_GETFL));
    FACT(fcntl(fd, F_SETFL, O_APPEND | O_NOATIME));
    FACT(fcntl(fd, F_GETFL));
    FACT(fcntl(fd, F_SETFL, O_DIRECT));
    FACT(fcntl(fd, F_GETFL));
    FACT(fcntl(fd, F_SETFL, O_NONBLOCK));
    FACT(fcntl(fd, F_SETFD, 0xff));
    FACT(fcntl(fd, F_GETFD));
    FACT(ioctl(fd, FIONCLEX));
    FACT(fcntl(fd, F_GETFD));
    int on = 1;
    FACT(ioctl(fd, FIONBIO, &on));
    FACT(ioctl(fd, FIONBIO, 0));
    FACT(fcntl(fd, F_GETFL));
}

static void positions(int fd)
{
    struct iovec piece = {bytes, 8};
    FACT(lseek(fd, 5, SEEK_SET));
    FACT(lseek(fd, 0, 9));
    FACT(pread(fd, bytes, 8, 0));
    FACT(pwrite(fd, bytes, 8, 0));
    FACT(pread(fd, bytes, 8, -1));
    FACT(preadv(fd, &piece, 1, 0));
    FACT(syscall(SYS_preadv2, fd, &piece, 1, 0, 0, 8));
    FACT(syscall(SYS_preadv2, fd, &piece, 1, -5L, -1L, 0));
    FACT(fsync(fd));
    FACT(fdatasync(fd));
    FACT(ftruncate(fd, 0));
    FACT(syscall(SYS_fadvise64, fd, 0, 0, 0));
}

static void others(int fd)
{
    int count = 0;
    FACT(fcntl(fd, F_GETPIPE_SZ));
    FACT(fcntl(fd, F_GETLEASE));
    FACT(fcntl(fd, F_SETLEASE, F_RDLCK));
    FACT(fcntl(fd, F_NOTIFY, 1));
    FACT(fcntl(fd, F_GETOWN));
    FACT(fcntl(fd, F_GETSIG));
    FACT(fcntl(fd, 999, 0));
    FACT(fcntl(fd, F_DUPFD, 1 << 30));
    FACT(ioctl(fd, FIONREAD, &count));
    FACT(ioctl(fd, TCGETS, bytes));
    FACT(recv(fd, bytes, 1, 0));
    FACT(read(fd, bytes, 0));
    FACT(write(fd, bytes, 0));
    FACT(syscall(SYS_copy_file_range, fd, 0, 1, 0, 1, 0));
}

static void status(int fd)
{
    struct stat shown, again;
    struct statx more;
    FACT(fstat(fd, &shown));
    printf("type %o, %ld links, size %ld, blocks of %ld\n", shown.st_mode & S_IFMT, (long)shown.st_nlink,
           (long)shown.st_size, (long)shown.st_blksize);
    FACT(syscall(SYS_newfstatat, fd, "", &again, AT_EMPTY_PATH));
    FACT(syscall(SYS_newfstatat, fd, "x", &again, AT_EMPTY_PATH));
    printf("the same inode: %d\n", shown.st_ino == again.st_ino && shown.st_dev == again.st_dev);
    FACT(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &more));
    printf("the same: %d\n", more.stx_mode == shown.st_mode && more.stx_ino == shown.st_ino);
    FACT(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x80000000, &more));
    FACT(syscall(SYS_fstat, fd, 16));
}

static void numbers(void)
{
    int event = eventfd(0, EFD_CLOEXEC);
    FACT(dup2(event, 50));
    FACT(fcntl(50, F_GETFD));
    FACT(dup3(event, 51, O_CLOEXEC));
    FACT(fcntl(51, F_GETFD));
    FACT(dup2(event, event) == event);
    FACT(dup3(event, event, 0));
    FACT(dup3(event, 52, 1));
    FACT(dup2(99, 98));
    FACT(dup2(99, 99));
    FACT(dup2(event, 1 << 30));
    FACT(fcntl(event, F_DUPFD_CLOEXEC, 60));
    FACT(fcntl(60, F_GETFD));
    FACT(fcntl(event, F_DUPFD, 60));
    if (fcntl(event, F_DUPFD_QUERY, event) == 1) {
        FACT(fcntl(event, F_DUPFD_QUERY, 50));
        FACT(fcntl(event, F_DUPFD_QUERY, 0));
        FACT(fcntl(event, F_DUPFD_QUERY, 99));
    }
    FACT(syscall(SYS_close_range, 5, 3, 0));
    FACT(syscall(SYS_close_range, 50, 60, 8));
    FACT(syscall(SYS_close_range, 50, 60, 0));
    FACT(fcntl(50, F_GETFD));
    FACT(fcntl(61, F_GETFD));
    FACT(syscall(SYS_close_range, 61, ~0U, 4));
    FACT(fcntl(61, F_GETFD));
    FACT(close(61));
    FACT(close(61));
}

int main(void)
{
    int ends[2];
    sigset_t none;
    sigemptyset(&none);
    if (pipe(ends) < 0)
        return 1;
    int fds[] = {eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), epoll_create1(0),
                 signalfd(-1, &none, 0), ends[0], ends[1]};
    static const char *const names[] = {"eventfd", "timerfd", "epoll", "signalfd", "read end", "write end"};
    for (int i = 0; i < 6; i++) {
        printf("%s\n", names[i]);
        flags(fds[i]);
        positions(fds[i]);
        others(fds[i]);
        status(fds[i]);
    }
    numbers();
    return 0;
}
