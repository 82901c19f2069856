/* wait(2), waitpid(2), waitid(2): whom one can wait for, what comes of it, and what is left. */
#include "contract.h"
#include <sys/resource.h>

static pid_t ending(int status)
{
    pid_t child = fork();
    if (child == 0)
        _exit(status);
    return child;
}

static pid_t waiting(void)
{
    pid_t child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void see_wait(const char *what, pid_t of, int options)
{
    int status = 0;
    pid_t got = waitpid(of, &status, options);
    if (got < 0)
        observed(what, "%s", errno_name(errno));
    else
        observed(what, "%s, %s", got ? "a child" : "nobody", got ? status_name(status) : "-");
}

RULE(nobody, "waitpid(2)", "ECHILD without a child, or for somebody else's; EINVAL for unknown options first")
{
    SEE(waitpid(-1, NULL, 0));
    SEE(waitpid(-1, NULL, WNOHANG));
    SEE(waitpid(getppid(), NULL, 0));
    SEE(waitpid(0x3fffffff, NULL, 0));
    SEE(waitpid(-1, NULL, 0x10));
    SEE(waitpid(INT32_MIN, NULL, 0));
}

RULE(statuses, "wait(2)", "how children end")
{
    pid_t child = ending(7);
    see_wait("exit", child, 0);
    child = ending(256 + 3);
    see_wait("exit beyond 255", child, 0);
    child = waiting();
    kill(child, SIGTERM);
    see_wait("killed", child, 0);
    see_wait("again", child, 0);
}

RULE(nohang, "waitpid(2)", "WNOHANG gives 0 while no child has ended, and leaves the status alone")
{
    int status = 0x5555;
    pid_t child = waiting();
    SEE(waitpid(child, &status, WNOHANG));
    SEE(status);
    end(child);
}

RULE(bad_status, "wait4(2)", "EFAULT for a bad status, and the child is gone")
{
    pid_t child = ending(1);
    SEE(syscall(SYS_wait4, child, 16L, 0, NULL));
    SEE(waitpid(child, NULL, 0));
    child = ending(1);
    SEE(syscall(SYS_wait4, child, NULL, 0, 16L));
}

RULE(by_group, "waitpid(2)", "0 waits for the caller's group, a negative number for another")
{
    pid_t mine = ending(1), other = fork();
    if (other == 0) {
        setpgid(0, 0);
        _exit(2);
    }
    siginfo_t info;
    waitid(P_PID, other, &info, WEXITED | WNOWAIT);
    waitid(P_PID, mine, &info, WEXITED | WNOWAIT);
    see_wait("own group", 0, 0);
    see_wait("own group again", 0, WNOHANG);
    see_wait("the other", -other, 0);
    SEE(waitpid(-other, NULL, 0));
}

RULE(stops, "waitpid(2)", "stops are told once with WUNTRACED, continues once with WCONTINUED")
{
    pid_t child = waiting();
    kill(child, SIGSTOP);
    see_wait("stopped", child, WUNTRACED);
    see_wait("again", child, WUNTRACED | WNOHANG);
    kill(child, SIGCONT);
    see_wait("continued", child, WCONTINUED);
    see_wait("again", child, WCONTINUED | WNOHANG);
    end(child);
}

RULE(not_asked, "waitpid(2)", "a stop is not told without WUNTRACED")
{
    pid_t child = waiting();
    siginfo_t info;
    kill(child, SIGSTOP);
    waitid(P_PID, child, &info, WSTOPPED | WNOWAIT);
    see_wait("stopped", child, WNOHANG);
    end(child);
}

RULE(waitid_errors, "waitid(2)", "EINVAL without an event to wait for, for unknown options and kinds of id")
{
    siginfo_t info;
    SEE(waitid(P_ALL, 0, &info, 0));
    SEE(waitid(P_ALL, 0, &info, WNOHANG));
    SEE(waitid(P_ALL, 0, &info, WEXITED | 0x10));
    SEE(waitid(77, 0, &info, WEXITED));
    SEE(waitid(P_PID, 0, &info, WEXITED));
    SEE(waitid(P_PID, -5, &info, WEXITED));
    SEE(waitid(P_PIDFD, 99, &info, WEXITED));
    SEE(waitid(P_PIDFD, 0, &info, WEXITED));
    SEE(waitid(P_ALL, 0, &info, WEXITED));
}

static void see_waitid(const char *what, int options)
{
    siginfo_t info = {.si_pid = 77, .si_signo = 77};
    long result = waitid(P_ALL, 0, &info, options);
    if (result < 0)
        observed(what, "%s", errno_name(errno));
    else if (info.si_pid == 0)
        observed(what, "nobody, signal %d", info.si_signo);
    else
        observed(what, "%s, status %d", code_name(SIGCHLD, info.si_code), info.si_status);
}

RULE(waitid_codes, "waitid(2)", "CLD_EXITED, CLD_KILLED, CLD_STOPPED, CLD_CONTINUED with their statuses")
{
    ending(5);
    see_waitid("exit", WEXITED);
    pid_t child = waiting();
    kill(child, SIGSTOP);
    see_waitid("stopped", WSTOPPED);
    kill(child, SIGCONT);
    see_waitid("continued", WCONTINUED);
    kill(child, SIGUSR1);
    see_waitid("killed", WEXITED);
    see_waitid("nobody", WEXITED);
}

RULE(nowait, "waitid(2)", "WNOWAIT tells and leaves the child to be waited for")
{
    ending(5);
    see_waitid("first", WEXITED | WNOWAIT);
    see_waitid("second", WEXITED | WNOWAIT);
    see_waitid("third", WEXITED);
    see_waitid("fourth", WEXITED);
}

RULE(nowait_of_a_stop, "waitid(2)", "WNOWAIT leaves a stop and a continue to be told again, without it they are told once")
{
    pid_t child = waiting();
    siginfo_t info;
    kill(child, SIGSTOP);
    SEE(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT));
    SEE(waitid(P_PID, child, &info, WSTOPPED | WNOWAIT));
    observed("again", "%s", code_name(SIGCHLD, info.si_code));
    SEE(waitid(P_PID, child, &info, WSTOPPED));
    info.si_pid = 7;
    SEE(waitid(P_PID, child, &info, WSTOPPED | WNOHANG));
    SEE(info.si_pid);
    kill(child, SIGCONT);
    SEE(waitid(P_PID, child, &info, WCONTINUED | WNOWAIT));
    SEE(waitid(P_PID, child, &info, WCONTINUED));
    observed("then", "%s", code_name(SIGCHLD, info.si_code));
    SEE(waitid(P_PID, child, &info, WCONTINUED | WNOHANG));
    SEE(info.si_pid);
    end(child);
}

