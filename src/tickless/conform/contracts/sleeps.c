/* clock_gettime(2), nanosleep(2), clock_nanosleep(2): which clocks there are, the order of checks, what a signal leaves. */
#include "contract.h"
#include <sys/time.h>

#define NOWHERE ((void *)16)
#define CPU_CLOCK_OF(pid) ((clockid_t)(~(unsigned)(pid) << 3 | 2))

static struct timespec time_seen, wrong = {0, SECOND}, none;

static const int CLOCKS[] = {0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15};
#define EACH(clock) (unsigned i = 0, clock = 0; i < sizeof CLOCKS / sizeof *CLOCKS && ((clock = CLOCKS[i]), 1); i++)

static const char *outcome(long result)
{
    return result < 0 ? errno_name(errno) : "0";
}

static void show(const char *what, unsigned clock, long result)
{
    char line[40];
    memcpy(line, "clock 00, ", 10);
    line[6] = '0' + clock / 10, line[7] = '0' + clock % 10;
    strcpy(line + 10, what);
    observed(line, "%s", outcome(result));
}

RULE(clocks_to_read, "clock_gettime(2)", "which clocks can be read; EINVAL for the others, before the pointer is looked at")
{
    for EACH(clock)
        show("read", clock, syscall(SYS_clock_gettime, clock, &time_seen));
    SEE(syscall(SYS_clock_gettime, 99, NOWHERE));
    SEE(syscall(SYS_clock_gettime, -1, NOWHERE));
    SEE(syscall(SYS_clock_gettime, CLOCK_REALTIME, NOWHERE));
    SEE(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, NULL));
}

RULE(resolutions, "clock_getres(2)", "a null pointer is fine; a clock that is not there is EINVAL")
{
    for EACH(clock)
        show("resolution", clock, syscall(SYS_clock_getres, clock, NULL));
    SEE(syscall(SYS_clock_getres, CLOCK_MONOTONIC, &time_seen));
    SEE(time_seen.tv_nsec);
    SEE(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NOWHERE));
    SEE(syscall(SYS_clock_getres, 99, NULL));
}

RULE(clocks_to_set, "clock_settime(2)", "EINVAL for clocks that cannot be set, before the time is read")
{
    SEE(syscall(SYS_clock_settime, CLOCK_MONOTONIC, NOWHERE));
    SEE(syscall(SYS_clock_settime, CLOCK_MONOTONIC_RAW, NOWHERE));
    SEE(syscall(SYS_clock_settime, CLOCK_TAI, &wrong));
    SEE(syscall(SYS_clock_settime, 99, NOWHERE));
    SEE(syscall(SYS_clock_settime, CLOCK_REALTIME, NOWHERE));
    SEE(syscall(SYS_clock_settime, CLOCK_REALTIME, &wrong));
}

RULE(cpu_clocks_of_others, "clock_gettime(2)", "a clock of a process that is not there is EINVAL; one's own can be read")
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    SEE(syscall(SYS_clock_gettime, CPU_CLOCK_OF(child), &time_seen));
    SEE(syscall(SYS_clock_getres, CPU_CLOCK_OF(child), &time_seen));
    SEE(syscall(SYS_clock_gettime, CPU_CLOCK_OF(getpid()), &time_seen));
    SEE(syscall(SYS_clock_gettime, CPU_CLOCK_OF(0), &time_seen));
    SEE(syscall(SYS_clock_settime, CPU_CLOCK_OF(0), &none));
    SEE(clock_getcpuclockid(child, &(clockid_t){0}) != 0);
}

RULE(never_back, "clock_gettime(2)", "a clock does not go back, and the coarse one is not ahead")
{
    int64_t before = now_ns(CLOCK_MONOTONIC), coarse = now_ns(CLOCK_MONOTONIC_COARSE);
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) >= before);
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) >= coarse);
    SEE_WHETHER(now_ns(CLOCK_BOOTTIME) >= before);
    SEE_WHETHER(now_ns(CLOCK_THREAD_CPUTIME_ID) <= now_ns(CLOCK_PROCESS_CPUTIME_ID));
}

