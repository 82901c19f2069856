/* signal(7), "Interruption of system calls and library functions by stop signals": what each call does after SIGCONT. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { UNIT_MS = 100 };
static int counter, epoll, pipe_fds[2];
static sigset_t usr1;
static struct timespec long_enough = {0, 3 * UNIT_MS * 1000000L};

static long in_epoll_wait(void)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, 3 * UNIT_MS);
}

static long in_epoll_pwait(void)
{
    struct epoll_event event;
    sigset_t none;
    sigemptyset(&none);
    return epoll_pwait(epoll, &event, 1, 3 * UNIT_MS, &none);
}

static long in_poll(void)
{
    struct pollfd fd = {pipe_fds[0], POLLIN, 0};
    return poll(&fd, 1, 3 * UNIT_MS);
}

static long in_ppoll(void)
{
    struct pollfd fd = {pipe_fds[0], POLLIN, 0};
    return ppoll(&fd, 1, &long_enough, &usr1);
}

static long in_select(void)
{
    fd_set fds;
    struct timeval timeout = {0, 3 * UNIT_MS * 1000};
    FD_ZERO(&fds);
    FD_SET(pipe_fds[0], &fds);
    return select(pipe_fds[0] + 1, &fds, NULL, NULL, &timeout);
}

static long in_sigtimedwait(void) { return sigtimedwait(&usr1, NULL, &long_enough); }
static long in_nanosleep(void) { return nanosleep(&long_enough, NULL); }
static long in_clock_nanosleep(void) { return clock_nanosleep(CLOCK_MONOTONIC, 0, &long_enough, NULL); }

static long in_eventfd(void)
{
    uint64_t count;
    return read(counter, &count, sizeof count);
}

static long in_pipe(void)
{
    char byte;
    return read(pipe_fds[0], &byte, 1);
}

enum { DONE = 0, TIMED_OUT = 1, INTERRUPTED = 2, OTHER = 3 };

static const struct {
    const char *name;
    long (*call)(void);
} calls[] = {
    {"epoll_wait", in_epoll_wait}, {"epoll_pwait", in_epoll_pwait},
    {"poll", in_poll}, {"ppoll", in_ppoll}, {"select", in_select},
    {"sigtimedwait", in_sigtimedwait},
    {"nanosleep", in_nanosleep}, {"clock_nanosleep", in_clock_nanosleep},
    {"eventfd read", in_eventfd}, {"pipe read", in_pipe},
};
enum { COUNT = sizeof calls / sizeof *calls };

/* How the call ended, and after how many units: an exit status. */
static int measured(long (*call)(void))
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    long result = call();
    int how = result > 0 ? DONE : result == 0 ? TIMED_OUT : errno == EINTR ? INTERRUPTED : OTHER;
    clock_gettime(CLOCK_MONOTONIC, &after);
    long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    return how << 4 | (int)((ms + UNIT_MS / 2) / UNIT_MS);
}

static void nap(int units)
{
    struct timespec span = {0, units * UNIT_MS * 1000000L};
    nanosleep(&span, NULL);
}

/* All sleep from 0 on, are stopped at 1, continued at 2, time out at 3; at 6 there is something to read. */
int main(void)
{
    static const char *const words[] = {"done", "timed out", "EINTR", "another errno"};
    pid_t children[COUNT];
    int status;
    if (pipe(pipe_fds) < 0)
        return 1;
    counter = eventfd(0, 0);
    epoll = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    for (int i = 0; i < COUNT; i++)
        if ((children[i] = fork()) == 0)
            _exit(measured(calls[i].call));
    nap(1);
    for (int i = 0; i < COUNT; i++)
        kill(children[i], SIGSTOP);
    nap(1);
    for (int i = 0; i < COUNT; i++)
        kill(children[i], SIGCONT);
    nap(4);
    if (write(counter, &(uint64_t){1}, 8) < 0 || write(pipe_fds[1], "x", 1) < 0)
        return 1;
    for (int i = 0; i < COUNT; i++) {
        waitpid(children[i], &status, 0);
        printf("%s: %s after %d\n", calls[i].name, words[WEXITSTATUS(status) >> 4], WEXITSTATUS(status) & 15);
    }
}
