/* timer_create(2) on clocks of CPU time: what computing uses, and sleeping does not. */
#include "contract.h"
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>

static timer_t timer;
static volatile sig_atomic_t seen, enough;

static void note(int signo)
{
    (void)signo;
    seen++;
}

static struct itimerspec after_ms(long value, long interval)
{
    return (struct itimerspec){{interval / 1000, interval % 1000 * MS}, {value / 1000, value % 1000 * MS}};
}

static long long read_ns(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) < 0)
        cannot_start("clock_gettime");
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* A timer that sends SIGUSR1, which is handled. */
static void create(clockid_t clock)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    signal(SIGUSR1, note);
    seen = 0;
    if (timer_create(clock, &event, &timer) < 0)
        cannot_start("timer_create");
}

static void set(long value, long interval)
{
    struct itimerspec setting = after_ms(value, interval);
    timer_settime(timer, 0, &setting, NULL);
}

static void compute_until(int count)
{
    while (seen < count)
        for (volatile int i = 0; i < 1000; i++)
            ;
}

static void *compute_ms(void *ms)
{
    long long end = read_ns(CLOCK_THREAD_CPUTIME_ID) + (long)ms * MS;
    while (read_ns(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
    return NULL;
}

static void *compute_on(void *arg)
{
    while (!enough)
        sched_yield();
    return arg;
}

RULE(created, "timer_create(2)", "on the CPU time of a process or of a thread of one's own; EINVAL for others")
{
    clockid_t clock;
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    pid_t parent = getppid();
    SEE(timer_create(CLOCK_PROCESS_CPUTIME_ID, &none, &timer));
    SEE(timer_create(CLOCK_THREAD_CPUTIME_ID, &none, &timer));
    SEE(pthread_getcpuclockid(pthread_self(), &clock));
    SEE(timer_create(clock, &none, &timer));
    SEE(clock_getcpuclockid(0, &clock));
    SEE(timer_create(clock, &none, &timer));
    SEE(syscall(SYS_timer_create, ~parent << 3 | 6, &none, &timer));
    SEE(syscall(SYS_timer_create, -0x2000000 | 6, &none, &timer));
    SEE(syscall(SYS_timer_create, 2, 16, &timer));
    SEE(syscall(SYS_timer_create, 2, &none, 16));
}

RULE(setting, "timer_settime(2)", "what is left is told, 0 when disarmed, and the old setting")
{
    struct itimerspec setting = after_ms(3000, 2000), old;
    create(CLOCK_PROCESS_CPUTIME_ID);
    SEE(timer_gettime(timer, &old));
    SEE_WHETHER(!old.it_value.tv_sec && !old.it_value.tv_nsec && !old.it_interval.tv_sec);
    SEE(timer_settime(timer, 0, &setting, NULL));
    SEE(timer_gettime(timer, &old));
    SEE(old.it_interval.tv_sec);
    SEE_WHETHER(old.it_value.tv_sec >= 1 && old.it_value.tv_sec <= 3);
    setting = after_ms(0, 1000);
    SEE(timer_settime(timer, 0, &setting, &old));
    SEE_WHETHER(old.it_value.tv_sec >= 1 && old.it_value.tv_sec <= 3);
    SEE(timer_gettime(timer, &old));
    SEE_WHETHER(!old.it_value.tv_sec && !old.it_value.tv_nsec && !old.it_interval.tv_sec);
    setting.it_value.tv_nsec = -1;
    SEE(timer_settime(timer, 0, &setting, &old));
    SEE(timer_getoverrun(timer));
    SEE(timer_delete(timer));
}

RULE(expires, "timer_settime(2)", "a signal comes when so much has been computed, and not before; again after each interval")
{
    create(CLOCK_PROCESS_CPUTIME_ID);
    long long start = read_ns(CLOCK_PROCESS_CPUTIME_ID);
    set(20, 0);
    compute_until(1);
    SEE_WHETHER(read_ns(CLOCK_PROCESS_CPUTIME_ID) - start >= 20 * MS);
    create(CLOCK_THREAD_CPUTIME_ID);
    start = read_ns(CLOCK_THREAD_CPUTIME_ID);
    set(10, 10);
    compute_until(3);
    SEE_WHETHER(read_ns(CLOCK_THREAD_CPUTIME_ID) - start >= 30 * MS);
    SEE_WHETHER(timer_getoverrun(timer) >= 0);
}

RULE(sleeping, "timer_settime(2)", "sleeping takes no CPU time")
{
    create(CLOCK_PROCESS_CPUTIME_ID);
    set(100, 0);
    nap(150);
    SEE(seen);
    compute_until(1);
    SEE(seen);
}

RULE(absolute, "timer_settime(2)", "TIMER_ABSTIME: an instant that has passed is now")
{
    struct itimerspec setting = {{0, 0}, {0, 1}};
    create(CLOCK_PROCESS_CPUTIME_ID);
    SEE(timer_settime(timer, TIMER_ABSTIME, &setting, NULL));
    SEE(seen);
    long long end = read_ns(CLOCK_PROCESS_CPUTIME_ID) + 20 * MS;
    setting.it_value = (struct timespec){end / 1000000000, end % 1000000000};
    SEE(timer_settime(timer, TIMER_ABSTIME, &setting, NULL));
    compute_until(2);
    SEE_WHETHER(read_ns(CLOCK_PROCESS_CPUTIME_ID) >= end);
}

RULE(threads, "timer_create(2)", "what another thread computes counts for the process, and not for a thread")
{
    pthread_t thread;
    create(CLOCK_THREAD_CPUTIME_ID);
    set(200, 0);
    pthread_create(&thread, NULL, compute_ms, (void *)300);
    pthread_join(thread, NULL);
    SEE(seen);
    create(CLOCK_PROCESS_CPUTIME_ID);
    set(20, 0);
    pthread_create(&thread, NULL, compute_ms, (void *)100);
    pthread_join(thread, NULL);
    SEE(seen);
}

RULE(children, "timer_create(2)", "a child's CPU time can be timed; ESRCH and nothing left once it is reaped")
{
    clockid_t clock;
    struct itimerspec setting = after_ms(20, 0);
    sigset_t usr1;
    int signo;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            ;
    SEE(clock_getcpuclockid(child, &clock));
    create(clock);
    SEE(timer_settime(timer, 0, &setting, NULL));
    SEE(sigwait(&usr1, &signo));
    SEE_WHETHER(read_ns(clock) >= 20 * MS);
    setting = after_ms(1000, 0);
    SEE(timer_settime(timer, 0, &setting, NULL));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    SEE(timer_gettime(timer, &setting));
    SEE_WHETHER(!setting.it_value.tv_sec && !setting.it_value.tv_nsec);
    setting = after_ms(1000, 0);
    SEE(timer_settime(timer, 0, &setting, NULL));
    SEE(timer_delete(timer));
    SEE(syscall(SYS_timer_create, clock, NULL, &timer));
}

RULE(slept_for, "clock_nanosleep(2)", "until a thread or child has computed so much; EINVAL for one's own time")
{
    clockid_t clock;
    pthread_t thread;
    struct timespec span = {0, 20 * MS}, left;
    pthread_getcpuclockid(pthread_self(), &clock);
    SEE_ERROR(clock_nanosleep(clock, 0, &span, NULL));
    pthread_create(&thread, NULL, compute_on, NULL);
    long long start = read_ns(CLOCK_PROCESS_CPUTIME_ID);
    SEE_ERROR(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &span, NULL));
    SEE_WHETHER(read_ns(CLOCK_PROCESS_CPUTIME_ID) - start >= 20 * MS);
    enough = 1;
    pthread_join(thread, NULL);
    enough = 0;
    SEE_ERROR(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &span, NULL));
    pid_t child = fork();
    if (child == 0)
        compute_on(NULL);
    clock_getcpuclockid(child, &clock);
    SEE_ERROR(clock_nanosleep(clock, TIMER_ABSTIME, &span, NULL));
    SEE_WHETHER(read_ns(clock) >= 20 * MS);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    SEE_ERROR(clock_nanosleep(clock, 0, &span, NULL));
    signal(SIGUSR1, note);
    child = fork();
    if (child == 0) {
        span.tv_sec = 10;
        SEE_ERROR(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &span, &left));
        SEE_WHETHER(left.tv_sec > 8 && left.tv_sec <= 10);
        _exit(0);
    }
    until_asleep(child);
    kill(child, SIGUSR1);
    waitpid(child, NULL, 0);
}

RULE(silent, "timer_create(2)", "SIGEV_NONE: what is left is told, down to 0")
{
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    struct itimerspec setting;
    timer_create(CLOCK_THREAD_CPUTIME_ID, &none, &timer);
    set(10, 0);
    compute_ms((void *)30);
    SEE(timer_gettime(timer, &setting));
    SEE_WHETHER(!setting.it_value.tv_sec && !setting.it_value.tv_nsec);
}
