/* kill(2), tgkill(2), rt_sigqueueinfo(2), sigaction(2) …: in which order bad arguments are found. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call) show(#call, call)

static void *const nowhere = (void *)8;
static const int nobody = 4999999;

static void show(const char *what, long result)
{
    if (result < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, result);
}

static siginfo_t *queued(int code, int last)
{
    static siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = code;
    info.si_pid = 1;
    ((char *)&info)[sizeof info - 1] = last;
    return &info;
}

static void sending(int me)
{
    SHOW(syscall(SYS_kill, nobody, 1000));
    SHOW(syscall(SYS_kill, -nobody, 0));
    SHOW(syscall(SYS_kill, INT_MIN, 0));
    SHOW(syscall(SYS_kill, me, 65));
    SHOW(syscall(SYS_kill, me, -1));
    SHOW(syscall(SYS_kill, me, 0));
    SHOW(syscall(SYS_tkill, 0, SIGUSR1));
    SHOW(syscall(SYS_tkill, nobody, SIGUSR1));
    SHOW(syscall(SYS_tkill, me, 0));
    SHOW(syscall(SYS_tgkill, 0, me, 0));
    SHOW(syscall(SYS_tgkill, me, -1, 0));
    SHOW(syscall(SYS_tgkill, nobody, me, 0));
    SHOW(syscall(SYS_tgkill, me, me, 65));
}

static void queueing(int me)
{
    SHOW(syscall(SYS_rt_sigqueueinfo, nobody, 65, nowhere));
    SHOW(syscall(SYS_rt_sigqueueinfo, nobody, 65, queued(SI_USER, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, nobody, 65, queued(SI_TKILL, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, nobody, 65, queued(SI_KERNEL, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, nobody, 65, queued(SI_QUEUE, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, me, 65, queued(SI_QUEUE, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, 0, 0, queued(SI_QUEUE, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, me, 0, queued(SI_USER, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, me, 0, queued(-100, 'x')));
    SHOW(syscall(SYS_rt_sigqueueinfo, me, 0, queued(-100, 0)));
    SHOW(syscall(SYS_rt_sigqueueinfo, me, 0, queued(SI_ASYNCNL, 'x')));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, 0, me, 0, nowhere));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, 0, 1, 0, queued(SI_USER, 0)));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, me, nobody, 0, queued(SI_USER, 0)));
    SHOW(syscall(SYS_rt_tgsigqueueinfo, me, nobody, 0, queued(SI_QUEUE, 0)));
}

static void waiting(void)
{
    unsigned long set = 1UL << (SIGUSR1 - 1);
    struct timespec none = {0, 0}, bad = {0, 1000000000};
    char two[2];
    SHOW(syscall(SYS_rt_sigpending, nowhere, 9));
    SHOW(syscall(SYS_rt_sigpending, nowhere, 8));
    SHOW(syscall(SYS_rt_sigpending, two, 2));
    SHOW(syscall(SYS_rt_sigsuspend, nowhere, 4));
    SHOW(syscall(SYS_rt_sigsuspend, nowhere, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, nowhere, 0, nowhere, 4));
    SHOW(syscall(SYS_rt_sigtimedwait, nowhere, 0, nowhere, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, &set, 0, nowhere, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, &set, 0, &bad, 8));
    SHOW(syscall(SYS_rt_sigtimedwait, &set, 0, &none, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 7, nowhere, nowhere, 4));
    SHOW(syscall(SYS_rt_sigprocmask, 7, nowhere, nowhere, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 7, &set, nowhere, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 7, 0, 0, 8));
    SHOW(syscall(SYS_rt_sigprocmask, 7, 0, nowhere, 8));
}

static void dispositions(void)
{
    unsigned long ignore[4] = {(unsigned long)SIG_IGN};
    SHOW(syscall(SYS_rt_sigaction, 0, nowhere, nowhere, 4));
    SHOW(syscall(SYS_rt_sigaction, 0, nowhere, nowhere, 8));
    SHOW(syscall(SYS_rt_sigaction, 0, 0, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, 65, 0, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, ignore, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGSTOP, ignore, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGKILL, 0, 0, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGUSR1, 0, nowhere, 8));
    SHOW(syscall(SYS_rt_sigaction, SIGCHLD, nowhere, 0, 8));
}

static void zombie(void)
{
    siginfo_t info;
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    SHOW(kill(child, SIGTERM));
    SHOW(syscall(SYS_tgkill, child, child, SIGTERM));
    SHOW(syscall(SYS_tgkill, child, child, 65));
    waitpid(child, NULL, 0);
    SHOW(kill(child, SIGTERM));
}

int main(void)
{
    sending(getpid());
    queueing(getpid());
    waiting();
    dispositions();
    zombie();
}
