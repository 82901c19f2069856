/* timer_create(2), timer_settime(2), getitimer(2), alarm(2): kinds, overruns, what is left. */
#include "contract.h"
#include <sys/time.h>

static volatile sig_atomic_t calls;
static siginfo_t last;

static void note(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    last = *info;
    calls++;
}

static void handle(int signo)
{
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    sigaction(signo, &action, NULL);
}

static void block(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static timer_t new_timer(int notify, int signo, int value)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = notify, .sigev_signo = signo, .sigev_value.sival_int = value};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0)
        cannot_start("timer_create");
    return timer;
}

static long arm(timer_t timer, int flags, int64_t value_ns, int64_t interval_ns)
{
    struct itimerspec it = {{interval_ns / SECOND, interval_ns % SECOND}, {value_ns / SECOND, value_ns % SECOND}};
    return timer_settime(timer, flags, &it, NULL);
}

RULE(create_errors, "timer_create(2)", "EINVAL for no clock, no signal, no kind of notification; EFAULT")
{
    int id;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65}, kind = {.sigev_notify = 77};
    struct sigevent zero = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 0};
    SEE(syscall(SYS_timer_create, 99, NULL, &id));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, NULL, &id));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC, &zero, &id));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC, &kind, &id));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC, 16L, &id));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, 16L));
}

RULE(unknown_timer, "timer_settime(2)", "EINVAL for a timer that is not there, after the times were read and checked")
{
    struct itimerspec good = {{0, 0}, {1, 0}}, bad = {{0, 0}, {0, SECOND}}, negative = {{0, -1}, {1, 0}};
    SEE(syscall(SYS_timer_settime, 99, 0, &good, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, NULL, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, 16L, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, &bad, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, &negative, NULL));
    SEE(syscall(SYS_timer_gettime, 99, &good));
    SEE(syscall(SYS_timer_getoverrun, 99));
    SEE(syscall(SYS_timer_delete, 99));
}

RULE(signal_info, "timer_create(2)", "the signal says SI_TIMER, with the value that was given")
{
    timer_t timer = new_timer(SIGEV_SIGNAL, SIGUSR1, 42);
    handle(SIGUSR1);
    arm(timer, 0, 5 * MS, 0);
    while (!calls)
        nap(2);
    observed("code", "%s", code_name(SIGUSR1, last.si_code));
    observed("value, overrun", "%d %d", last.si_value.sival_int, last.si_overrun);
}

RULE(default_event, "timer_create(2)", "without an event it is SIGALRM")
{
    timer_t timer;
    handle(SIGALRM);
    SEE(timer_create(CLOCK_REALTIME, NULL, &timer));
    arm(timer, 0, MS, 0);
    while (!calls)
        nap(2);
    observed("signal", "%s %s", signal_name(last.si_signo), code_name(SIGALRM, last.si_code));
}

