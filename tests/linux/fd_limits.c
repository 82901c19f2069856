/* RLIMIT_NOFILE: what fails when no number is free, or one too few, and that nothing is left of it. getrlimit(2). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { LIMIT = 32 };

static int count(void)
{
    int open_ones = 0;
    for (int fd = 0; fd < LIMIT; fd++)
        open_ones += fcntl(fd, F_GETFD) >= 0;
    return open_ones;
}

static void tell(const char *what, int result)
{
    const char *error = result < 0 ? strerrorname_np(errno) : "ok";
    printf("%s: %s, open %d\n", what, error, count());
}

int main(void)
{
    struct rlimit limit = {LIMIT, LIMIT};
    int ends[2] = {-7, -7}, fd, last = -1;
    int *volatile nowhere = (int *)8;
    sigset_t none;
    sigemptyset(&none);
    setrlimit(RLIMIT_NOFILE, &limit);
    while ((fd = eventfd(0, 0)) >= 0)
        last = fd;
    tell("eventfd", fd);
    tell("pipe, none free", pipe(ends));
    close(last);
    tell("pipe, one free", pipe(ends));
    tell("pipe2, one free", pipe2(ends, O_CLOEXEC));
    printf("numbers told: %d\n", ends[0] != -7);
    tell("pipe to nowhere, one free", pipe(nowhere));
    close(last - 1);
    tell("pipe to nowhere, two free", pipe(nowhere));
    tell("pipe, two free", pipe(ends));
    tell("epoll", epoll_create1(0));
    tell("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
    tell("signalfd", signalfd(-1, &none, 0));
    tell("pidfd", syscall(SYS_pidfd_open, getpid(), 0));
    tell("dup", dup(ends[0]));
    tell("dup2 beyond", dup2(ends[0], LIMIT));
    tell("F_DUPFD beyond", fcntl(ends[0], F_DUPFD, LIMIT));
    tell("open", open("/dev/null", O_RDONLY));
    return 0;
}
