/* select(2), pselect6(2): sets, their size, time-outs and what is left of them. */
#include "contract.h"
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>

static fd_set set_of(int one, int two)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(one, &set);
    if (two >= 0)
        FD_SET(two, &set);
    return set;
}

static long pselect_of(int count, fd_set *in, struct timespec *timeout)
{
    return syscall(SYS_pselect6, count, in, NULL, NULL, timeout, NULL);
}

RULE(no_sets, "select(2)", "no sets at all is a sleep")
{
    struct timeval moment = {0, 20000};
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(select(0, NULL, NULL, NULL, &moment));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
    SEE(moment.tv_sec + moment.tv_usec);
}

RULE(negative_count, "select(2)", "EINVAL for a negative count; a huge one is cut to the table of files")
{
    struct timespec zero = {0, 0};
    fd_set set = set_of(eventfd(1, 0), -1);
    SEE(pselect_of(-1, &set, &zero));
    SEE(pselect_of(INT32_MAX, NULL, &zero));
    SEE(pselect_of(0, &set, &zero));
    SEE(pselect_of(0, (void *)16, &zero));
}

RULE(closed_fd, "select(2)", "EBADF for a number in a set that is not open, but not beyond the count")
{
    struct timespec zero = {0, 0};
    fd_set set = set_of(20, -1);
    SEE(pselect_of(21, &set, &zero));
    SEE(FD_ISSET(20, &set) != 0);
    SEE(pselect_of(20, &set, &zero));
}

RULE(bad_sets, "select(2)", "EFAULT for a set that cannot be read; a bad time-out comes first")
{
    struct timespec zero = {0, 0}, bad = {0, SECOND};
    SEE(pselect_of(1, (void *)16, &zero));
    SEE(pselect_of(1, (void *)16, &bad));
    SEE(pselect_of(-1, NULL, &bad));
    SEE(pselect_of(1, NULL, (void *)16));
}

RULE(what_is_ready, "select(2)", "the sets are left with what is ready, and the sum of all is returned")
{
    int ready = eventfd(1, 0), idle = eventfd(0, 0);
    fd_set in = set_of(ready, idle), out = set_of(ready, idle), except = set_of(ready, idle);
    struct timeval zero = {0, 0};
    SEE(select(idle + 1, &in, &out, &except, &zero));
    observed("in", "%d %d", FD_ISSET(ready, &in) != 0, FD_ISSET(idle, &in) != 0);
    observed("out", "%d %d", FD_ISSET(ready, &out) != 0, FD_ISSET(idle, &out) != 0);
    observed("except", "%d %d", FD_ISSET(ready, &except) != 0, FD_ISSET(idle, &except) != 0);
}

RULE(nothing_ready, "select(2)", "after a time-out the sets are empty")
{
    int fd = eventfd(0, 0);
    fd_set in = set_of(fd, -1);
    struct timeval zero = {0, 0};
    SEE(select(fd + 1, &in, NULL, NULL, &zero));
    SEE(FD_ISSET(fd, &in) != 0);
}

RULE(end_of_file, "select(2)", "a pipe without a writer is readable, one without a reader writable")
{
    int ends[2];
    struct timeval zero = {0, 0};
    if (pipe(ends) < 0)
        cannot_start("pipe");
    close(ends[1]);
    fd_set in = set_of(ends[0], -1);
    SEE(select(ends[0] + 1, &in, NULL, NULL, &zero));
    if (pipe(ends) < 0)
        cannot_start("pipe");
    close(ends[0]);
    fd_set out = set_of(ends[1], -1);
    SEE(select(ends[1] + 1, NULL, &out, NULL, &zero));
}

RULE(time_left, "select(2)", "Linux writes the time that is left into the time-out")
{
    int fd = eventfd(1, 0);
    fd_set in = set_of(fd, -1);
    struct timeval hour = {3600, 0};
    SEE(select(fd + 1, &in, NULL, NULL, &hour));
    SEE_WHETHER(hour.tv_sec >= 3590 && hour.tv_sec <= 3600);
}