RULE(overruns, "timer_getoverrun(2)", "expirations while the signal is pending are counted, and told with it")
{
    timer_t timer = new_timer(SIGEV_SIGNAL, SIGUSR1, 1);
    siginfo_t info;
    sigset_t set;
    block(SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    SEE(timer_getoverrun(timer));
    arm(timer, 0, 10 * MS, 10 * MS);
    nap(55);
    SEE(sigtimedwait(&set, &info, &(struct timespec){0, 0}));
    SEE_WHETHER(info.si_overrun >= 4);
    SEE_WHETHER(timer_getoverrun(timer) == info.si_overrun);
}

RULE(none_told, "timer_create(2)", "SIGEV_NONE: nothing comes, but the time can be asked for")
{
    timer_t timer = new_timer(SIGEV_NONE, 0, 0);
    struct itimerspec now;
    arm(timer, 0, 1000 * SECOND, 7 * SECOND);
    SEE(timer_gettime(timer, &now));
    SEE_WHETHER(now.it_value.tv_sec >= 990 && now.it_value.tv_sec <= 1000);
    SEE(now.it_interval.tv_sec);
    arm(timer, 0, MS, 0);
    nap(5);
    SEE(timer_gettime(timer, &now));
    SEE(now.it_value.tv_sec + now.it_value.tv_nsec);
}

RULE(disarm, "timer_settime(2)", "a value of 0 disarms; what was left is told as the old value")
{
    timer_t timer = new_timer(SIGEV_SIGNAL, SIGUSR1, 0);
    struct itimerspec zero = {{5, 0}, {0, 0}}, old;
    arm(timer, 0, 1000 * SECOND, 3 * SECOND);
    SEE(timer_settime(timer, 0, &zero, &old));
    SEE_WHETHER(old.it_value.tv_sec >= 990);
    SEE(old.it_interval.tv_sec);
    SEE(timer_gettime(timer, &old));
    SEE(old.it_value.tv_sec + old.it_value.tv_nsec + old.it_interval.tv_sec);
}

RULE(absolute, "timer_settime(2)", "an absolute time that has passed expires at once; unknown flags are ignored")
{
    timer_t timer = new_timer(SIGEV_SIGNAL, SIGUSR1, 0);
    handle(SIGUSR1);
    SEE(arm(timer, TIMER_ABSTIME, 1, 0));
    while (!calls)
        nap(1);
    SEE(calls);
    SEE(arm(timer, 0x70, 1000 * SECOND, 0));
}

RULE(deleted, "timer_delete(2)", "a timer that is gone sends nothing, and its number is free")
{
    timer_t timer = new_timer(SIGEV_SIGNAL, SIGUSR1, 0);
    handle(SIGUSR1);
    arm(timer, 0, 5 * MS, 0);
    SEE(timer_delete(timer));
    nap(15);
    SEE(calls);
    struct itimerspec now;
    SEE(syscall(SYS_timer_gettime, 0, &now));
}

RULE(not_inherited, "timer_create(2)", "a child has no timers of its parent")
{
    struct itimerspec now;
    new_timer(SIGEV_SIGNAL, SIGUSR1, 0);
    SEE(syscall(SYS_timer_gettime, 0, &now));
    pid_t child = fork();
    if (child == 0) {
        SEE(syscall(SYS_timer_gettime, 0, &now));
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

RULE(itimer_errors, "setitimer(2)", "EINVAL for an unknown timer and for times that are none; EFAULT")
{
    struct itimerval good = {{0, 0}, {1, 0}}, micro = {{0, 0}, {0, 1000000}}, negative = {{0, 0}, {-1, 0}};
    SEE(syscall(SYS_setitimer, 3, &good, NULL));
    SEE(syscall(SYS_getitimer, 3, &good));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, &micro, NULL));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, &negative, NULL));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, 16L, NULL));
    SEE(syscall(SYS_getitimer, ITIMER_REAL, 16L));
}

RULE(itimer, "getitimer(2)", "ITIMER_REAL sends SIGALRM again and again, and tells what is left")
{
    struct itimerval every = {{0, 5000}, {0, 5000}}, now, zero = {{0, 0}, {0, 0}};
    handle(SIGALRM);
    SEE(setitimer(ITIMER_REAL, &every, NULL));
    while (calls < 3)
        nap(2);
    observed("code", "%s", code_name(SIGALRM, last.si_code));
    SEE(getitimer(ITIMER_REAL, &now));
    SEE_WHETHER(now.it_value.tv_usec > 0 && now.it_value.tv_usec <= 5000);
    SEE(setitimer(ITIMER_REAL, &zero, &now));
    SEE(now.it_interval.tv_usec);
    SEE(getitimer(ITIMER_REAL, &now));
    SEE(now.it_value.tv_sec + now.it_value.tv_usec);
}

RULE(alarm_is_the_itimer, "alarm(2)", "alarm and ITIMER_REAL are one timer; alarm tells whole seconds, at least one")
{
    struct itimerval now;
    SEE(alarm(100));
    SEE(getitimer(ITIMER_REAL, &now));
    SEE_WHETHER(now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    SEE_WHETHER(alarm(50) >= 99);
    struct itimerval half = {{0, 0}, {0, 400000}};
    setitimer(ITIMER_REAL, &half, NULL);
    SEE(alarm(0));
    SEE(alarm(0));
}

RULE(alarm_inheritance, "alarm(2)", "a child has no alarm of its parent; execve keeps one")
{
    alarm(100);
    pid_t child = fork();
    if (child == 0) {
        SEE(alarm(0));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE_WHETHER(alarm(0) > 0);
}
