/* signal(7), sigaction(2), sigprocmask(2), kill(2): dispositions, masks, delivery, who gets what. */
#include "contract.h"
#include <pthread.h>

static volatile sig_atomic_t order[16], calls;
static siginfo_t last;

static void note(int signo)
{
    order[calls++ % 16] = signo;
}

static void note_info(int signo, siginfo_t *info, void *context)
{
    (void)context;
    last = *info;
    note(signo);
}

static void handle(int signo, int flags, const sigset_t *mask)
{
    struct sigaction action = {.sa_flags = flags};
    if (flags & SA_SIGINFO)
        action.sa_sigaction = note_info;
    else
        action.sa_handler = note;
    if (mask != NULL)
        action.sa_mask = *mask;
    if (sigaction(signo, &action, NULL) < 0)
        cannot_start("sigaction");
}

static sigset_t set_of(int one, int two)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (two)
        sigaddset(&set, two);
    return set;
}

static void block(int how, int one, int two)
{
    sigset_t set = set_of(one, two);
    sigprocmask(how, &set, NULL);
}

static int is_pending(int signo)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signo);
}

static void see_end(const char *what, pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    observed(what, "%s", status_name(status));
}

RULE(action_errors, "sigaction(2)", "EINVAL for SIGKILL, SIGSTOP, no signal and another size of the mask; EFAULT")
{
    struct sigaction action = {.sa_handler = note}, old;
    SEE(sigaction(SIGKILL, &action, NULL));
    SEE(sigaction(SIGSTOP, &action, NULL));
    SEE(sigaction(SIGKILL, NULL, &old));
    SEE(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
    SEE(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, 16L, NULL, 8));
    SEE(syscall(SYS_rt_sigaction, SIGUSR1, NULL, 16L, 8));
}

RULE(mask_errors, "sigprocmask(2)", "EINVAL for an unknown how, but only with a set; for another size; EFAULT")
{
    sigset_t set = set_of(SIGUSR1, 0);
    SEE(syscall(SYS_rt_sigprocmask, 77, &set, NULL, 8));
    SEE(syscall(SYS_rt_sigprocmask, 77, NULL, &set, 8));
    SEE(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4));
    SEE(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 16L, NULL, 8));
    SEE(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, 16L, 8));
}

RULE(unblockable, "sigprocmask(2)", "SIGKILL and SIGSTOP are taken out of a mask silently")
{
    block(SIG_BLOCK, SIGKILL, SIGSTOP);
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    observed("in the mask", "%d %d", sigismember(&now, SIGKILL), sigismember(&now, SIGSTOP));
}

RULE(unblocking, "sigprocmask(2)", "a pending signal is delivered before the call that unblocks it returns")
{
    handle(SIGUSR1, 0, NULL);
    block(SIG_BLOCK, SIGUSR1, 0);
    raise(SIGUSR1);
    observed("blocked", "%d handled, pending %d", calls, is_pending(SIGUSR1));
    block(SIG_UNBLOCK, SIGUSR1, 0);
    observed("unblocked", "%d handled, pending %d", calls, is_pending(SIGUSR1));
}

RULE(lowest_first, "signal(7)", "of several pending signals that are let through at once the handler of the highest runs first")
{
    handle(SIGUSR1, 0, NULL);
    handle(SIGUSR2, 0, NULL);
    handle(SIGHUP, 0, NULL);
    block(SIG_BLOCK, SIGUSR1, SIGUSR2);
    block(SIG_BLOCK, SIGHUP, 0);
    raise(SIGUSR2);
    raise(SIGUSR1);
    raise(SIGHUP);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 0; i < calls; i++)
        observed("handled", "%s", signal_name(order[i]));
}

RULE(standard_merge, "signal(7)", "a standard signal is pending once; real-time ones queue in the order they were sent")
{
    handle(SIGUSR1, SA_SIGINFO, NULL);
    handle(SIGRTMIN + 1, SA_SIGINFO, NULL);
    block(SIG_BLOCK, SIGUSR1, SIGRTMIN + 1);
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGUSR1);
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    }
    block(SIG_UNBLOCK, SIGUSR1, 0);
    SEE(calls);
    block(SIG_UNBLOCK, SIGRTMIN + 1, 0);
    SEE(calls);
}

