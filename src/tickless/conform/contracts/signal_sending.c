/* kill(2), tgkill(2), rt_sigqueueinfo(2), rt_sigpending(2): the order in which bad arguments are found, what is queued. */
#include "contract.h"
#include <limits.h>
#include <pthread.h>

#define NOWHERE ((void *)16)
#define NOBODY 4999999

static siginfo_t *queued(int signo, int code, int value)
{
    static siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signo;
    info.si_code = code;
    info.si_pid = 1234;
    info.si_uid = 5678;
    info.si_value.sival_int = value;
    return &info;
}

/* The last byte, which the kernel knows nothing of. */
static siginfo_t *with_a_tail(int code)
{
    siginfo_t *info = queued(SIGUSR1, code, 0);
    ((char *)info)[sizeof *info - 1] = 'x';
    return info;
}

static sigset_t block(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    if (second)
        sigaddset(&set, second);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return set;
}

static const struct timespec AT_ONCE;
static siginfo_t taken;

static const char *take(const sigset_t *set)
{
    memset(&taken, 0, sizeof taken);
    int signo = syscall(SYS_rt_sigtimedwait, set, &taken, &AT_ONCE, 8); /* glibc's makes SI_TKILL SI_USER */
    return signo < 0 ? errno_name(errno) : signal_name(signo);
}

static int is_pending(int signo)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signo);
}

RULE(kill_order, "kill(2)", "nobody is found before a signal that is none")
{
    SEE(syscall(SYS_kill, NOBODY, 1000));
    SEE(syscall(SYS_kill, -NOBODY, 1000));
    SEE(syscall(SYS_kill, INT_MIN, 0));
    SEE(syscall(SYS_kill, getpid(), 65));
    SEE(syscall(SYS_kill, 0, 65));
    SEE(syscall(SYS_kill, 0, 0));
}

RULE(tkill_order, "tkill(2)", "an id that is none first, then nobody, then the signal")
{
    int me = getpid();
    SEE(syscall(SYS_tkill, 0, 65));
    SEE(syscall(SYS_tkill, -5, 65));
    SEE(syscall(SYS_tkill, NOBODY, 65));
    SEE(syscall(SYS_tkill, me, 65));
    SEE(syscall(SYS_tkill, me, -1));
    SEE(syscall(SYS_tkill, me, 0));
    SEE(syscall(SYS_tgkill, me, 0, 65));
    SEE(syscall(SYS_tgkill, NOBODY, me, 65));
    SEE(syscall(SYS_tgkill, -1, me, 0));
}

RULE(own_group, "kill(2)", "a signal to one's own group reaches all of it, oneself too; to an empty one ESRCH")
{
    pid_t child = fork();
    if (child == 0) {
        sigset_t set = block(SIGUSR1, 0);
        sigwaitinfo(&set, NULL);
        _exit(7);
    }
    until_asleep(child);
    count_signal(SIGUSR1, SA_RESTART);
    SEE(kill(0, SIGUSR1));
    SEE(signals_counted);
    int status;
    SEE(waitpid(child, &status, 0) == child);
    observed("child", "%s", status_name(status));
    SEE(setpgid(0, 0));
    SEE(kill(-getpid(), 0));
}

RULE(to_oneself, "kill(2)", "one that is not blocked is delivered before kill returns")
{
    count_signal(SIGUSR1, 0);
    SEE(kill(getpid(), SIGUSR1));
    SEE(signals_counted);
    SEE(syscall(SYS_tkill, getpid(), SIGUSR1));
    SEE(signals_counted);
}

static void *sleep_for_ever(void *tid)
{
    *(_Atomic pid_t *)tid = gettid();
    while (pause() < 0)
        ;
    return NULL;
}

static void start_sleepers(int count)
{
    pthread_t thread;
    for (int i = 0; i < count; i++) {
        _Atomic pid_t tid = 0;
        pthread_create(&thread, NULL, sleep_for_ever, &tid);
        while (!tid)
            nap(1);
        until_asleep(tid);
    }
}

