/* sigaction(2), signal(7), getitimer(2): what handlers are given, what flags change, what SIGCHLD does, what stays over fork. */
#include "contract.h"
#include <stdio.h>
#include <sys/time.h>

static char story[256];
static volatile sig_atomic_t runs, codes[4], caught;

static void plain(int signo)
{
    strcat(story, signo == SIGUSR1 ? " 1" : signo == SIGUSR2 ? " 2" : " ?");
}

/* The first run sends its own signal again, and another. */
static void nest(int signo)
{
    strcat(story, " [");
    if (++runs == 1) {
        raise(signo);
        raise(SIGUSR2);
    }
    strcat(story, "]");
}

static void on(int signo, void (*handler)(int), int flags, int masked)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (masked)
        sigaddset(&action.sa_mask, masked);
    if (sigaction(signo, &action, NULL) < 0)
        cannot_start("sigaction");
}

static void tell(const char *what)
{
    observed(what, "%s", *story ? story + 1 : "nothing");
    *story = 0;
    runs = 0;
}

static int is_pending(int signo)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signo);
}

static sigset_t set_of(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    sigaddset(&set, second);
    return set;
}

static void block(int first, int second)
{
    sigset_t set = set_of(first, second);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

RULE(nesting, "sigaction(2)", "a handler is interrupted by other signals, by its own with SA_NODEFER, by none of sa_mask")
{
    on(SIGUSR2, plain, 0, 0);
    on(SIGUSR1, nest, 0, 0);
    raise(SIGUSR1);
    tell("as it is");
    on(SIGUSR1, nest, SA_NODEFER, 0);
    raise(SIGUSR1);
    tell("SA_NODEFER");
    on(SIGUSR1, nest, 0, SIGUSR2);
    raise(SIGUSR1);
    tell("sa_mask");
    on(SIGUSR1, nest, SA_NODEFER, SIGUSR1);
    raise(SIGUSR1);
    tell("SA_NODEFER with the signal in sa_mask");
}

RULE(old_action, "sigaction(2)", "the old action is told as it was set, with its mask but for SIGKILL; SA_RESETHAND makes it SIG_DFL")
{
    struct sigaction action = {.sa_handler = plain, .sa_flags = SA_RESTART | SA_NODEFER | SA_RESETHAND}, old;
    memset(&action.sa_mask, 0xff, sizeof action.sa_mask);
    SEE(sigaction(SIGUSR1, &action, NULL));
    SEE(sigaction(SIGUSR1, NULL, &old));
    SEE_WHETHER(old.sa_handler == plain);
    SEE_WHETHER(((unsigned)old.sa_flags & (SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_SIGINFO)) == (unsigned)action.sa_flags);
    SEE(sigismember(&old.sa_mask, SIGTERM));
    SEE(sigismember(&old.sa_mask, SIGKILL));
    raise(SIGUSR1);
    SEE(sigaction(SIGUSR1, NULL, &old));
    SEE_WHETHER(old.sa_handler == SIG_DFL);
}

RULE(unknown_flags, "sigaction(2)", "flags that no kernel knows are dropped, which tells a program what its kernel knows")
{
    unsigned long action[4] = {(unsigned long)SIG_IGN, 0x400 | 1UL << 9 | SA_RESTART}, old[4] = {0};
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, action, NULL, 8));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, NULL, old, 8));
    observed("left", "%lx", old[1] & (0x400 | 1UL << 9 | SA_RESTART));
}

