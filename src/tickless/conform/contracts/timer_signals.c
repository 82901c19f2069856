/* timer_create(2), timer_settime(2), setitimer(2), alarm(2): order of checks, pending and ignored signals, what is forgotten. */
#include "contract.h"
#include <sys/time.h>

#define NOWHERE ((void *)16)
#define THREAD_ID 4 /* SIGEV_THREAD_ID */

static int timer, other;

/* A sigevent as the kernel has it, whatever the libc's union is called. */
static long create(clockid_t clock, int notify, int signo, int tid, int *id)
{
    struct {
        union sigval value;
        int signo, notify, tid, padding[11];
    } event = {.value.sival_int = 77, .signo = signo, .notify = notify, .tid = tid};
    return syscall(SYS_timer_create, clock, &event, id);
}

static long set(int id, long value_ns, long interval_ns)
{
    struct itimerspec spec = {{interval_ns / SECOND, interval_ns % SECOND}, {value_ns / SECOND, value_ns % SECOND}};
    return syscall(SYS_timer_settime, id, 0, &spec, NULL);
}

static struct itimerspec got;

static void get(int id)
{
    if (syscall(SYS_timer_gettime, id, &got) < 0)
        cannot_start("timer_gettime");
}

static siginfo_t taken;
static sigset_t awaited;

static void block(int signo)
{
    sigemptyset(&awaited);
    sigaddset(&awaited, signo);
    sigprocmask(SIG_BLOCK, &awaited, NULL);
}

/* Take a signal that is pending, or wait for it up to a second. */
static const char *take(int seconds)
{
    struct timespec span = {seconds, 0};
    memset(&taken, 0, sizeof taken);
    int signo = syscall(SYS_rt_sigtimedwait, &awaited, &taken, &span, 8);
    return signo < 0 ? errno_name(errno) : signal_name(signo);
}

static int is_pending(int signo)
{
    sigset_t pending;
    sigpending(&pending);
    return sigismember(&pending, signo);
}

static void until_pending(int signo)
{
    while (!is_pending(signo))
        nap(1);
}

RULE(order_of_creation, "timer_create(2)", "the event is read before the clock is looked at, and the id is written last; ENOTSUP for a clock without timers")
{
    SEE(syscall(SYS_timer_create, 10, NOWHERE, &timer));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC, NOWHERE, &timer));
    SEE(create(10, 8, SIGUSR1, 0, NOWHERE));
    SEE(create(CLOCK_MONOTONIC, 8, SIGUSR1, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, NOWHERE));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC_RAW, NULL, &timer));
    SEE(syscall(SYS_timer_create, CLOCK_MONOTONIC_COARSE, NULL, &timer));
}

RULE(notifications, "timer_create(2)", "which notifications and signals there are; with SIGEV_NONE the signal is not looked at")
{
    SEE(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 64, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, SIGEV_NONE, 9999, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, SIGEV_THREAD, SIGUSR1, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, 3, SIGUSR1, 0, &timer));
    SEE(create(CLOCK_MONOTONIC, THREAD_ID | SIGEV_SIGNAL, SIGUSR1, 1, &timer));
    SEE(create(CLOCK_MONOTONIC, THREAD_ID | SIGEV_SIGNAL, SIGUSR1, getpid(), &timer));
    SEE(create(CLOCK_MONOTONIC, THREAD_ID | SIGEV_NONE, SIGUSR1, getpid(), &timer));
}

RULE(ids, "timer_create(2)", "the kernel's ids count from 0, and one that is deleted is not used again at once")
{
    for (int i = 0; i < 3; i++) {
        create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
        SEE(timer);
    }
    SEE(syscall(SYS_timer_delete, 2));
    create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
    SEE(timer);
}