RULE(waitid_nohang, "waitid(2)", "WNOHANG with nobody gives 0 and a pid of 0")
{
    pid_t child = waiting();
    see_waitid("nobody", WEXITED | WNOHANG);
    end(child);
}

RULE(ignored_children, "wait(2)", "children of one who ignores SIGCHLD leave no zombies; a wait sleeps till the last is gone")
{
    signal(SIGCHLD, SIG_IGN);
    ending(1);
    ending(2);
    SEE(waitpid(-1, NULL, 0));
}

RULE(nocldwait, "sigaction(2)", "SA_NOCLDWAIT: no zombies, but SIGCHLD comes")
{
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    pid_t child = ending(1);
    SEE(waitpid(child, NULL, 0));
}

RULE(nocldstop, "sigaction(2)", "SA_NOCLDSTOP: no SIGCHLD for stops, but they can be waited for")
{
    count_signal(SIGCHLD, SA_NOCLDSTOP | SA_RESTART);
    pid_t child = waiting();
    kill(child, SIGSTOP);
    see_wait("stopped", child, WUNTRACED);
    SEE(signals_counted);
    kill(child, SIGCONT);
    see_wait("continued", child, WCONTINUED);
    SEE(signals_counted);
    kill(child, SIGKILL);
    see_wait("killed", child, 0);
    SEE(signals_counted);
}

RULE(orphans, "wait(2)", "a grandchild is nobody's child here")
{
    int status, ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        pid_t grandchild = waiting();
        if (write(ends[1], &grandchild, sizeof grandchild) < 0)
            _exit(1);
        _exit(0);
    }
    pid_t grandchild;
    waitpid(child, &status, 0);
    if (read(ends[0], &grandchild, sizeof grandchild) < 0)
        cannot_start("read");
    SEE(waitpid(grandchild, NULL, 0));
    SEE(kill(grandchild, SIGKILL));
}

RULE(order, "wait(2)", "of several that have ended the first in the list comes, which is the oldest")
{
    siginfo_t info;
    pid_t first = ending(1), second = ending(2);
    waitid(P_PID, second, &info, WEXITED | WNOWAIT);
    waitid(P_PID, first, &info, WEXITED | WNOWAIT);
    see_wait("one", -1, 0);
    see_wait("two", -1, 0);
}

RULE(interrupted, "wait(2)", "a handler without SA_RESTART ends it with EINTR")
{
    pid_t waiter = fork();
    if (waiter == 0) {
        pid_t child = waiting();
        count_signal(SIGUSR1, 0);
        SEE(waitpid(child, NULL, 0));
        end(child);
        _exit(0);
    }
    until_asleep(waiter);
    kill(waiter, SIGUSR1);
    waitpid(waiter, NULL, 0);
}

RULE(usage, "wait4(2)", "the usage of the child is told")
{
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    pid_t child = ending(0);
    SEE_WHETHER(wait4(child, NULL, 0, &usage) == child);
    SEE_WHETHER(usage.ru_utime.tv_sec >= 0 && usage.ru_maxrss >= 0);
}

RULE(kinds_of_children, "wait(2)", "ECHILD at once for __WCLONE with a living child of fork only; __WALL and __WNOTHREAD take it")
{
    pid_t child = waiting();
    SEE(waitpid(child, NULL, __WCLONE));
    SEE(waitpid(-1, NULL, __WCLONE | WNOHANG));
    SEE(waitpid(child, NULL, __WALL | WNOHANG));
    SEE(waitpid(child, NULL, __WNOTHREAD | WNOHANG));
    end(child);
}

static volatile sig_atomic_t told;

static void on_child(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    told = info->si_code;
}

RULE(told_of_stops, "wait(2)", "a parent that waits is woken by a stop and by a continue; SIGCHLD tells of the stop")
{
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    pid_t parent = getpid();
    sigaction(SIGCHLD, &action, NULL);
    pid_t child = fork();
    if (child == 0) {
        until_asleep(parent);
        raise(SIGSTOP);
        for (;;)
            pause();
    }
    see_wait("a wait for a stop", child, WUNTRACED);
    observed("SIGCHLD", "%s", code_name(SIGCHLD, told));
    pid_t other = fork();
    if (other == 0) {
        until_asleep(parent);
        _exit(kill(child, SIGCONT));
    }
    see_wait("a wait for a continue", child, WCONTINUED);
    waitpid(other, NULL, 0);
    end(child);
}