RULE(handler_mask, "sigaction(2)", "while a handler runs its signal and sa_mask are blocked; not its own with SA_NODEFER")
{
    sigset_t usr2 = set_of(SIGUSR2, 0), during;
    handle(SIGUSR1, 0, &usr2);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &during);
    observed("after", "%d %d", sigismember(&during, SIGUSR1), sigismember(&during, SIGUSR2));
}

static void raise_again(int signo)
{
    note(signo);
    if (calls < 3)
        raise(signo);
}

RULE(nodefer, "sigaction(2)", "a handler's own signal waits for its end, or interrupts it with SA_NODEFER")
{
    struct sigaction action = {.sa_handler = raise_again, .sa_flags = SA_NODEFER};
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    SEE(calls);
}

RULE(resethand, "sigaction(2)", "SA_RESETHAND: the second one does what it does by default")
{
    pid_t child = fork();
    if (child == 0) {
        handle(SIGUSR1, SA_RESETHAND, NULL);
        raise(SIGUSR1);
        observed("handled", "%d", calls);
        raise(SIGUSR1);
        _exit(0);
    }
    see_end("the second", child);
}

RULE(ignore_flushes, "sigaction(2)", "ignoring a signal drops it where it is pending; so does SIG_DFL if that ignores it")
{
    block(SIG_BLOCK, SIGUSR1, SIGCHLD);
    handle(SIGCHLD, 0, NULL);
    raise(SIGUSR1);
    raise(SIGCHLD);
    observed("pending", "%d %d", is_pending(SIGUSR1), is_pending(SIGCHLD));
    signal(SIGUSR1, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    observed("pending", "%d %d", is_pending(SIGUSR1), is_pending(SIGCHLD));
}

RULE(info_of_kill, "kill(2)", "siginfo says who sent it")
{
    handle(SIGUSR1, SA_SIGINFO, NULL);
    kill(getpid(), SIGUSR1);
    observed("code", "%s", code_name(SIGUSR1, last.si_code));
    SEE_WHETHER(last.si_pid == getpid() && last.si_uid == getuid());
    raise(SIGUSR1);
    observed("code of raise", "%s", code_name(SIGUSR1, last.si_code));
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 7});
    observed("code of sigqueue", "%s, value %d", code_name(SIGUSR1, last.si_code), last.si_value.sival_int);
}

RULE(kill_errors, "kill(2)", "EINVAL for no signal, ESRCH for no process; signal 0 only asks")
{
    SEE(kill(getpid(), 0));
    SEE(kill(getpid(), 65));
    SEE(kill(getpid(), -1));
    SEE(kill(0x3fffffff, SIGUSR1));
    SEE(kill(0x3fffffff, 99));
    SEE(kill(0, 0));
    SEE(kill(-getpgrp(), 0));
    SEE(kill(-0x3fffffff, 0));
}

RULE(zombies, "kill(2)", "a zombie can be signalled, one that was awaited cannot")
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    SEE(kill(child, SIGKILL));
    see_end("status", child);
    SEE(kill(child, 0));
}

RULE(tgkill_errors, "tgkill(2)", "EINVAL for ids that are none, ESRCH for a thread of another process")
{
    SEE(syscall(SYS_tgkill, 0, getpid(), 0));
    SEE(syscall(SYS_tgkill, getpid(), 0, 0));
    SEE(syscall(SYS_tgkill, getpid(), getpid(), 0));
    SEE(syscall(SYS_tgkill, getppid(), getpid(), 0));
    SEE(syscall(SYS_tkill, -1, 0));
    SEE(syscall(SYS_tkill, 0x3fffffff, 0));
    SEE(syscall(SYS_tgkill, getpid(), getpid(), 65));
}

RULE(queueinfo, "rt_sigqueueinfo(2)", "others' signals may not pretend to come from the kernel, or from kill")
{
    siginfo_t info = {.si_code = SI_QUEUE};
    handle(SIGUSR1, SA_SIGINFO, NULL);
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, &info));
    info.si_code = SI_USER;
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, &info));
    info.si_code = SI_TKILL;
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, &info));
    info.si_code = SI_KERNEL;
    SEE(syscall(SYS_rt_sigqueueinfo, child, 0, &info));
    info.si_code = SI_USER;
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
    observed("code", "%s", code_name(SIGUSR1, last.si_code));
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info));
    SEE(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, 16L));
    kill(child, SIGKILL);
    see_end("child", child);
}