RULE(order_of_setting, "timer_settime(2)", "the new time is read and checked before the timer is looked for; no new time is EINVAL")
{
    struct itimerspec wrong = {{0, 0}, {0, SECOND}}, wrong_interval = {{0, -1}, {0, 0}}, good = {{0, 0}, {100, 0}};
    create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
    SEE(syscall(SYS_timer_settime, 99, 0, NULL, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, NOWHERE, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, &wrong, NULL));
    SEE(syscall(SYS_timer_settime, timer, 0, &wrong_interval, NULL));
    SEE(syscall(SYS_timer_settime, timer, 8, &good, NULL));
    SEE(syscall(SYS_timer_settime, 99, 0, &good, NOWHERE));
}

RULE(bad_old_time, "timer_settime(2)", "an old time that cannot be written is EFAULT, and the timer is set all the same")
{
    struct itimerspec good = {{0, 0}, {100, 0}};
    create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
    SEE(syscall(SYS_timer_settime, timer, 0, &good, NOWHERE));
    get(timer);
    SEE_WHETHER(got.it_value.tv_sec > 0);
}

RULE(unknown_ids, "timer_gettime(2)", "EINVAL for a timer that is not there, before the pointer is looked at")
{
    create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
    SEE(syscall(SYS_timer_gettime, 99, NOWHERE));
    SEE(syscall(SYS_timer_gettime, -1, NOWHERE));
    SEE(syscall(SYS_timer_gettime, timer, NOWHERE));
    SEE(syscall(SYS_timer_gettime, timer, NULL));
    SEE(syscall(SYS_timer_getoverrun, 99));
    SEE(syscall(SYS_timer_delete, 99));
    SEE(syscall(SYS_timer_delete, timer));
    SEE(syscall(SYS_timer_delete, timer));
}

RULE(never_armed, "timer_gettime(2)", "a timer that is not armed, or is over, has nothing left; disarming takes no interval")
{
    create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &timer);
    get(timer);
    observed("new", "%ld, %ld", got.it_value.tv_sec + got.it_value.tv_nsec, got.it_interval.tv_nsec);
    SEE(set(timer, MS, 0));
    nap(3);
    get(timer);
    observed("over", "%ld, %ld", got.it_value.tv_sec + got.it_value.tv_nsec, got.it_interval.tv_nsec);
    SEE(set(timer, 0, 5 * MS));
    get(timer);
    observed("disarmed", "%ld, %ld", got.it_value.tv_sec + got.it_value.tv_nsec, got.it_interval.tv_nsec);
}

RULE(one_shot_with_pending_signal, "timer_settime(2)", "one that is over has nothing left while its signal is pending")
{
    block(SIGUSR1);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &timer);
    SEE(set(timer, MS, 0));
    until_pending(SIGUSR1);
    get(timer);
    SEE(got.it_value.tv_sec + got.it_value.tv_nsec);
    observed("taken", "%s", take(0));
    observed("code", "%s", code_name(SIGUSR1, taken.si_code));
    SEE(taken.si_value.sival_int);
    SEE(taken.si_overrun);
    observed("again", "%s", take(0));
}

RULE(two_timers_one_signal, "timer_create(2)", "two timers with one standard signal: each has its own in the queue")
{
    block(SIGUSR1);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &timer);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &other);
    set(timer, MS, 0);
    until_pending(SIGUSR1);
    set(other, MS, 0);
    nap(5);
    observed("taken", "%s", take(0));
    SEE(taken.si_timerid);
    observed("taken", "%s", take(0));
}

RULE(two_timers_real_time, "timer_create(2)", "two timers with one real-time signal: each has its own in the queue")
{
    block(SIGRTMIN + 1);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 0, &timer);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGRTMIN + 1, 0, &other);
    set(other, MS, 0);
    until_pending(SIGRTMIN + 1);
    set(timer, MS, 0);
    nap(5);
    for (int i = 0; i < 3; i++) {
        observed("taken", "%s", take(0));
        SEE(taken.si_timerid);
    }
}