RULE(dropped_when_ignored, "sigaction(2)", "SIG_IGN drops what is pending, SIG_DFL too where that ignores; what is blocked and ignored is kept")
{
    block(SIGCHLD, SIGUSR1);
    raise(SIGCHLD);
    kill(getpid(), SIGUSR1);
    SEE(is_pending(SIGCHLD));
    signal(SIGCHLD, SIG_DFL);
    SEE(is_pending(SIGCHLD));
    SEE(is_pending(SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    SEE(is_pending(SIGUSR1));
    kill(getpid(), SIGUSR1);
    SEE(is_pending(SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    SEE(is_pending(SIGUSR1));
}

static void with_info(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    codes[caught++ % 4] = info->si_code;
}

static void on_child(void *handler, int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    sigaction(SIGCHLD, &action, NULL);
    caught = 0;
}

/* A child ends: what a wait gives, how often the handler ran, whether SIGCHLD is pending. */
static void end_one(const char *what)
{
    pid_t parent = getpid(), child = fork(), got;
    int status = 0;
    if (child == 0) {
        until_asleep(parent);
        _exit(7);
    }
    do
        got = waitpid(-1, &status, 0);
    while (got < 0 && errno == EINTR);
    observed(what, "wait %s %s, caught %d %s, pending %d", got == child ? "the child" : errno_name(errno),
             got == child ? status_name(status) : "", (int)caught, caught ? code_name(SIGCHLD, codes[0]) : "-",
             is_pending(SIGCHLD));
}

RULE(ends_of_children, "sigaction(2)", "SIGCHLD with a handler, with SA_NOCLDWAIT no zombie as well, ignored neither signal nor zombie")
{
    on_child(with_info, SA_RESTART);
    end_one("a handler");
    on_child(with_info, SA_RESTART | SA_NOCLDWAIT);
    end_one("a handler, SA_NOCLDWAIT");
    on_child((void *)SIG_IGN, 0);
    end_one("SIG_IGN");
    on_child((void *)SIG_DFL, SA_NOCLDWAIT);
    end_one("SIG_DFL, SA_NOCLDWAIT");
    on_child((void *)SIG_DFL, 0);
    end_one("SIG_DFL");
}

static void take(void)
{
    sigset_t set = set_of(SIGCHLD, SIGCHLD);
    siginfo_t info;
    int signo = sigtimedwait(&set, &info, &(struct timespec){0, 0});
    if (signo == SIGCHLD)
        observed("taken", "%s, status %d", code_name(SIGCHLD, info.si_code), info.si_status);
    else
        observed("taken", "%s", errno_name(errno));
}

RULE(blocked_ends_of_children, "sigaction(2)", "a blocked SIGCHLD is queued under SIG_DFL and with SA_NOCLDWAIT, not under SIG_IGN")
{
    block(SIGCHLD, SIGCHLD);
    end_one("SIG_DFL");
    take();
    on_child((void *)SIG_IGN, 0);
    end_one("SIG_IGN");
    take();
    on_child((void *)SIG_DFL, SA_NOCLDWAIT);
    end_one("SIG_DFL, SA_NOCLDWAIT");
    take();
}

/* A child is stopped and goes on: how many SIGCHLDs of which kind. */
static void stop_one(const char *what, int flags)
{
    on_child(with_info, flags);
    pid_t child = fork();
    siginfo_t info;
    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    waitid(P_PID, child, &info, WSTOPPED);
    nap(5); /* the signal may come a little after the news */
    int stopped = caught;
    kill(child, SIGCONT);
    waitid(P_PID, child, &info, WCONTINUED);
    nap(5);
    observed(what, "%d %s, then %d %s", stopped, stopped ? code_name(SIGCHLD, codes[0]) : "-", (int)caught,
             caught > 1 ? code_name(SIGCHLD, codes[1]) : "-");
    on_child((void *)SIG_DFL, 0);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

RULE(stops_of_children, "sigaction(2)", "SA_NOCLDSTOP leaves out stops, and continues too")
{
    stop_one("a handler", SA_RESTART);
    stop_one("SA_NOCLDSTOP", SA_RESTART | SA_NOCLDSTOP);
}

RULE(actions_of_a_vforked_child, "vfork(2)", "a child of vfork that changes an action changes its own")
{
    struct sigaction old;
    pid_t child = vfork();
    if (child == 0) {
        signal(SIGUSR1, SIG_IGN);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE(sigaction(SIGUSR1, NULL, &old));
    SEE_WHETHER(old.sa_handler == SIG_DFL);
}

RULE(pause_ended_by_an_itimer, "setitimer(2)", "its signal ends a pause")
{
    on(SIGUSR1, nest, 0, 0);
    on(SIGALRM, plain, 0, 0);
    struct itimerval soon = {{0, 0}, {0, 5000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    SEE(pause());
    tell("the handler");
}

/* getitimer(2) */

static long left_us(int which)
{
    struct itimerval now;
    if (getitimer(which, &now) < 0)
        return -1;
    return now.it_value.tv_sec * 1000000L + now.it_value.tv_usec;
}

RULE(itimers_apart, "getitimer(2)", "EINVAL for another timer, EFAULT; the three are apart, and none runs to begin with")
{
    struct itimerval far = {{7, 0}, {1000, 0}}, got;
    SEE(getitimer(3, &got));
    SEE(getitimer(-1, &got));
    SEE(syscall(SYS_getitimer, ITIMER_REAL, 16));
    SEE(left_us(ITIMER_REAL) + left_us(ITIMER_VIRTUAL) + left_us(ITIMER_PROF));
    SEE(setitimer(ITIMER_REAL, &far, NULL));
    SEE(getitimer(ITIMER_REAL, &got));
    SEE(got.it_interval.tv_sec);
    SEE_WHETHER(left_us(ITIMER_REAL) > 900000000 && left_us(ITIMER_REAL) <= 1000000000);
    SEE(left_us(ITIMER_VIRTUAL));
}

RULE(itimer_of_a_moment, "getitimer(2)", "a timer of a microsecond expires, and tells 0 then; an interval without a value does not run")
{
    struct itimerval moment = {{0, 0}, {0, 1}}, interval = {{5, 0}, {0, 0}}, got;
    on(SIGALRM, plain, 0, 0);
    SEE(setitimer(ITIMER_REAL, &moment, NULL));
    nap(2);
    tell("signals");
    SEE(left_us(ITIMER_REAL));
    SEE(setitimer(ITIMER_REAL, &interval, NULL));
    SEE(getitimer(ITIMER_REAL, &got));
    SEE(got.it_interval.tv_sec);
}

RULE(alarm_replaces, "alarm(2)", "a second alarm replaces the first and tells what it had left; alarm(0) ends it")
{
    SEE(alarm(1000));
    SEE(alarm(50));
    SEE(alarm(0));
    SEE(alarm(0));
    SEE(left_us(ITIMER_REAL));
}

RULE(alarm_over_execve, "alarm(2)", "a timer goes on in the new program, and ends it by SIGALRM")
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct itimerval soon = {{0, 0}, {0, 5000}};
        setitimer(ITIMER_REAL, &soon, NULL);
        execlp("sleep", "sleep", "10", NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    observed("the program", "%s", status_name(status));
}