static void *end_oneself(void *unused)
{
    (void)unused;
    kill(getpid(), SIGINT);
    _exit(3);
}

RULE(end_oneself, "kill(2)", "a signal that ends its sender does before kill returns, whatever the other threads sleep in")
{
    for (int by_another = 0; by_another < 2; by_another++) {
        pid_t child = fork();
        if (child == 0) {
            start_sleepers(3);
            pthread_t thread;
            if (!by_another)
                end_oneself(NULL);
            pthread_create(&thread, NULL, end_oneself, NULL);
            sleep_for_ever(&(_Atomic pid_t){0});
        }
        int status;
        SEE(waitpid(child, &status, 0) == child);
        observed("child", "%s", status_name(status));
    }
}

RULE(queue_order, "rt_sigqueueinfo(2)", "the siginfo is read first; then who may pretend what; then whether anybody is there; then the signal")
{
    SEE(syscall(SYS_rt_sigqueueinfo, NOBODY, 65, NOWHERE));
    SEE(syscall(SYS_rt_sigqueueinfo, NOBODY, 65, queued(0, SI_USER, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, NOBODY, 65, queued(0, SI_TKILL, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, NOBODY, 65, queued(0, SI_KERNEL, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, NOBODY, 65, queued(0, SI_QUEUE, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), 65, queued(0, SI_QUEUE, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, 0, 0, queued(0, SI_QUEUE, 0)));
}

RULE(queue_to_oneself, "rt_sigqueueinfo(2)", "to oneself any code is fine")
{
    sigset_t set = block(SIGUSR1, 0);
    static const int codes[] = {SI_USER, SI_KERNEL, SI_TKILL, SI_QUEUE, SI_ASYNCIO, 5};
    for (int i = 0; i < 6; i++) {
        SEE(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, queued(SIGUSR1, codes[i], 42)));
        observed("taken", "%s", take(&set));
        SEE(taken.si_code == codes[i]);
        SEE(taken.si_pid);
        SEE(taken.si_value.sival_int);
    }
}

RULE(queue_tail, "rt_sigqueueinfo(2)", "what the kernel does not keep has to be 0 for a code it does not know: E2BIG")
{
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), 0, with_a_tail(SI_QUEUE)));
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), 0, with_a_tail(SI_ASYNCNL)));
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), 0, with_a_tail(-100)));
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), 0, queued(SIGUSR1, -100, 0)));
}

RULE(queue_signo, "rt_sigqueueinfo(2)", "the number in the siginfo is not looked at: the argument is told")
{
    sigset_t set = block(SIGUSR1, SIGUSR2);
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, queued(SIGUSR2, SI_QUEUE, 1)));
    observed("taken", "%s", take(&set));
    observed("si_signo", "%s", signal_name(taken.si_signo));
    SEE(taken.si_uid);
}

RULE(thread_queue_order, "rt_tgsigqueueinfo(2)", "the siginfo is read first, then the ids checked, then the code")
{
    int me = getpid();
    SEE(syscall(SYS_rt_tgsigqueueinfo, 0, me, 0, NOWHERE));
    SEE(syscall(SYS_rt_tgsigqueueinfo, 0, 1, 0, queued(0, SI_USER, 0)));
    SEE(syscall(SYS_rt_tgsigqueueinfo, me, -1, 0, queued(0, SI_USER, 0)));
    SEE(syscall(SYS_rt_tgsigqueueinfo, me, NOBODY, 0, queued(0, SI_USER, 0)));
    SEE(syscall(SYS_rt_tgsigqueueinfo, me, NOBODY, 0, queued(0, SI_QUEUE, 0)));
    SEE(syscall(SYS_rt_tgsigqueueinfo, me, me, 65, queued(0, SI_QUEUE, 0)));
    SEE(syscall(SYS_rt_tgsigqueueinfo, me, me, 0, queued(0, SI_USER, 0)));
}

