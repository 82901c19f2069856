/* ppoll(2), pselect(2), epoll_pwait(2), epoll_pwait2(2): a signal mask for the time of a wait: what it lets through, and when. */
#include "contract.h"
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

static int counter, epoll;
static sigset_t during;
static char story[256];
static struct timespec timeout;

static long in_ppoll(void)
{
    struct pollfd entry = {counter, POLLIN, 0};
    struct timespec given = timeout;
    return ppoll(&entry, 1, &given, &during);
}

static long in_pselect(void)
{
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(counter, &fds);
    return pselect(counter + 1, &fds, NULL, NULL, &timeout, &during);
}

static long in_epoll_pwait(void)
{
    struct epoll_event event;
    return epoll_pwait(epoll, &event, 1, timeout.tv_nsec / MS, &during);
}

/* Neither all libcs nor all kernels have it. */
static long in_epoll_pwait2(void)
{
    struct epoll_event event;
    return syscall(441, epoll, &event, 1, &timeout, &during, 8);
}

static const struct {
    const char *name;
    long (*call)(void);
} calls[] = {{"ppoll", in_ppoll}, {"pselect", in_pselect}, {"epoll_pwait", in_epoll_pwait}, {"epoll_pwait2", in_epoll_pwait2}};

#define EACH_CALL(i) for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++)

static void note_mask(const char *who)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    sprintf(story + strlen(story), "%s%s%s%s%s", *story ? ", " : "", who, sigismember(&now, SIGUSR1) ? " -USR1" : "",
            sigismember(&now, SIGUSR2) ? " -USR2" : "", sigismember(&now, SIGALRM) ? " -ALRM" : "");
}

static void handler(int signo)
{
    note_mask(signo == SIGUSR1 ? "USR1 runs" : signo == SIGUSR2 ? "USR2 runs" : "ALRM runs");
}

/* Three signals are caught, and blocked; during a wait only SIGUSR2 is. */
static void prepare(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    struct epoll_event in = {.events = EPOLLIN};
    sigset_t blocked;
    sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1), sigaddset(&blocked, SIGUSR2), sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigemptyset(&during), sigaddset(&during, SIGUSR2);
    sigaction(SIGUSR1, &action, NULL), sigaction(SIGUSR2, &action, NULL), sigaction(SIGALRM, &action, NULL);
    counter = eventfd(0, EFD_NONBLOCK);
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
}

static void wait_in(unsigned which, int ms)
{
    *story = 0;
    timeout = (struct timespec){0, ms * MS};
    errno = 0;
    long result = calls[which].call();
    int error = errno;
    note_mask("afterwards");
    observed(calls[which].name, "%s; %s", result < 0 ? errno_name(error) : result ? "1" : "0", story);
}

static void drop(int signo)
{
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, signo);
    sigtimedwait(&set, NULL, &(struct timespec){0, 0});
}

RULE(pending, "signal(7)", "a pending signal that the mask lets through ends the wait, its handler runs under that mask; the old one is back")
{
    prepare();
    EACH_CALL(i)
    {
        raise(SIGUSR1);
        wait_in(i, 900);
    }
}

RULE(two_pending, "signal(7)", "of two that are let through both handlers run, the one of the lower number last")
{
    prepare();
    EACH_CALL(i)
    {
        raise(SIGUSR1), raise(SIGALRM);
        wait_in(i, 900);
    }
}

RULE(pending_and_blocked, "signal(7)", "one that the mask blocks stays pending, and the wait goes on to its time-out")
{
    prepare();
    raise(SIGUSR2);
    EACH_CALL(i) wait_in(i, 5);
}

RULE(no_time, "signal(7)", "with a time-out of 0 a pending signal is EINTR for ppoll and pselect, 0 for epoll_pwait")
{
    prepare();
    EACH_CALL(i)
    {
        raise(SIGUSR1);
        wait_in(i, 0);
        drop(SIGUSR1);
    }
}

RULE(comes_later, "signal(7)", "one that comes during the wait ends it")
{
    prepare();
    pid_t me = getpid();
    EACH_CALL(i)
    {
        pid_t child = fork();
        if (child == 0) {
            until_asleep(me);
            _exit(kill(me, SIGALRM));
        }
        wait_in(i, 900);
        waitpid(child, NULL, 0);
    }
}

RULE(ready_first, "signal(7)", "what is ready comes before a pending signal, which stays pending")
{
    prepare();
    EACH_CALL(i)
    {
        raise(SIGUSR1);
        write(counter, &(uint64_t){1}, 8);
        wait_in(i, 900);
        uint64_t count;
        read(counter, &count, 8);
        sigset_t left;
        sigpending(&left);
        SEE(sigismember(&left, SIGUSR1));
        drop(SIGUSR1);
    }
}

RULE(without_a_mask, "signal(7)", "without a mask the task's own holds: a blocked signal does not end the wait")
{
    struct pollfd entry;
    prepare();
    entry = (struct pollfd){counter, POLLIN, 0};
    raise(SIGUSR1);
    SEE(ppoll(&entry, 1, &(struct timespec){0, 5 * MS}, NULL));
    SEE(pselect(0, NULL, NULL, NULL, &(struct timespec){0, 5 * MS}, NULL));
    SEE(epoll_pwait(epoll, &(struct epoll_event){0}, 1, 5, NULL));
}