RULE(time_left_of_a_wait, "select(2)", "what is left is told when a file becomes ready, or a handler runs; it is no more than what was given")
{
    int ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t parent = getpid();
    count_signal(SIGUSR1, 0);
    for (int by_signal = 0; by_signal < 2; by_signal++) {
        struct timespec left = {1000, 0};
        fd_set in;
        FD_ZERO(&in);
        FD_SET(ends[0], &in);
        pid_t child = fork();
        if (child == 0) {
            until_asleep(parent);
            _exit(by_signal ? kill(parent, SIGUSR1) : write(ends[1], "x", 1) != 1);
        }
        SEE(pselect_of(ends[0] + 1, &in, &left));
        SEE_WHETHER(left.tv_sec >= 900 && left.tv_sec < 1000);
        waitpid(child, NULL, 0);
        char byte;
        if (!by_signal)
            SEE(read(ends[0], &byte, 1));
    }
}

RULE(bad_time, "select(2)", "EINVAL for negative times; microseconds may be more than a second's")
{
#ifdef SYS_select
    struct timeval negative = {-1, 0}, micro = {0, -1}, many = {0, 1000001};
    int fd = eventfd(1, 0);
    fd_set in = set_of(fd, -1);
    SEE(syscall(SYS_select, fd + 1, &in, NULL, NULL, &negative));
    SEE(syscall(SYS_select, fd + 1, &in, NULL, NULL, &micro));
    SEE(syscall(SYS_select, fd + 1, &in, NULL, NULL, &many));
#else
    not_here("select: no such call on this machine");
#endif
}

RULE(interrupted, "select(2)", "EINTR by a handler, also with SA_RESTART; the sets are left alone")
{
    int fd = eventfd(0, 0);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        pid_t waiter = fork();
        if (waiter == 0) {
            fd_set in = set_of(fd, -1);
            count_signal(SIGUSR1, flags);
            SEE(select(fd + 1, &in, NULL, NULL, NULL));
            SEE(FD_ISSET(fd, &in) != 0);
            _exit(0);
        }
        until_asleep(waiter);
        kill(waiter, SIGUSR1);
        waitpid(waiter, NULL, 0);
    }
}

RULE(mask, "pselect6(2)", "the mask and its size come in a structure; it counts while the call waits")
{
    struct timespec second = {1, 0}, again = {1, 0};
    sigset_t usr1, none;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    struct { sigset_t *mask; size_t size; } good = {&none, 8}, small = {&none, 4}, no_mask = {NULL, 4};
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    count_signal(SIGUSR1, 0);
    raise(SIGUSR1);
    SEE(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &second, &small));
    struct timespec zero = {0, 0};
    SEE(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &zero, &no_mask));
    SEE(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &zero, 16L));
    SEE(syscall(SYS_pselect6, 0, NULL, NULL, NULL, &again, &good));
    SEE(signals_counted);
}

RULE(out_of_band, "select(2)", "out-of-band data of a TCP socket is exceptional")
{
    int server = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_storage address = {.ss_family = AF_INET};
    socklen_t size = 16;
    ((unsigned char *)&address)[4] = 127;
    ((unsigned char *)&address)[7] = 1;
    if (bind(server, (struct sockaddr *)&address, 16) < 0 || listen(server, 1) < 0)
        cannot_start("listen");
    getsockname(server, (struct sockaddr *)&address, &size);
    if (connect(client, (struct sockaddr *)&address, 16) < 0)
        cannot_start("connect");
    int peer = accept(server, NULL, NULL);
    send(client, "!", 1, MSG_OOB);
    fd_set except = set_of(peer, -1);
    struct timeval second = {5, 0};
    SEE(select(peer + 1, NULL, NULL, &except, &second));
    SEE(FD_ISSET(peer, &except) != 0);
}
