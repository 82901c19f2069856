/* clock_gettime(2), clock_settime(2), clock_nanosleep(2), adjtimex(2): which clocks there are, and the order of checks.
 * Nothing here sets the clock, whoever runs it. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static void *nowhere = (void *)16;

static void fact(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

static long error_of(long result)
{
    return result < 0 ? errno : 0;
}

static void every_clock(void)
{
    /* 8 and 9 need a battery-backed clock, 16 and above are new, -5 stands for a device. */
    static const int clocks[] = {-3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15};
    struct timespec time, resolution, wrong = {0, 2000000000};

    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        int clock = clocks[i];
        struct timex state;
        memset(&state, 0, sizeof state);
        memset(&resolution, 0, sizeof resolution);
        long get = error_of(syscall(SYS_clock_gettime, clock, &time));
        long getres = error_of(syscall(SYS_clock_getres, clock, &resolution));
        long set = error_of(syscall(SYS_clock_settime, clock, &wrong));
        long adjust = error_of(syscall(SYS_clock_adjtime, clock, &state));
        printf("clock %d: get %ld, resolution %ld, set %ld, adjust %ld\n", clock, get, getres, set, adjust);
    }
    for (unsigned i = 3; i < sizeof clocks / sizeof *clocks; i++) {
        if (clocks[i] == CLOCK_PROCESS_CPUTIME_ID)
            continue;
        printf("clock %d: wrong sleep %ld\n", clocks[i], error_of(syscall(SYS_clock_nanosleep, clocks[i], 0, &wrong, NULL)));
    }
}

static void pointers(void)
{
    struct timespec time = {0, 0};
    struct timeval wrong = {0, 1000000}, very_wrong = {0, 1000001}, negative = {-1, 0};

    fact("gettime, bad pointer", syscall(SYS_clock_gettime, 0, nowhere));
    fact("gettime, wrong clock, bad pointer", syscall(SYS_clock_gettime, 99, nowhere));
    fact("getres, null", syscall(SYS_clock_getres, 0, NULL));
    fact("getres, bad pointer", syscall(SYS_clock_getres, 0, nowhere));
    fact("settime, monotonic, bad pointer", syscall(SYS_clock_settime, 1, nowhere));
    fact("settime, bad pointer", syscall(SYS_clock_settime, 0, nowhere));
    fact("adjtime, wrong clock, bad pointer", syscall(SYS_clock_adjtime, 99, nowhere));
    fact("adjtimex, bad pointer", syscall(SYS_adjtimex, nowhere));
    fact("gettimeofday, bad pointer", syscall(SYS_gettimeofday, nowhere, NULL));
    fact("gettimeofday, bad zone", syscall(SYS_gettimeofday, NULL, nowhere));
    fact("gettimeofday, nulls", syscall(SYS_gettimeofday, NULL, NULL));
    fact("settimeofday, nulls", syscall(SYS_settimeofday, NULL, NULL));
    fact("settimeofday, wrong", syscall(SYS_settimeofday, &wrong, NULL));
    fact("settimeofday, very wrong, bad zone", syscall(SYS_settimeofday, &very_wrong, nowhere));
    fact("settimeofday, wrong, bad zone", syscall(SYS_settimeofday, &wrong, nowhere));
    fact("settimeofday, negative", syscall(SYS_settimeofday, &negative, NULL));
    fact("settimeofday, bad pointer", syscall(SYS_settimeofday, nowhere, NULL));
#ifdef SYS_time
    fact("time, bad pointer", syscall(SYS_time, nowhere));
#endif
    fact("sysinfo, bad pointer", syscall(SYS_sysinfo, nowhere));
    fact("nanosleep, bad pointer", syscall(SYS_nanosleep, nowhere, NULL));
    fact("nanosleep of 0, bad remaining", syscall(SYS_nanosleep, &time, nowhere));
    fact("clock_nanosleep, wrong clock, bad pointer", syscall(SYS_clock_nanosleep, 99, 0, nowhere, NULL));
    fact("clock_nanosleep, raw clock, bad pointer", syscall(SYS_clock_nanosleep, 4, 0, nowhere, NULL));
    fact("clock_nanosleep, unknown flags", syscall(SYS_clock_nanosleep, 1, 8, &time, NULL));
    fact("clock_nanosleep, past", syscall(SYS_clock_nanosleep, 0, TIMER_ABSTIME, &time, NULL));
    fact("restart_syscall", syscall(SYS_restart_syscall));
    fact("sched_yield", syscall(SYS_sched_yield));
    struct timex state;
    memset(&state, 0, sizeof state);
    state.modes = 0x8000;
    fact("adjtimex, adjtime without offset", syscall(SYS_adjtimex, &state));
}

static void handler(int signo)
{
    (void)signo;
}

/* What an interrupted sleep says is left: the call's result, and whether it is about what the signal after 0.1 s left of 0.3 s. */
static void interrupted(const char *what, int flags, long call, int absolute)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    struct itimerval alarm = {{0, 0}, {0, 100000}};
    struct timespec span = {0, 300000000}, left = {-1, -1};

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &alarm, NULL);
    if (absolute) {
        clock_gettime(CLOCK_MONOTONIC, &span);
        span.tv_sec++;
    }
    long result = call == SYS_nanosleep ? syscall(call, &span, &left)
                                        : syscall(call, CLOCK_MONOTONIC, absolute ? TIMER_ABSTIME : 0, &span, &left);
    long error = error_of(result);
    printf("%s: %ld %ld, left %ld s and about right %d\n", what, result, error, (long)left.tv_sec,
           left.tv_nsec > 0 && left.tv_nsec < 260000000);
}

int main(void)
{
    every_clock();
    pointers();
    interrupted("nanosleep", 0, SYS_nanosleep, 0);
    interrupted("nanosleep, SA_RESTART", SA_RESTART, SYS_nanosleep, 0);
    interrupted("clock_nanosleep", 0, SYS_clock_nanosleep, 0);
    interrupted("clock_nanosleep, absolute", SA_RESTART, SYS_clock_nanosleep, 1);
    struct itimerval alarm = {{0, 0}, {0, 100000}};
    struct timespec span = {0, 300000000};
    signal(SIGALRM, handler);
    setitimer(ITIMER_REAL, &alarm, NULL);
    fact("nanosleep, interrupted, bad remaining", syscall(SYS_nanosleep, &span, nowhere));
    return 0;
}