RULE(time_of_day, "gettimeofday(2)", "either pointer may be null; EFAULT for a bad one; it is CLOCK_REALTIME")
{
    struct timeval day;
    SEE(syscall(SYS_gettimeofday, NULL, NULL));
    SEE(syscall(SYS_gettimeofday, NOWHERE, NULL));
    SEE(syscall(SYS_gettimeofday, NULL, NOWHERE));
    int64_t before = now_ns(CLOCK_REALTIME) / 1000;
    SEE(syscall(SYS_gettimeofday, &day, NULL));
    SEE_WHETHER(day.tv_sec * 1000000L + day.tv_usec >= before);
}

RULE(set_time_of_day, "settimeofday(2)", "the time is read and its microseconds checked before the zone, the rest after it")
{
    struct timeval million = {0, 1000000}, more = {0, 1000001}, negative = {-1, 0};
    SEE(syscall(SYS_settimeofday, &million, NULL));
    SEE(syscall(SYS_settimeofday, &more, NOWHERE));
    SEE(syscall(SYS_settimeofday, &million, NOWHERE));
    SEE(syscall(SYS_settimeofday, &negative, NULL));
    SEE(syscall(SYS_settimeofday, NOWHERE, NULL));
}

RULE(sleep_errors, "nanosleep(2)", "EFAULT for a bad time, EINVAL for one that is none; remain is not touched without a signal")
{
    struct timespec negative = {-1, 0}, negative_ns = {0, -1};
    SEE(syscall(SYS_nanosleep, NOWHERE, NULL));
    SEE(syscall(SYS_nanosleep, NULL, NULL));
    SEE(syscall(SYS_nanosleep, &wrong, NULL));
    SEE(syscall(SYS_nanosleep, &negative, NULL));
    SEE(syscall(SYS_nanosleep, &negative_ns, NULL));
    SEE(syscall(SYS_nanosleep, &none, NOWHERE));
}

RULE(clocks_to_sleep_on, "clock_nanosleep(2)", "EINVAL for no clock, ENOTSUP for one without timers, before the time is read")
{
    for EACH(clock)
        if (clock != CLOCK_PROCESS_CPUTIME_ID)
            show("sleep", clock, syscall(SYS_clock_nanosleep, clock, 0, NOWHERE, NULL));
    SEE(syscall(SYS_clock_nanosleep, 99, 0, NOWHERE, NULL));
}

RULE(cpu_clocks, "clock_nanosleep(2)", "a thread's CPU clock is ENOTSUP, against the page; the process' one reads the time first")
{
    struct timespec span = {0, MS};
    SEE(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &span, NULL));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, &wrong, NULL));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_PROCESS_CPUTIME_ID, 0, NOWHERE, NULL));
}

RULE(unknown_flags, "clock_nanosleep(2)", "unknown flags are ignored, against the page")
{
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 8, &none, NULL));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, -1, &none, NULL));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 2, &wrong, NULL));
}

RULE(absolute, "clock_nanosleep(2)", "an instant in the past ends at once; one before the epoch is EINVAL")
{
    struct timespec negative = {-1, 0};
    SEE(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &none, NULL));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &none, NOWHERE));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &negative, NULL));
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &wrong, NULL));
}

RULE(not_before, "clock_nanosleep(2)", "a sleep ends not before its time, on each clock")
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI};
    for (int i = 0; i < 4; i++) {
        int64_t until = now_ns(clocks[i]) + 2 * MS;
        struct timespec at = {until / SECOND, until % SECOND}, span = {0, 2 * MS};
        SEE(syscall(SYS_clock_nanosleep, clocks[i], TIMER_ABSTIME, &at, NULL));
        SEE_WHETHER(now_ns(clocks[i]) >= until);
        int64_t start = now_ns(clocks[i]);
        SEE(syscall(SYS_clock_nanosleep, clocks[i], 0, &span, NULL));
        SEE_WHETHER(now_ns(clocks[i]) - start >= 2 * MS);
    }
}