RULE(past_instant, "timer_settime(2)", "an instant in the past: it expires at once, and goes on by its interval from there")
{
    block(SIGUSR1);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &timer);
    int64_t past = now_ns(CLOCK_MONOTONIC) - SECOND;
    struct itimerspec spec = {{1000, 0}, {past / SECOND, past % SECOND}};
    SEE(syscall(SYS_timer_settime, timer, TIMER_ABSTIME, &spec, NULL));
    observed("taken", "%s", take(1));
    SEE(taken.si_overrun);
    get(timer);
    SEE_WHETHER(got.it_value.tv_sec >= 900 && got.it_value.tv_sec < 1000);
}

RULE(itimer_order, "setitimer(2)", "the new time is read before the kind of timer is looked at; EINVAL for a time that is none")
{
    struct itimerval wrong = {{0, 0}, {0, 1000000}}, wrong_interval = {{-1, 0}, {0, 0}}, none = {{0, 0}, {0, 0}};
    SEE(syscall(SYS_setitimer, 3, NOWHERE, NULL));
    SEE(syscall(SYS_setitimer, 3, &none, NULL));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, &wrong, NULL));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, &wrong_interval, NULL));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, NOWHERE, NULL));
    SEE(syscall(SYS_setitimer, ITIMER_REAL, &none, NOWHERE));
    SEE(syscall(SYS_getitimer, 3, NOWHERE));
    SEE(syscall(SYS_getitimer, ITIMER_REAL, NOWHERE));
}

RULE(itimer_bad_old, "setitimer(2)", "an old time that cannot be written is EFAULT, and the timer is set all the same")
{
    struct itimerval far = {{0, 0}, {100, 0}}, now;
    SEE(syscall(SYS_setitimer, ITIMER_REAL, &far, NOWHERE));
    SEE(getitimer(ITIMER_REAL, &now));
    SEE_WHETHER(now.it_value.tv_sec > 0);
}

RULE(itimer_pending, "setitimer(2)", "a periodic one whose signal is pending does not run on till it is taken")
{
    struct itimerval periodic = {{100, 0}, {0, 1000}}, now;
    block(SIGALRM);
    setitimer(ITIMER_REAL, &periodic, NULL);
    until_pending(SIGALRM);
    getitimer(ITIMER_REAL, &now);
    observed("pending", "%ld s left, interval %ld s", (long)now.it_value.tv_sec, (long)now.it_interval.tv_sec);
    observed("taken", "%s", take(0));
    observed("code", "%s", code_name(SIGALRM, taken.si_code));
    getitimer(ITIMER_REAL, &now);
    SEE_WHETHER(now.it_value.tv_sec >= 90);
}

RULE(itimer_disarm, "setitimer(2)", "disarming leaves a signal that is pending; no new value disarms, too")
{
    struct itimerval soon = {{0, 0}, {0, 1000}}, none = {{7, 0}, {0, 0}}, now;
    block(SIGALRM);
    setitimer(ITIMER_REAL, &soon, NULL);
    until_pending(SIGALRM);
    SEE(setitimer(ITIMER_REAL, &none, NULL));
    SEE(is_pending(SIGALRM));
    SEE(getitimer(ITIMER_REAL, &now));
    SEE(now.it_interval.tv_sec);
    alarm(100);
    SEE(syscall(SYS_setitimer, ITIMER_REAL, NULL, NULL));
    SEE(alarm(0));
}

RULE(alarm_rounds, "alarm(2)", "what was left is rounded to the nearest second, but never to 0")
{
    struct itimerval half = {{5, 0}, {0, 400000}}, more = {{0, 0}, {7, 990000}}, now;
    setitimer(ITIMER_REAL, &half, NULL);
    SEE(alarm(0));
    SEE(getitimer(ITIMER_REAL, &now));
    SEE(now.it_interval.tv_sec);
    setitimer(ITIMER_REAL, &more, NULL);
    SEE_WHETHER(alarm(100) >= 7);
    SEE_WHETHER(alarm(0) > 90);
    SEE(alarm(0));
}
