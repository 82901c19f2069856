/* poll(2), select(2): order of checks, revents, what is left of the time-out, signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("%s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

static void handler(int signo)
{
    (void)signo;
}

static void revents(void)
{
    int full = eventfd(1, 0), ends[2], epoll = epoll_create1(0);
    struct pollfd fds[] = {
        {-1, POLLIN, 7}, {99, POLLIN, 7}, {full, POLLIN | POLLOUT | POLLRDNORM, 7}, {epoll, POLLIN, 7},
        {full, 0, 7}, {full, POLLOUT, 7},
    };

    FACT(poll(fds, 6, 0));
    for (int i = 0; i < 6; i++)
        printf("%x ", fds[i].revents);
    if (pipe(ends) < 0)
        perror("pipe");
    struct pollfd pipes[] = {{ends[0], POLLIN | POLLRDNORM, 0}, {ends[1], POLLOUT | POLLWRNORM, 0}};
    poll(pipes, 2, 0);
    printf("pipe %x %x ", pipes[0].revents, pipes[1].revents);
    close(ends[1]);
    poll(pipes, 1, 0);
    printf("without writer %x ", pipes[0].revents);
    if (pipe(ends) < 0)
        perror("pipe");
    close(ends[0]);
    pipes[1].fd = ends[1];
    poll(pipes + 1, 1, 0);
    printf("without reader %x\n", pipes[1].revents);
}

static void poll_checks(void)
{
    struct pollfd none = {-1, 0, 0};
    struct timespec bad = {0, 1000000000}, zero = {0, 0};
    struct rlimit limit;
    long nowhere = 16;

    FACT(syscall(SYS_ppoll, nowhere, 1 << 30, &bad, nowhere, 4));
    FACT(syscall(SYS_ppoll, nowhere, 1 << 30, nowhere, nowhere, 4));
    FACT(syscall(SYS_ppoll, nowhere, 1 << 30, &zero, nowhere, 4));
    FACT(syscall(SYS_ppoll, nowhere, 1 << 30, &zero, nowhere, 8));
    FACT(syscall(SYS_ppoll, nowhere, 1 << 30, &zero, 0, 0));
    FACT(syscall(SYS_ppoll, nowhere, 1, &zero, 0, 0));
    FACT(poll(NULL, 0, 0));
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 20;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct pollfd many[21];
    for (int i = 0; i < 21; i++)
        many[i] = none;
    FACT(poll(many, 20, 0));
    FACT(poll(many, 21, 0));
    limit.rlim_cur = limit.rlim_max < 1024 ? limit.rlim_max : 1024;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void select_checks(void)
{
    fd_set set, writable, exceptional;
    struct timeval zero = {0, 0}, negative = {0, -1}, minus = {-1, 0}, odd = {0, 1500000};
    struct timespec bad = {0, 1000000000};
    int event = eventfd(1, 0);
    long nowhere = 16, pack[2] = {nowhere, 4};

    FACT(syscall(SYS_select, -1, nowhere, 0, 0, nowhere));
    FACT(syscall(SYS_select, -1, nowhere, 0, 0, &negative));
    FACT(syscall(SYS_select, -1, nowhere, 0, 0, &minus));
    FACT(syscall(SYS_select, -1, nowhere, 0, 0, &zero));
    FACT(syscall(SYS_select, 8, nowhere, 0, 0, &zero));
    FD_ZERO(&set);
    FD_SET(50, &set);
    FACT(select(51, &set, NULL, NULL, &zero));
    FACT(select(50, &set, NULL, NULL, &zero));
    FACT(syscall(SYS_pselect6, -1, 0, 0, 0, &bad, nowhere));
    FACT(syscall(SYS_pselect6, -1, 0, 0, 0, &bad, pack));
    FACT(syscall(SYS_pselect6, -1, 0, 0, 0, 0, pack));
    pack[1] = 8;
    FACT(syscall(SYS_pselect6, -1, 0, 0, 0, 0, pack));
    pack[0] = 0;
    FACT(syscall(SYS_pselect6, -1, 0, 0, 0, 0, pack));
    FD_ZERO(&set);
    FD_SET(event, &set);
    writable = exceptional = set;
    FACT(select(event + 1, &set, &writable, &exceptional, &odd));
    printf("left %ld tenths, of 1 s: %d, exceptional %d\n", ((long)odd.tv_usec + 50000) / 100000, odd.tv_sec == 1, FD_ISSET(event, &exceptional));
}

static void signals(void)
{
    int quiet = eventfd(0, 0), loud = eventfd(1, 0), epoll = epoll_create1(0);
    struct pollfd fds = {quiet, POLLIN, 77};
    struct timespec zero = {0, 0}, long_time = {5, 0};
    struct epoll_event out;
    sigset_t none, usr1, pending;
    fd_set set;
    long pack[2] = {(long)&none, 8};

    signal(SIGUSR1, handler);
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    FD_ZERO(&set);
    FD_SET(quiet, &set);

    raise(SIGUSR1);
    FACT(syscall(SYS_pselect6, quiet + 1, &set, 0, 0, &long_time, pack));
    printf("left about 5 s: %d, set %d\n", long_time.tv_sec >= 4 && long_time.tv_sec <= 5, FD_ISSET(quiet, &set));
    raise(SIGUSR1);
    FACT(syscall(SYS_ppoll, &fds, 1, &zero, &none, 8));
    printf("revents %d\n", fds.revents);
    raise(SIGUSR1);
    FACT(syscall(SYS_pselect6, quiet + 1, &set, 0, 0, &zero, pack));
    raise(SIGUSR1);
    FACT(syscall(SYS_epoll_pwait, epoll, &out, 1, 0, &none, 8));
    FACT(syscall(SYS_epoll_pwait, epoll, &out, 1, -1, &none, 8));
    fds.fd = loud;
    raise(SIGUSR1);
    FACT(syscall(SYS_ppoll, &fds, 1, &zero, &none, 8));
    sigpending(&pending);
    printf("pending %d\n", sigismember(&pending, SIGUSR1));
}

static void time_left(void)
{
    struct timespec left = {0, 300000000};
    struct timeval val = {0, 20000};

    FACT(syscall(SYS_ppoll, NULL, 0, &(struct timespec){0, 10000000}, 0, 0));
    FACT(syscall(SYS_select, 0, 0, 0, 0, &val));
    printf("left %ld %ld\n", (long)val.tv_sec, (long)val.tv_usec);
    int loud = eventfd(1, 0);
    FACT(syscall(SYS_ppoll, &(struct pollfd){loud, POLLIN, 0}, 1, &left, 0, 0));
    printf("left at least 0.2 s: %d\n", left.tv_nsec >= 200000000);
}

int main(void)
{
    revents();
    poll_checks();
    select_checks();
    signals();
    time_left();
    return 0;
}
