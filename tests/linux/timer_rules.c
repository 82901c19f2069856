/* timer_create(2), setitimer(2): pending and ignored signals of timers, overruns, what a new setting forgets. */
#define _GNU_SOURCE
#include "since.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000L

static void fact(const char *what, long value)
{
    printf("%s: %ld\n", what, value);
}

static void result(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

static void nap(long ms)
{
    struct timespec span = {0, ms * MS};
    while (nanosleep(&span, &span))
        ;
}

static int create(clockid_t clock, int notify, int signo, int tid, int *id)
{
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = notify;
    event.sigev_signo = signo;
    event.sigev_value.sival_int = 77;
    event._sigev_un._tid = tid;
    return syscall(SYS_timer_create, clock, &event, id);
}

static int set(int id, long value_ms, long interval_ms)
{
    struct itimerspec spec = {{interval_ms / 1000, interval_ms % 1000 * MS}, {value_ms / 1000, value_ms % 1000 * MS}};
    return syscall(SYS_timer_settime, id, 0, &spec, NULL);
}

static long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static long left_ns(int id, long *interval_ns)
{
    struct itimerspec spec;
    syscall(SYS_timer_gettime, id, &spec);
    *interval_ns = spec.it_interval.tv_sec * 1000000000L + spec.it_interval.tv_nsec;
    return spec.it_value.tv_sec * 1000000000L + spec.it_value.tv_nsec;
}

static int take(int signo, siginfo_t *info)
{
    sigset_t set;
    struct timespec none = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, signo);
    memset(info, 0, sizeof *info);
    return sigtimedwait(&set, info, &none);
}

/* Take the signal of a timer that began at `start_ns`; `seen` expirations were taken before. Whether its overrun is what
 * the clock says, however late this is; and how many expirations were taken now. */
static int take_periodic(int signo, long start_ns, long interval_ns, long *seen)
{
    siginfo_t info;
    long before = (now_ns() - start_ns) / interval_ns - *seen;
    int taken = take(signo, &info);
    long after = (now_ns() - start_ns) / interval_ns - *seen;
    *seen += info.si_overrun + 1;
    return taken == signo && info.si_overrun + 1 >= before && info.si_overrun + 1 <= after;
}

static int is_pending(int signo)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signo);
}

static int handled;

static void count(int signo)
{
    (void)signo;
    handled++;
}

static void mask(int how, int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    sigprocmask(how, &set, NULL);
}

static void creation(void)
{
    int id, second, third;
    siginfo_t info;

    result("create", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, &id));
    fact("id", id);
    result("create none", create(CLOCK_REALTIME, SIGEV_NONE, 9999, 0, &second));
    fact("id", second);
    result("delete", syscall(SYS_timer_delete, second));
    result("create for this thread", create(CLOCK_BOOTTIME, SIGEV_THREAD_ID | SIGEV_SIGNAL, SIGUSR1, gettid(), &third));
    fact("id", third);
    result("create, SIGEV_THREAD", create(CLOCK_TAI, SIGEV_THREAD, SIGUSR1, 0, &second));
    fact("id", second);
    result("create, signal 0", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, 0, &second));
    result("create, signal 65", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, 0, &second));
    result("create, no such thread", create(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, 1, &second));
    result("create, thread without signal bit 3", create(CLOCK_MONOTONIC, 3, SIGUSR1, 0, &second));
    result("create, wrong notify", create(CLOCK_MONOTONIC, 8, SIGUSR1, 0, &second));
    result("create, wrong clock and notify", create(10, 8, SIGUSR1, 0, &second));
    result("create, raw clock, wrong notify", create(CLOCK_MONOTONIC_RAW, 8, SIGUSR1, 0, &second));
    result("create, bad event", syscall(SYS_timer_create, CLOCK_MONOTONIC, (void *)16, &second));
    result("create, wrong clock, bad event", syscall(SYS_timer_create, 10, (void *)16, &second));
    result("create, bad id pointer", create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0, (void *)16));
    result("create, default", syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &second));
    fact("id", second);
    mask(SIG_BLOCK, SIGALRM);
    set(second, 1, 0);
    nap(3);
    fact("took", take(SIGALRM, &info));
    printf("code %d, its id %d, value %d, overrun %d\n", info.si_code, info.si_timerid == second,
           info.si_value.sival_int - second, info.si_overrun);
    result("settime, no such timer", set(99, 1, 1));
    result("settime, null", syscall(SYS_timer_settime, 99, 0, NULL, NULL));
    result("settime, bad pointer", syscall(SYS_timer_settime, 99, 0, (void *)16, NULL));
    struct itimerspec wrong = {{0, 0}, {0, 1000000000}}, wrong_interval = {{0, -1}, {0, 0}}, good = {{0, 0}, {100, 0}};
    result("settime, wrong value", syscall(SYS_timer_settime, 99, 0, &wrong, NULL));
    result("settime, wrong interval", syscall(SYS_timer_settime, second, 0, &wrong_interval, NULL));
    result("settime, other flags", syscall(SYS_timer_settime, second, 8, &good, NULL));
    result("settime, bad old pointer", syscall(SYS_timer_settime, second, 0, &good, (void *)16));
    long interval;
    fact("armed all the same", left_ns(second, &interval) > 0);
    result("gettime, no such timer", syscall(SYS_timer_gettime, 99, &good));
    result("gettime, bad pointer", syscall(SYS_timer_gettime, second, (void *)16));
    result("getoverrun, no such timer", syscall(SYS_timer_getoverrun, 99));
    result("delete, no such timer", syscall(SYS_timer_delete, 99));
}

