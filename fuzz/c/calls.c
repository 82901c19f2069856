// The calls of scripts by name, and what they have in common: who may wait for what, how results are written.
#include "stage.h"

struct variable variables[VARIABLES] = {[0 ... VARIABLES - 1] = {-1, 0, 0}};

uint64_t closure(uint64_t objects) {
    for (uint64_t before = 0; before != objects;) {
        before = objects;
        for (int i = 0; i < OBJECTS; i++)
            if (objects >> i & 1)
                objects |= stage->watched[i];
    }
    return objects;
}

// Who wakes first if two tasks sleep for the same thing and one takes it is not promised: such a call is not made.
bool may_wait(struct player *me, uint64_t waits_for, uint64_t takes) {
    for (int i = 0; i < TASKS; i++) {
        struct player *other = &stage->players[i];
        if (other != me && other->state == CALLING && (other->takes & waits_for || takes & other->waits_for)) {
            say(me, " %d:skipped", NUMBER_OF(me));
            return false;
        }
    }
    me->takes = takes;
    me->waits_for = waits_for;
    return true;
}

// A time-out of n units ends in the middle of the n-th unit from now; -1: never.
long long timeout_ns(long long units) {
    if (units <= 0)
        return units;
    start_clock();
    return (units - 1) * stage->unit_ns + stage->unit_ns / 2;
}

struct timespec *timeout_of(struct timespec *span, long long units) {
    long long span_ns = timeout_ns(units);
    if (span_ns < 0)
        return NULL;
    *span = (struct timespec){span_ns / 1000000000, span_ns % 1000000000};
    return span;
}

long long whole_units(long long span_ns) {
    return span_ns > 0 ? span_ns / stage->unit_ns + 1 : 0;
}

void say_result(struct player *me, long result) {
    int number = NUMBER_OF(me);
    if (result < 0 && result > -4096)
        say(me, " %d=-%s", number, strerrorname_np(-result));
    else
        say(me, " %d=%ld", number, result);
}

static int write_siginfo(char *text, int room, const siginfo_t *info) {
    const char *sender = name_of(info->si_pid);
    if (info->si_code == SI_TIMER)
        return snprintf(text, room, "(%d TIMER overrun %d value %d)", info->si_signo, info->si_overrun, info->si_int);
    if (info->si_signo == SIGCHLD && info->si_code > 0)
        return snprintf(text, room, "(%d code %d from %s status %d)", info->si_signo, info->si_code, sender, info->si_status);
    int value = info->si_code == SI_QUEUE ? info->si_int : 0;
    return snprintf(text, room, "(%d code %d from %s value %d)", info->si_signo, info->si_code, sender, value);
}

void say_siginfo(struct player *me, const siginfo_t *info) {
    char text[200];
    write_siginfo(text, sizeof text, info);
    say(me, "%s", text);
}

// Runs of handlers are written apart: whether they come before or after the call has returned is not promised.
void hear(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    struct player *me = myself();
    if (!me)
        return;
    char text[200];
    write_siginfo(text, sizeof text, info);
    int room = (int)sizeof me->heard - me->heard_length;
    int length = snprintf(me->heard + me->heard_length, room, " %d^%s", NUMBER_OF(me), text);
    me->heard_length += length < room ? length : room - 1;
}

static void advance(struct player *me, const long long *args, int count) {
    (void)me, (void)args, (void)count;
}

#define CALL(name) {#name, do_##name}
const struct call CALLS[] = {
    {"advance", advance}, CALL(eventfd2), CALL(timerfd_create), CALL(timerfd_settime), CALL(timerfd_gettime),
    CALL(signalfd4), CALL(epoll_create1), CALL(pipe2), CALL(socketpair), CALL(dup), CALL(dup2), CALL(close), CALL(fcntl),
    CALL(read), CALL(write), CALL(read8), CALL(write8), CALL(read_siginfo), CALL(poll), CALL(ppoll), CALL(select),
    CALL(pselect6), CALL(epoll_ctl), CALL(epoll_wait), CALL(epoll_pwait), CALL(epoll_pwait2), CALL(rt_sigprocmask),
    CALL(rt_sigpending), CALL(rt_sigaction), CALL(rt_sigsuspend), CALL(rt_sigtimedwait), CALL(pause), CALL(kill),
    CALL(tgkill), CALL(rt_sigqueueinfo), CALL(timer_create), CALL(timer_settime), CALL(timer_gettime),
    CALL(timer_getoverrun), CALL(timer_delete), CALL(setitimer), CALL(getitimer), CALL(nanosleep), CALL(clock_nanosleep),
    CALL(store), CALL(futex_wait), CALL(futex_wake), CALL(futex_requeue), CALL(futex_wait_bitset),
    CALL(futex_wake_bitset), CALL(thread), CALL(fork), CALL(exit), CALL(waitid), {NULL, NULL},
};
