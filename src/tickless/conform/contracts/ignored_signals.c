/* signal(7): a signal that is ignored, but pending since the first thread blocks it, wakes a thread which does not. */
#include "contract.h"
#include "futex_abi.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int ends[2];
static volatile pid_t sleeper;
static long result;
static int error, word;

static void *sleep_in(void *call)
{
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    sleeper = gettid();
    result = ((long (*)(void))call)();
    error = errno;
    return NULL;
}

static void block(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* What a call gives in a thread that the ignored signal wakes, and that a byte in a pipe or time lets go on. */
static void woken(const char *what, long (*call)(void))
{
    pthread_t thread;
    if (pipe(ends) < 0)
        cannot_start("pipe");
    block(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    sleeper = 0;
    pthread_create(&thread, NULL, sleep_in, (void *)call);
    while (!sleeper)
        sched_yield();
    until_asleep(sleeper);
    kill(getpid(), SIGUSR1);
    nap(10);
    if (write(ends[1], "x", 1) != 1)
        cannot_start("write");
    pthread_join(thread, NULL);
    observed(what, "%s", result < 0 ? errno_name(error) : "goes on");
}

static long sleep_some(void)
{
    return nanosleep(&(struct timespec){0, 40 * MS}, NULL);
}

static long sleep_until_then(void)
{
    int64_t then_ns = now_ns(CLOCK_MONOTONIC) + 40 * MS;
    struct timespec then = {then_ns / SECOND, then_ns % SECOND};
    return syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

static long poll_pipe(void)
{
    return poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, -1);
}

static long ppoll_pipe(void)
{
    return ppoll(&(struct pollfd){ends[0], POLLIN, 0}, 1, NULL, NULL);
}

static long wait_for_word(void)
{
    return syscall(SYS_futex, &word, FUTEX_WAIT, 0, &(struct timespec){0, 40 * MS}, NULL, 0);
}

static long read_pipe(void)
{
    char byte;
    return read(ends[0], &byte, 1);
}

static long wait_for_events(void)
{
    struct epoll_event event = {EPOLLIN, {.u32 = 1}};
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event);
    return epoll_wait(epoll, &event, 1, -1);
}

static long wait_for_signal(void)
{
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGUSR2);
    return sigtimedwait(&other, NULL, &(struct timespec){0, 40 * MS});
}

RULE(sleeps, "signal(7)", "a signal that is ignored and wakes a thread all the same does not end a sleep: it lasts as long")
{
    int64_t begun_ns = now_ns(CLOCK_MONOTONIC);
    woken("nanosleep", sleep_some);
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - begun_ns >= 40 * MS);
    begun_ns = now_ns(CLOCK_MONOTONIC);
    woken("clock_nanosleep", sleep_until_then);
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - begun_ns >= 40 * MS);
}

RULE(file_waits, "signal(7)", "nor does it end a read, poll or ppoll")
{
    woken("read", read_pipe);
    woken("poll", poll_pipe);
    woken("ppoll", ppoll_pipe);
}

RULE(futex_wait, "futex(2)", "a wait with a time-out goes on to it after a signal that is ignored")
{
    woken("futex", wait_for_word);
}

RULE(eintr, "signal(7)", "epoll_wait and sigtimedwait end with EINTR, though no handler runs, against the page")
{
    woken("epoll_wait", wait_for_events);
    woken("sigtimedwait", wait_for_signal);
}
