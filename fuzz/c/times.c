// Scripts' calls about time: timerfds, POSIX timers, itimers, sleeps.
#include "stage.h"
#include <sys/time.h>

#define UNUSED (void)count
#define RUN(name) void do_##name(struct player *me, const long long *args, int count)

static timer_t timers[TIMERS] = {(timer_t)-1, (timer_t)-1, (timer_t)-1}; // of this process
static int clocks[TIMERS];

static struct variable *variable(long long number) {
    return &variables[(unsigned long long)number % VARIABLES];
}

static long long ns_of(struct timespec time) {
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static struct timespec timespec_of(long long time_ns) {
    return (struct timespec){time_ns / 1000000000, time_ns % 1000000000};
}

static long long clock_ns(int clock) {
    struct timespec now = {0, 0};
    SYS(SYS_clock_gettime, clock, &now);
    return ns_of(now);
}

// FIRST in units as a time-out, INTERVAL in whole units; ABSOLUTE: as an instant of `clock`.
static struct itimerspec setting(long long first, long long interval, bool absolute, int clock) {
    long long first_ns = first > 0 ? timeout_ns(first) + (absolute ? clock_ns(clock) : 0) : 0;
    return (struct itimerspec){timespec_of(interval * stage->unit_ns), timespec_of(first_ns)};
}

static void say_setting(struct player *me, long result, const struct itimerspec *setting) {
    say_result(me, result);
    if (result == 0)
        say(me, "[%lld %lld]", whole_units(ns_of(setting->it_value)), ns_of(setting->it_interval) / stage->unit_ns);
}

// timerfd_settime VARIABLE FIRST INTERVAL ABSOLUTE
RUN(timerfd_settime) {
    UNUSED;
    struct variable *timer = variable(args[0]);
    struct itimerspec old, new = setting(args[1], args[2], args[3], timer->clock);
    say_setting(me, SYS(SYS_timerfd_settime, timer->fd, args[3] ? TFD_TIMER_ABSTIME : 0, &new, &old), &old);
}

RUN(timerfd_gettime) {
    UNUSED;
    struct itimerspec now;
    say_setting(me, SYS(SYS_timerfd_gettime, variable(args[0])->fd, &now), &now);
}

// Signals of a timer for a process with threads may go to any of them.
static bool may_signal_process(struct player *me) {
    for (int i = 0; i < TASKS; i++) {
        struct player *other = &stage->players[i];
        if (other != me && other->process == me->process && (other->state == IDLE || other->state == CALLING)) {
            say(me, " %d:skipped", NUMBER_OF(me));
            return false;
        }
    }
    stage->players[me->process].has_timers = true;
    return true;
}

// timer_create TIMER CLOCK NOTIFY SIGNAL VALUE; NOTIFY is SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD_ID for the caller.
RUN(timer_create) {
    UNUSED;
    struct { int value, rest, signo, notify, tid, more[11]; } event = {args[4], 0, args[3], args[2], me->tid, {0}};
    int timer = args[0] % TIMERS, id = -1;
    if (args[2] == SIGEV_SIGNAL && !may_signal_process(me))
        return;
    long result = SYS(SYS_timer_create, args[1], &event, &id);
    timers[timer] = (timer_t)(long)id;
    clocks[timer] = args[1];
    say_result(me, result);
}

// timer_settime TIMER FIRST INTERVAL ABSOLUTE
RUN(timer_settime) {
    UNUSED;
    int timer = args[0] % TIMERS;
    struct itimerspec old, new = setting(args[1], args[2], args[3], clocks[timer]);
    say_setting(me, SYS(SYS_timer_settime, timers[timer], args[3] ? TIMER_ABSTIME : 0, &new, &old), &old);
}

RUN(timer_gettime) {
    UNUSED;
    struct itimerspec now;
    say_setting(me, SYS(SYS_timer_gettime, timers[args[0] % TIMERS], &now), &now);
}

RUN(timer_getoverrun) {
    UNUSED;
    say_result(me, SYS(SYS_timer_getoverrun, timers[args[0] % TIMERS]));
}

RUN(timer_delete) {
    UNUSED;
    say_result(me, SYS(SYS_timer_delete, timers[args[0] % TIMERS]));
}

static struct timeval timeval_of(long long time_ns) {
    return (struct timeval){time_ns / 1000000000, time_ns % 1000000000 / 1000};
}

static void say_itimer(struct player *me, long result, const struct itimerval *setting) {
    struct itimerspec precise = {
        {setting->it_interval.tv_sec, setting->it_interval.tv_usec * 1000},
        {setting->it_value.tv_sec, setting->it_value.tv_usec * 1000},
    };
    say_setting(me, result, &precise);
}

RUN(setitimer) {
    UNUSED;
    struct itimerval old = {{0, 0}, {0, 0}};
    struct itimerval new = {timeval_of(args[1] * stage->unit_ns), timeval_of(args[0] > 0 ? timeout_ns(args[0]) : 0)};
    if (may_signal_process(me))
        say_itimer(me, SYS(SYS_setitimer, ITIMER_REAL, &new, &old), &old);
}

RUN(getitimer) {
    UNUSED, (void)args;
    struct itimerval now = {{0, 0}, {0, 0}};
    say_itimer(me, SYS(SYS_getitimer, ITIMER_REAL, &now), &now);
}

// A sleep has half a unit more than whole ones left at a mark, and nothing more when a timer's signal ends it.
static void say_left(struct player *me, struct timespec left) {
    say(me, "[%lld]", (ns_of(left) + stage->unit_ns / 4) / stage->unit_ns);
}

RUN(nanosleep) {
    UNUSED;
    struct timespec span, left = {0, 0};
    long result = SYS(SYS_nanosleep, timeout_of(&span, args[0]), &left);
    say_result(me, result);
    if (result == -EINTR)
        say_left(me, left);
}

// clock_nanosleep CLOCK ABSOLUTE UNITS
RUN(clock_nanosleep) {
    UNUSED;
    struct timespec left = {0, 0}, span = timespec_of(timeout_ns(args[2]) + (args[1] ? clock_ns(args[0]) : 0));
    long result = SYS(SYS_clock_nanosleep, args[0], args[1] ? TIMER_ABSTIME : 0, &span, &left);
    say_result(me, result);
    if (result == -EINTR && !args[1])
        say_left(me, left);
}

static uint32_t *word(long long number) {
    return &stage->words[(unsigned long long)number % WORDS];
}

RUN(store) {
    UNUSED;
    *word(args[0]) = args[1];
    say_result(me, 0);
}

RUN(futex_wait) {
    UNUSED;
    struct timespec span;
    say_result(me, SYS(SYS_futex, word(args[0]), FUTEX_WAIT, args[1], timeout_of(&span, args[2])));
}

RUN(futex_wake) {
    UNUSED;
    say_result(me, SYS(SYS_futex, word(args[0]), FUTEX_WAKE, args[1]));
}

// futex_requeue FROM WAKE TO MOVE EXPECTED
RUN(futex_requeue) {
    UNUSED;
    say_result(me, SYS(SYS_futex, word(args[0]), FUTEX_CMP_REQUEUE, args[1], args[3], word(args[2]), args[4]));
}

// futex_wait_bitset WORD EXPECTED UNITS BITS: until an instant of CLOCK_MONOTONIC.
RUN(futex_wait_bitset) {
    UNUSED;
    struct timespec until = timespec_of(timeout_ns(args[2]) + clock_ns(CLOCK_MONOTONIC));
    say_result(me, SYS(SYS_futex, word(args[0]), FUTEX_WAIT_BITSET, args[1], args[2] < 0 ? NULL : &until, 0, args[3]));
}

RUN(futex_wake_bitset) {
    UNUSED;
    say_result(me, SYS(SYS_futex, word(args[0]), FUTEX_WAKE_BITSET, args[1], 0, 0, args[2]));
}
