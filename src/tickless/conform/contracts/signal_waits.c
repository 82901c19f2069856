/* sigsuspend(2), sigwaitinfo(2), sigtimedwait(2), pause(2), and which calls SA_RESTART makes go on: signal(7). */
#include "contract.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

static sigset_t set_of(int one, int two)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (two)
        sigaddset(&set, two);
    return set;
}

static void block(int one, int two)
{
    sigset_t set = set_of(one, two);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static long timed_wait(const sigset_t *set, siginfo_t *info, long seconds, long ns)
{
    struct timespec timeout = {seconds, ns};
    return syscall(SYS_rt_sigtimedwait, set, info, &timeout, 8);
}

RULE(wait_errors, "sigtimedwait(2)", "EINVAL for another size and for no time, EFAULT for a bad set, in that order")
{
    sigset_t set = set_of(SIGUSR1, 0);
    SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 4));
    SEE(syscall(SYS_rt_sigtimedwait, 16L, NULL, NULL, 4));
    SEE(syscall(SYS_rt_sigtimedwait, 16L, NULL, NULL, 8));
    SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, 16L, 8));
    SEE(timed_wait(&set, NULL, -1, 0));
    SEE(timed_wait(&set, NULL, 0, SECOND));
}

RULE(wait_nothing, "sigtimedwait(2)", "EAGAIN after the time-out, at once if that is 0")
{
    sigset_t set = set_of(SIGUSR1, 0);
    block(SIGUSR1, 0);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(timed_wait(&set, NULL, 0, 0));
    SEE(timed_wait(&set, NULL, 0, 20 * MS));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
}

RULE(wait_takes, "sigwaitinfo(2)", "a pending signal is taken, the lowest first, with its siginfo")
{
    sigset_t set = set_of(SIGUSR1, SIGRTMIN + 2);
    siginfo_t info;
    block(SIGUSR1, SIGRTMIN + 2);
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 5});
    kill(getpid(), SIGUSR1);
    SEE(timed_wait(&set, &info, 0, 0));
    observed("code", "%s", code_name(info.si_signo, info.si_code));
    observed("second", "%s", signal_name(timed_wait(&set, &info, 0, 0)));
    observed("code", "%s, value %d", code_name(info.si_signo, info.si_code), info.si_value.sival_int);
    SEE(timed_wait(&set, &info, 0, 0));
}

RULE(wait_bad_info, "sigtimedwait(2)", "a bad siginfo is EFAULT, and the signal is gone")
{
    sigset_t set = set_of(SIGUSR1, 0);
    block(SIGUSR1, 0);
    raise(SIGUSR1);
    SEE(syscall(SYS_rt_sigtimedwait, &set, 16L, NULL, 8));
    SEE(timed_wait(&set, NULL, 0, 0));
}

RULE(wait_sleeps, "sigwaitinfo(2)", "it waits for a signal of the set; another one's handler ends it with EINTR")
{
    sigset_t set = set_of(SIGUSR1, 0);
    block(SIGUSR1, 0);
    pid_t waiter = fork();
    if (waiter == 0) {
        count_signal(SIGUSR2, SA_RESTART);
        SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8));
        SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8));
        _exit(0);
    }
    until_asleep(waiter);
    kill(waiter, SIGUSR2);
    until_asleep(waiter);
    kill(waiter, SIGUSR1);
    waitpid(waiter, NULL, 0);
}

RULE(wait_not_blocked, "sigwaitinfo(2)", "a signal of the set that is not blocked is taken while it waits, not handled")
{
    sigset_t set = set_of(SIGUSR1, 0);
    pid_t waiter = fork();
    if (waiter == 0) {
        count_signal(SIGUSR1, 0);
        SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8));
        SEE(signals_counted);
        _exit(0);
    }
    until_asleep(waiter);
    kill(waiter, SIGUSR1);
    waitpid(waiter, NULL, 0);
}

RULE(suspend, "sigsuspend(2)", "it waits with another mask, always ends with EINTR, and the old mask is back")
{
    sigset_t none, now;
    sigemptyset(&none);
    block(SIGUSR1, SIGUSR2);
    count_signal(SIGUSR1, SA_RESTART);
    raise(SIGUSR1);
    SEE(sigsuspend(&none));
    SEE(signals_counted);
    sigprocmask(SIG_BLOCK, NULL, &now);
    observed("blocked", "%d %d", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2));
    SEE(syscall(SYS_rt_sigsuspend, &none, 4));
    SEE(syscall(SYS_rt_sigsuspend, 16L, 8));
}

RULE(suspend_blocked, "sigsuspend(2)", "signals that its mask blocks do not end it, nor do those that are ignored")
{
    pid_t waiter = fork();
    if (waiter == 0) {
        sigset_t usr1 = set_of(SIGUSR1, 0);
        count_signal(SIGUSR1, 0);
        count_signal(SIGALRM, 0);
        signal(SIGUSR2, SIG_IGN);
        SEE(sigsuspend(&usr1));
        observed("handled", "%d", signals_counted);
        _exit(0);
    }
    until_asleep(waiter);
    for (int i = 0; i < 3; i++) {
        kill(waiter, (const int[]){SIGUSR1, SIGUSR2, SIGALRM}[i]);
        until_asleep(waiter);
    }
    waitpid(waiter, NULL, 0);
}