RULE(defaults, "signal(7)", "what signals do by default")
{
    const int signals[] = {SIGHUP, SIGINT, SIGUSR1, SIGALRM, SIGTERM, SIGPIPE, SIGWINCH, SIGURG, SIGCHLD, SIGCONT, SIGRTMIN};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        pid_t child = fork();
        if (child == 0) {
            raise(signals[i]);
            _exit(0);
        }
        see_end(signal_name(signals[i]), child);
    }
}

RULE(inherited, "signal(7)", "fork keeps masks and handlers, but not what is pending")
{
    handle(SIGUSR1, 0, NULL);
    block(SIG_BLOCK, SIGUSR1, 0);
    raise(SIGUSR1);
    pid_t child = fork();
    if (child == 0) {
        sigset_t mask;
        sigprocmask(SIG_BLOCK, NULL, &mask);
        observed("child", "blocked %d, pending %d", sigismember(&mask, SIGUSR1), is_pending(SIGUSR1));
        raise(SIGUSR1);
        block(SIG_UNBLOCK, SIGUSR1, 0);
        observed("child", "handled %d", calls);
        _exit(0);
    }
    see_end("child", child);
    observed("parent", "pending %d", is_pending(SIGUSR1));
}

RULE(stop_and_continue, "signal(7)", "SIGSTOP stops, SIGCONT lets go on; a stop drops a pending SIGCONT")
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    kill(child, SIGSTOP);
    SEE_WHETHER(waitpid(child, &status, WUNTRACED) == child);
    observed("status", "%s", status_name(status));
    kill(child, SIGCONT);
    SEE_WHETHER(waitpid(child, &status, WCONTINUED) == child);
    observed("status", "%s", status_name(status));
    kill(child, SIGTERM);
    see_end("end", child);
}

static pthread_barrier_t barrier;
static volatile pid_t taker;

static void note_thread(int signo)
{
    (void)signo;
    taker = syscall(SYS_gettid);
}

static void *wait_unblocked(void *result)
{
    block(SIG_UNBLOCK, SIGUSR1, 0);
    *(pid_t *)result = syscall(SYS_gettid);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return NULL;
}

RULE(thread_that_lets_it_through, "signal(7)", "a signal to the process goes to a thread that does not block it")
{
    pid_t tid;
    pthread_t thread;
    signal(SIGUSR1, note_thread);
    block(SIG_BLOCK, SIGUSR1, 0);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, wait_unblocked, &tid);
    pthread_barrier_wait(&barrier);
    kill(getpid(), SIGUSR1);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    SEE_WHETHER(taker == tid);
    SEE(is_pending(SIGUSR1));
}

RULE(thread_directed, "tgkill(2)", "a signal to a thread is pending for it alone")
{
    block(SIG_BLOCK, SIGUSR1, 0);
    pthread_kill(pthread_self(), SIGUSR1);
    SEE(is_pending(SIGUSR1));
    pid_t tid;
    pthread_t thread;
    signal(SIGUSR1, note_thread);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, wait_unblocked, &tid);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    SEE(taker);
    SEE(is_pending(SIGUSR1));
}

RULE(alternate_stack, "sigaltstack(2)", "a handler with SA_ONSTACK runs there; the stack cannot be changed meanwhile")
{
    static char space[65536];
    stack_t stack = {.ss_sp = space, .ss_size = sizeof space}, small = {.ss_sp = space, .ss_size = 100}, old;
    SEE(sigaltstack(&small, NULL));
    SEE(sigaltstack(&stack, NULL));
    SEE(sigaltstack(NULL, &old));
    SEE(old.ss_flags);
    stack.ss_flags = SS_DISABLE;
    SEE(sigaltstack(&stack, NULL));
    SEE(sigaltstack(NULL, &old));
    SEE(old.ss_flags == SS_DISABLE);
    stack.ss_flags = 77;
    SEE(sigaltstack(&stack, NULL));
}