/* A disarmed timer's signal is dropped when it is taken. Older kernels deliver it. */
static void left_behind(const char *what, long taken)
{
    if (linux_since(6, 13))
        result(what, taken);
}

static void pending(void)
{
    int one, two;
    long interval, left;
    siginfo_t info;

    mask(SIG_BLOCK, SIGUSR2);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0, &one);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0, &two);

    set(one, 1, 0);
    set(two, 1, 0);
    nap(3);
    signal(SIGUSR2, count);
    mask(SIG_UNBLOCK, SIGUSR2);
    fact("two timers, one standard signal: handled", handled);
    mask(SIG_BLOCK, SIGUSR2);

    set(one, 1, 0);
    nap(3);
    fact("expired one-shot: left", left_ns(one, &interval));
    set(one, 0, 0);
    fact("pending after it was disarmed", is_pending(SIGUSR2));
    left_behind("taken after it was disarmed", take(SIGUSR2, &info));
    fact("pending after that", is_pending(SIGUSR2));

    set(one, 1, 0);
    nap(3);
    syscall(SYS_timer_delete, one);
    fact("pending after it was deleted", is_pending(SIGUSR2));
    left_behind("taken after it was deleted", take(SIGUSR2, &info));

    long start = now_ns(), seen = 0;
    set(two, 10, 10);
    nap(55);
    left = left_ns(two, &interval);
    fact("periodic and pending: interval", interval);
    fact("left is within the interval", left > 0 && left <= 10 * MS);
    fact("overrun before it is taken", syscall(SYS_timer_getoverrun, two));
    fact("taken with the right overrun", take_periodic(SIGUSR2, start, 10 * MS, &seen));
    fact("the timer says the same", syscall(SYS_timer_getoverrun, two) == seen - 1);
    nap(11);
    fact("taken with the right overrun", take_periodic(SIGUSR2, start, 10 * MS, &seen));
    set(two, 0, 10);
    fact("disarmed: left", left_ns(two, &interval));
    fact("disarmed: interval", interval);
    fact("disarmed: overrun", syscall(SYS_timer_getoverrun, two));

    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    struct itimerspec past = {{0, 100 * MS}, {now.tv_sec - 1, now.tv_nsec}};
    syscall(SYS_timer_settime, two, TIMER_ABSTIME, &past, NULL);
    nap(1);
    fact("absolute and past: taken", take(SIGUSR2, &info));
    fact("overrun", info.si_overrun);
    syscall(SYS_timer_delete, two);
}

static void ignored(void)
{
    int id;
    long interval;
    siginfo_t info;

    signal(SIGUSR2, SIG_IGN);
    mask(SIG_UNBLOCK, SIGUSR2);
    create(CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR2, 0, &id);
    set(id, 10, 10);
    nap(35);
    fact("ignored: overrun", syscall(SYS_timer_getoverrun, id));
    fact("left is within the interval", left_ns(id, &interval) > 0 && left_ns(id, &interval) <= 10 * MS);
    mask(SIG_BLOCK, SIGUSR2);
    handled = 0;
    signal(SIGUSR2, count);
    nap(11);
    fact("not ignored any more: taken", take(SIGUSR2, &info));
    syscall(SYS_timer_delete, id);
}