static void alarm_soon(int flags)
{
    struct itimerval soon = {{0, 0}, {0, 5000}};
    count_signal(SIGALRM, flags);
    setitimer(ITIMER_REAL, &soon, NULL);
}

static struct timespec span = {30, 0}, left;

static void show_left(void)
{
    SEE_WHETHER(left.tv_sec >= 1 && left.tv_sec < 30);
    SEE_WHETHER(left.tv_nsec >= 0 && left.tv_nsec < SECOND);
    SEE(signals_counted);
}

RULE(interrupted, "nanosleep(2)", "a handler ends it with EINTR, with SA_RESTART too, and what is left is told")
{
    alarm_soon(0);
    SEE(syscall(SYS_nanosleep, &span, &left));
    show_left();
    alarm_soon(SA_RESTART);
    SEE(syscall(SYS_nanosleep, &span, &left));
    show_left();
}

RULE(interrupted_on_a_clock, "clock_nanosleep(2)", "a handler ends it with EINTR; what is left is told of a span only")
{
    alarm_soon(SA_RESTART);
    SEE(syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &span, &left));
    show_left();
    struct timespec far = {INT32_MAX, 0};
    left.tv_sec = left.tv_nsec = 77;
    alarm_soon(0);
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &far, &left));
    SEE(left.tv_sec);
    alarm_soon(0);
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &far, NOWHERE));
}

RULE(absolute_with_restart, "clock_nanosleep(2)", "a handler ends a sleep until an instant with EINTR, with SA_RESTART too")
{
    struct timespec far = {INT32_MAX, 0};
    alarm_soon(SA_RESTART);
    SEE(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &far, NULL));
}

RULE(bad_remain, "nanosleep(2)", "an interrupted sleep that cannot say what is left is EFAULT")
{
    alarm_soon(0);
    SEE(syscall(SYS_nanosleep, &span, NOWHERE));
    alarm_soon(0);
    SEE(syscall(SYS_nanosleep, &span, NULL));
}

RULE(remain_over_request, "nanosleep(2)", "what is left may be written over what was asked for")
{
    struct timespec both = {30, 0};
    alarm_soon(0);
    SEE(syscall(SYS_nanosleep, &both, &both));
    SEE_WHETHER(both.tv_sec < 30);
}

RULE(stopped_sleep, "nanosleep(2)", "a stop and a continue do not end a sleep, and do not make it longer")
{
    pid_t child = fork();
    if (child == 0) {
        struct timespec nap = {0, 30 * MS};
        int64_t start = now_ns(CLOCK_MONOTONIC);
        SEE(syscall(SYS_nanosleep, &nap, NULL));
        SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 30 * MS);
        _exit(0);
    }
    until_asleep(child);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    kill(child, SIGCONT);
    waitpid(child, NULL, 0);
}

RULE(ignored_signal, "nanosleep(2)", "a signal that is ignored does not end a sleep")
{
    pid_t parent = getpid(), child;
    struct timespec nap = {0, 20 * MS};
    signal(SIGUSR1, SIG_IGN);
    if ((child = fork()) == 0) {
        until_asleep(parent);
        kill(parent, SIGUSR1);
        kill(parent, SIGURG);
        _exit(0);
    }
    SEE(syscall(SYS_nanosleep, &nap, NULL));
    waitpid(child, NULL, 0);
}

RULE(restart_without_a_sleep, "restart_syscall(2)", "EINTR if there is nothing to go on with")
{
    SEE(syscall(SYS_restart_syscall));
}

RULE(no_yield_no_error, "sched_yield(2)", "it always succeeds")
{
    SEE(syscall(SYS_sched_yield));
}

RULE(infinite, "nanosleep(2)", "the longest span is a sleep, not an error")
{
    struct timespec longest = {INT64_MAX, SECOND - 1};
    SEE_BLOCKED(syscall(SYS_nanosleep, &longest, NULL));
    SEE_BLOCKED(syscall(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &longest, NULL));
}