static char story[400];

/* Whose handler runs, and what is blocked then. */
static void tell_mask(int signo)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    strcat(strcat(story, " "), signal_name(signo));
    for (int i = 1; i < 32; i++)
        if (sigismember(&now, i))
            strcat(strcat(story, "-"), signal_name(i));
}

static void suspend_with(const sigset_t *mask)
{
    struct sigaction action = {.sa_handler = tell_mask, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    block(SIGUSR1, SIGUSR2);
    raise(SIGUSR2);
    raise(SIGUSR1);
    SEE(sigsuspend(mask));
    observed("handlers, and what was blocked", "%s", story);
}

RULE(suspend_two, "sigsuspend(2)", "of two pending signals both handlers run, each under the mask of the wait, the lower number's last")
{
    sigset_t none;
    sigemptyset(&none);
    suspend_with(&none);
}

RULE(suspend_one, "sigsuspend(2)", "what its mask blocks is still pending after it")
{
    sigset_t usr2 = set_of(SIGUSR2, 0);
    suspend_with(&usr2);
    observed("left", "%s", signal_name(timed_wait(&usr2, NULL, 0, 0)));
    SEE(timed_wait(&usr2, NULL, 0, 0));
}

RULE(wait_ignored, "sigtimedwait(2)", "another signal that is ignored does not end it, nor a pause")
{
    sigset_t set = set_of(SIGUSR1, 0);
    pid_t waiter = fork();
    if (waiter == 0) {
        block(SIGUSR1, 0);
        signal(SIGURG, SIG_IGN);
        count_signal(SIGALRM, SA_RESTART);
        observed("taken", "%s", signal_name(syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8)));
        SEE(pause());
        _exit(0);
    }
    for (int i = 0; i < 4; i++) {
        until_asleep(waiter);
        kill(waiter, (const int[]){SIGURG, SIGUSR1, SIGURG, SIGALRM}[i]);
    }
    waitpid(waiter, NULL, 0);
}

RULE(pause_ends, "pause(2)", "a handler ends it with EINTR, also with SA_RESTART")
{
    pid_t waiter = fork();
    if (waiter == 0) {
        count_signal(SIGUSR1, SA_RESTART);
        SEE(pause());
        _exit(0);
    }
    until_asleep(waiter);
    kill(waiter, SIGUSR1);
    waitpid(waiter, NULL, 0);
}

/* What a call gives that is interrupted by a handler with SA_RESTART, and then let go on by `release`. */
static void restarted(const char *what, long (*call)(void), void (*release)(void))
{
    pid_t waiter = fork();
    if (waiter == 0) {
        count_signal(SIGUSR1, SA_RESTART);
        long result = call();
        observed(what, "%s, %d handled", result < 0 ? errno_name(errno) : "goes on", signals_counted);
        _exit(0);
    }
    until_asleep(waiter);
    kill(waiter, SIGUSR1);
    until_asleep(waiter); /* again, or it is over */
    release();
    waitpid(waiter, NULL, 0);
}

static int ends[2], event;

static long read_pipe(void)
{
    char byte;
    return read(ends[0], &byte, 1);
}

static void write_pipe(void)
{
    if (write(ends[1], "x", 1) != 1)
        cannot_start("write");
}

static long wait_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        nap(60);
        _exit(0);
    }
    return waitpid(child, NULL, 0);
}

static long sleep_some(void)
{
    struct timespec time = {0, 60 * MS};
    return nanosleep(&time, NULL);
}

static long read_socket(void)
{
    char byte;
    return recv(ends[0], &byte, 1, 0);
}

static long poll_pipe(void)
{
    struct pollfd entry = {ends[0], POLLIN, 0};
    return poll(&entry, 1, -1);
}

static long read_event(void)
{
    uint64_t count;
    return read(event, &count, 8);
}

static void write_event(void)
{
    eventfd_write(event, 1);
}

static void nothing(void)
{
}

RULE(restart_read, "signal(7)", "reads of pipes, eventfds and sockets go on")
{
    if (pipe(ends) < 0)
        cannot_start("pipe");
    restarted("pipe", read_pipe, write_pipe);
    event = eventfd(0, 0);
    restarted("eventfd", read_event, write_event);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        cannot_start("socketpair");
    restarted("socket", read_socket, write_pipe);
}

RULE(restart_wait, "signal(7)", "waitpid goes on")
{
    restarted("waitpid", wait_child, nothing);
}

RULE(no_restart, "signal(7)", "sleeps and poll do not")
{
    restarted("nanosleep", sleep_some, nothing);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    restarted("poll", poll_pipe, write_pipe);
}

RULE(receive_timeout, "signal(7)", "a receive with SO_RCVTIMEO does not go on")
{
    struct timeval time = {30, 0};
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        cannot_start("socketpair");
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    restarted("recv", read_socket, write_pipe);
}