RULE(queue_to_a_child, "rt_sigqueueinfo(2)", "to another process only codes below 0, but not SI_TKILL: EPERM")
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, queued(0, SI_USER, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, queued(0, SI_KERNEL, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, queued(0, SI_TKILL, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, queued(0, SI_TIMER, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, queued(0, CLD_EXITED, 0)));
    SEE(syscall(SYS_rt_sigqueueinfo, child, 65, queued(0, SI_QUEUE, 0)));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

RULE(first_siginfo_stays, "signal(7)", "a standard signal that comes again while it is pending changes nothing")
{
    sigset_t set = block(SIGUSR1, 0);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1});
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 2});
    observed("taken", "%s", take(&set));
    SEE(taken.si_value.sival_int);
    observed("again", "%s", take(&set));
}

RULE(thread_and_process, "signal(7)", "pending for the thread and for the process it comes twice, the thread's first")
{
    sigset_t set = block(SIGUSR1, 0);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 1});
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
    for (int i = 0; i < 3; i++) {
        observed("taken", "%s", take(&set));
        observed("code", "%s", code_name(SIGUSR1, taken.si_code));
    }
}

RULE(real_time_after_standard, "signal(7)", "standard signals come first, then real-time ones by number, then in the order they were sent")
{
    sigset_t set = block(SIGRTMIN + 2, SIGRTMIN + 1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 1});
    sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = 2});
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 3});
    kill(getpid(), SIGUSR2);
    for (int i = 0; i < 5; i++) {
        observed("taken", "%s", take(&set));
        SEE(taken.si_value.sival_int);
    }
}

RULE(pending_sizes, "rt_sigpending(2)", "EINVAL for a larger set, a smaller one gets a part; EFAULT")
{
    char two[2];
    SEE(syscall(SYS_rt_sigpending, NOWHERE, 9));
    SEE(syscall(SYS_rt_sigpending, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigpending, two, 2));
    SEE(syscall(SYS_rt_sigpending, two, 0));
}

RULE(pending_and_ignored, "sigpending(2)", "a blocked signal that is ignored stays pending; ignoring it again drops it")
{
    block(SIGUSR1, SIGCHLD);
    signal(SIGUSR1, SIG_IGN);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGCHLD);
    SEE(is_pending(SIGUSR1));
    SEE(is_pending(SIGCHLD));
    signal(SIGUSR1, SIG_IGN);
    SEE(is_pending(SIGUSR1));
    signal(SIGCHLD, SIG_DFL);
    SEE(is_pending(SIGCHLD));
}

RULE(stop_against_continue, "signal(7)", "SIGCONT drops pending stops and the other way round, blocked or not")
{
    block(SIGCONT, SIGTSTP);
    raise(SIGCONT);
    observed("pending", "SIGCONT %d, SIGTSTP %d", is_pending(SIGCONT), is_pending(SIGTSTP));
    raise(SIGTSTP);
    observed("pending", "SIGCONT %d, SIGTSTP %d", is_pending(SIGCONT), is_pending(SIGTSTP));
    kill(getpid(), SIGCONT);
    observed("pending", "SIGCONT %d, SIGTSTP %d", is_pending(SIGCONT), is_pending(SIGTSTP));
    block(SIGTTIN, SIGTTOU);
    raise(SIGTTIN);
    raise(SIGTTOU);
    kill(getpid(), SIGCONT);
    observed("pending", "SIGTTIN %d, SIGTTOU %d", is_pending(SIGTTIN), is_pending(SIGTTOU));
}

RULE(sent_to_a_zombie, "kill(2)", "a zombie takes signals, and queued ones, till it is awaited; its signals are checked")
{
    pid_t child = fork();
    siginfo_t info;
    if (child == 0)
        _exit(3);
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    SEE(kill(child, SIGTERM));
    SEE(kill(child, 65));
    SEE(syscall(SYS_tgkill, child, child, SIGTERM));
    SEE(syscall(SYS_tgkill, child, child, 65));
    SEE(syscall(SYS_rt_sigqueueinfo, child, SIGTERM, queued(0, SI_QUEUE, 0)));
    waitpid(child, NULL, 0);
    SEE(kill(child, SIGTERM));
    SEE(syscall(SYS_tgkill, child, child, SIGTERM));
}