static void none(void)
{
    int id;
    long interval;

    create(CLOCK_MONOTONIC, SIGEV_NONE, 0, 0, &id);
    fact("never armed: left", left_ns(id, &interval));
    set(id, 900, 0);
    long left = left_ns(id, &interval);
    fact("armed: left", left > 0 && left <= 900 * MS);
    set(id, 10, 0);
    nap(12);
    fact("over: left", left_ns(id, &interval));
    set(id, 10, 10);
    nap(25);
    left = left_ns(id, &interval);
    fact("periodic: left", left > 0 && left <= 10 * MS);
    fact("overrun", syscall(SYS_timer_getoverrun, id));
    set(id, 10000, 0);
    set(id, 0, 0);
    fact("disarmed: left", left_ns(id, &interval) / 1000000000);
    syscall(SYS_timer_delete, id);
}

static void interval_timer(void)
{
    struct itimerval spec = {{0, 60000}, {0, 60000}}, old;
    siginfo_t info;

    mask(SIG_BLOCK, SIGALRM);
    setitimer(ITIMER_REAL, &spec, NULL);
    nap(70);
    getitimer(ITIMER_REAL, &old);
    printf("pending: left %ld, interval %ld\n", (long)old.it_value.tv_usec, (long)old.it_interval.tv_usec);
    fact("taken", take(SIGALRM, &info));
    fact("code", info.si_code);
    getitimer(ITIMER_REAL, &old);
    fact("then: left within the interval", old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 60000);
    fact("taken", take(SIGALRM, &info) > 0);
    nap(61);
    fact("taken", take(SIGALRM, &info));
    signal(SIGALRM, SIG_IGN);
    mask(SIG_UNBLOCK, SIGALRM);
    setitimer(ITIMER_REAL, &spec, NULL);
    nap(70);
    getitimer(ITIMER_REAL, &old);
    printf("ignored: left %ld, interval %ld\n", (long)old.it_value.tv_usec, (long)old.it_interval.tv_usec);
    signal(SIGALRM, count);
    handled = 0;
    nap(70);
    fact("caught again: handled", handled);

    struct itimerval half = {{5, 0}, {0, 400000}}, more = {{0, 0}, {7, 900000}}, less = {{0, 0}, {7, 300000}};
    setitimer(ITIMER_REAL, &half, &old);
    printf("old: left %ld, interval %ld\n", (long)old.it_value.tv_usec, (long)old.it_interval.tv_usec);
    fact("alarm over 0.4 s", alarm(0));
    getitimer(ITIMER_REAL, &old);
    fact("interval after alarm(0)", old.it_interval.tv_sec);
    setitimer(ITIMER_REAL, &more, NULL);
    fact("alarm over 7.9 s", alarm(100));
    setitimer(ITIMER_REAL, &less, &old);
    fact("old left, rounded up", old.it_value.tv_sec + 1);
    fact("alarm over 7.3 s", alarm(0));
    fact("alarm over nothing", alarm(0));
    struct itimerval wrong = {{0, 0}, {0, 1000000}}, wrong_interval = {{-1, 0}, {0, 0}};
    result("wrong value", syscall(SYS_setitimer, ITIMER_REAL, &wrong, NULL));
    result("wrong interval", syscall(SYS_setitimer, ITIMER_REAL, &wrong_interval, NULL));
    result("wrong timer, wrong value", syscall(SYS_setitimer, 5, &wrong, NULL));
    result("wrong timer", syscall(SYS_setitimer, 5, &less, NULL));
    result("wrong timer, bad pointer", syscall(SYS_setitimer, 5, (void *)16, NULL));
    result("get, wrong timer, bad pointer", syscall(SYS_getitimer, 5, (void *)16));
    result("get, bad pointer", syscall(SYS_getitimer, ITIMER_REAL, (void *)16));
    result("set, bad old pointer", syscall(SYS_setitimer, ITIMER_REAL, &less, (void *)16));
    fact("set all the same", alarm(0));
    setitimer(ITIMER_REAL, &less, NULL);
    result("set from null", syscall(SYS_setitimer, ITIMER_REAL, NULL, &old));
    fact("old", old.it_value.tv_sec);
    fact("it is off", alarm(0));
}

int main(void)
{
    creation();
    pending();
    ignored();
    none();
    interval_timer();
    return 0;
}