RULE(mask_order, "rt_sigprocmask(2)", "the size, then the new set, then how, then the old set")
{
    uint64_t set = 0;
    SEE(syscall(SYS_rt_sigprocmask, 7, NOWHERE, NOWHERE, 4));
    SEE(syscall(SYS_rt_sigprocmask, 7, NOWHERE, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigprocmask, 7, &set, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigprocmask, 7, NULL, NULL, 8));
    SEE(syscall(SYS_rt_sigprocmask, 7, NULL, NOWHERE, 8));
}

RULE(mask_and_old_mask, "rt_sigprocmask(2)", "an old set that cannot be written is EFAULT, and the mask is changed")
{
    uint64_t set = 1UL << (SIGUSR1 - 1), now = 0;
    SEE(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8));
    SEE(now == set);
}

RULE(suspend_order, "rt_sigsuspend(2)", "the size, then the set")
{
    SEE(syscall(SYS_rt_sigsuspend, NOWHERE, 4));
    SEE(syscall(SYS_rt_sigsuspend, NOWHERE, 8));
}

RULE(wait_order, "rt_sigtimedwait(2)", "the size, then the set, then the time")
{
    uint64_t set = 1UL << (SIGUSR1 - 1);
    struct timespec wrong = {0, SECOND};
    SEE(syscall(SYS_rt_sigtimedwait, NOWHERE, NULL, NOWHERE, 4));
    SEE(syscall(SYS_rt_sigtimedwait, NOWHERE, NULL, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, &wrong, 8));
    SEE(syscall(SYS_rt_sigtimedwait, &set, NULL, &AT_ONCE, 8));
}

RULE(action_order, "rt_sigaction(2)", "the size, then the new action, then the signal, then the old action")
{
    unsigned long ignore[4] = {(unsigned long)SIG_IGN};
    SEE(syscall(SYS_rt_sigaction, 0, NOWHERE, NOWHERE, 4));
    SEE(syscall(SYS_rt_sigaction, 0, NOWHERE, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigaction, 65, NULL, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigaction, SIGKILL, ignore, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigaction, SIGKILL, NULL, ignore, 8));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, NOWHERE, NULL, 8));
}

RULE(action_and_old_action, "rt_sigaction(2)", "an old action that cannot be written is EFAULT, and the new one holds")
{
    unsigned long ignore[4] = {(unsigned long)SIG_IGN}, now[4] = {9};
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, ignore, NOWHERE, 8));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, NULL, now, 8));
    SEE(now[0] == ignore[0]);
}

RULE(stop_and_continue, "signal(7)", "SIGCONT takes pending stop signals away, whoever they are for, and a stop signal a pending SIGCONT")
{
    sigset_t both, pending;
    sigemptyset(&both), sigaddset(&both, SIGTSTP), sigaddset(&both, SIGCONT), sigaddset(&both, SIGTTIN);
    sigprocmask(SIG_BLOCK, &both, NULL);
    kill(getpid(), SIGTSTP);
    syscall(SYS_tgkill, getpid(), getpid(), SIGTTIN);
    sigpending(&pending);
    observed("stopping", "%d %d %d", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTIN), sigismember(&pending, SIGCONT));
    kill(getpid(), SIGCONT);
    sigpending(&pending);
    observed("continued", "%d %d %d", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGTTIN), sigismember(&pending, SIGCONT));
    kill(getpid(), SIGTSTP);
    sigpending(&pending);
    observed("stopping again", "%d %d", sigismember(&pending, SIGTSTP), sigismember(&pending, SIGCONT));
    SEE(sigtimedwait(&both, NULL, &(struct timespec){0, 0}));
    SEE(sigtimedwait(&both, NULL, &(struct timespec){0, 0}));
}
