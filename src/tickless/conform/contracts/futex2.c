/* futex_waitv(2), futex_wake, futex_wait, futex_requeue: the calls of Linux 5.16 and 6.7: order of checks, who is woken. */
#include "contract.h"
#include "futex_abi.h"
#include <pthread.h>
#include <sched.h>

/* asm-generic/unistd.h, linux/futex.h: newer than most libcs. */
enum { WAITV = 449, WAKE = 454, WAIT = 455, REQUEUE = 456, U32 = 2, PRIVATE = 0x80 };

struct waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static uint32_t words[4];
static const struct timespec PAST = {0, 1}, WRONG = {0, SECOND};

static struct waitv on(void *word, uint64_t value, uint32_t flags)
{
    return (struct waitv){value, (uintptr_t)word, flags, 0};
}

static long waitv(struct waitv *waits, unsigned count, unsigned flags, const struct timespec *until, int clock)
{
    return syscall(WAITV, waits, count, flags, until, clock);
}

static long wake(void *word, long mask, int count, int flags)
{
    return syscall(WAKE, word, mask, count, flags);
}

static long wait_on(long value, long mask, int flags, const struct timespec *until, int clock)
{
    return syscall(WAIT, words, value, mask, flags, until, clock);
}

/* A requeue onto itself counts who waits on a word, and leaves them as they are. */
static void await_waiter(uint32_t *word)
{
    while (syscall(SYS_futex, word, FUTEX_REQUEUE | FUTEX_PRIVATE_FLAG, 0, 99, word, 0) == 0)
        sched_yield();
}

static void *wait_for_three(void *unused)
{
    struct waitv all[3] = {on(&words[0], 0, U32 | PRIVATE), on(&words[1], 0, U32 | PRIVATE), on(&words[2], 0, U32 | PRIVATE)};
    (void)unused;
    return (void *)waitv(all, 3, 0, NULL, 0);
}

static void *wait_for_bit_two(void *unused)
{
    (void)unused;
    return (void *)wait_on(0, 2, U32 | PRIVATE, NULL, 0);
}

RULE(wake_arguments, "futex_wake(2)", "EINVAL for no bits, bits beyond 32, another size, unknown flags; then for an odd address")
{
    since(6, 7);
    SEE(wake(words, 1, 1, U32));
    SEE(wake(words, 0, 1, U32));
    SEE(wake(words, 1L << 32, 1, U32));
    SEE(wake(words, 1, 1, 0));
    SEE(wake(words, 1, 1, U32 | 0x10));
    SEE(wake((char *)words + 1, 1, 0, U32));
    SEE(wake((void *)16, 1, 1, U32));
    SEE(wake((void *)16, 1, 1, U32 | PRIVATE));
}

RULE(wait_arguments, "futex_wait(2)", "EINVAL for a value beyond 32 bits and for no bits; a mismatch is EAGAIN")
{
    since(6, 7);
    SEE(wait_on(1, 1, U32, NULL, 0));
    SEE(wait_on(1L << 32, 1, U32, NULL, 0));
    SEE(wait_on(1, 0, U32, NULL, 0));
    SEE(wait_on(1, 1, U32 | 0x10, NULL, 0));
}

RULE(wait_clock, "futex_wait(2)", "the clock is looked at only with a time-out, before the time; a past instant is ETIMEDOUT")
{
    since(6, 7);
    SEE(wait_on(1, 1, U32, NULL, 7));
    SEE(wait_on(1, 1, U32, &PAST, 7));
    SEE(wait_on(1, 1, U32, (void *)16, 7));
    SEE(wait_on(1, 1, U32, (void *)16, CLOCK_MONOTONIC));
    SEE(wait_on(1, 0, U32, &WRONG, CLOCK_REALTIME));
    SEE(wait_on(0, 1, U32, &PAST, CLOCK_MONOTONIC));
    SEE(wait_on(0, 1, U32, &PAST, CLOCK_REALTIME));
}

RULE(wait_not_before, "futex_wait(2)", "a wait ends not before its instant, on either clock, and with EINTR for a handler")
{
    static const int clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    since(6, 7);
    for (int i = 0; i < 2; i++) {
        int64_t at = now_ns(clocks[i]) + 5 * MS;
        struct timespec until = {at / SECOND, at % SECOND};
        SEE(wait_on(0, 1, U32 | PRIVATE, &until, clocks[i]));
        SEE_WHETHER(now_ns(clocks[i]) >= at);
    }
    SEE_BLOCKED(wait_on(0, 1, U32 | PRIVATE, NULL, 0));
}

RULE(waitv_arguments, "futex_waitv(2)", "EINVAL for no waits, more than 128, flags and a null pointer; a bad one is EFAULT after the time")
{
    struct waitv good = on(words, 0, U32);
    SEE(waitv(&good, 0, 0, NULL, 0));
    SEE(waitv(NULL, 1, 0, NULL, 0));
    SEE(waitv(&good, 129, 0, NULL, 0));
    SEE(waitv(&good, 1, 1, NULL, 0));
    SEE(waitv((void *)16, 1, 0, NULL, 0));
    SEE(waitv((void *)16, 1, 0, &WRONG, 0));
    SEE(waitv(&good, 1, 0, &PAST, 7));
}

RULE(waitv_entries, "futex_waitv(2)", "EINVAL for reserved bits, an odd address, another size, an unknown flag")
{
    struct waitv reserved = on(words, 0, U32), odd = on((char *)words + 1, 0, U32);
    struct waitv size = on(words, 0, 3), flag = on(words, 0, U32 | 0x10), nowhere = on((void *)16, 0, U32);
    reserved.reserved = 1;
    SEE(waitv(&reserved, 1, 0, NULL, 0));
    SEE(waitv(&odd, 1, 0, NULL, 0));
    SEE(waitv(&size, 1, 0, NULL, 0));
    SEE(waitv(&flag, 1, 0, NULL, 0));
    SEE(waitv(&nowhere, 1, 0, NULL, 0));
}

RULE(waitv_large_value, "futex_waitv(2)", "EINVAL for a value beyond 32 bits")
{
    since(6, 7);
    struct waitv large = on(words, 1L << 32, U32);
    SEE(waitv(&large, 1, 0, NULL, 0));
}

RULE(waitv_values, "futex_waitv(2)", "EAGAIN if one word is another; ETIMEDOUT for a past instant")
{
    struct waitv two[2] = {on(words, 0, U32), on(words, 1, U32)};
    SEE(waitv(two, 2, 0, NULL, 0));
    SEE(waitv(two, 1, 0, &PAST, CLOCK_MONOTONIC));
    SEE(waitv(two, 1, 0, &PAST, CLOCK_REALTIME));
    SEE_BLOCKED(waitv(two, 1, 0, NULL, 0));
}

RULE(waitv_tells_which, "futex_waitv(2)", "it tells which word was woken, and waits on none of them afterwards; a wake of 0 wakes none")
{
    pthread_t thread;
    void *result;
    since(6, 7);
    pthread_create(&thread, NULL, wait_for_three, NULL);
    await_waiter(&words[2]);
    SEE(wake(&words[1], 1, 0, U32 | PRIVATE));
    SEE(wake(&words[1], 1, 1, U32 | PRIVATE));
    pthread_join(thread, &result);
    observed("the wait", "%ld", (long)result);
    SEE(wake(&words[0], 1, 1, U32 | PRIVATE));
}

RULE(bits_and_old_wakes, "futex_wake(2)", "a wake finds who has a bit in common, the old call finds them all")
{
    pthread_t thread;
    void *result;
    since(6, 7);
    pthread_create(&thread, NULL, wait_for_bit_two, NULL);
    await_waiter(words);
    SEE(wake(words, 1, 1, U32 | PRIVATE));
    SEE(wake(words, 2, 1, U32));
    SEE(syscall(SYS_futex, words, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1));
    pthread_join(thread, &result);
    observed("the wait", "%ld", (long)result);
}

RULE(requeue_arguments, "futex_requeue(2)", "EINVAL for flags, a null pointer and negative counts, which come after a bad array; EAGAIN")
{
    struct waitv two[2] = {on(words, 0, U32), on(words + 1, 1, U32)};
    since(6, 7);
    SEE(syscall(REQUEUE, two, 0, 1, 1));
    SEE(syscall(REQUEUE, two, 1, 1, 1));
    SEE(syscall(REQUEUE, NULL, 0, 1, 1));
    SEE(syscall(REQUEUE, (void *)16, 0, -1, 1));
    SEE(syscall(REQUEUE, two, 0, -1, 1));
    SEE(syscall(REQUEUE, two, 0, 1, -1));
    two[0].value = 1;
    SEE(syscall(REQUEUE, two, 0, 1, 1));
}

RULE(requeue_moves, "futex_requeue(2)", "a moved waiter is found at the other word, whose value does not matter")
{
    struct waitv move[2] = {on(words, 0, U32 | PRIVATE), on(&words[3], 9, U32 | PRIVATE)};
    pthread_t thread;
    void *result;
    since(6, 7);
    pthread_create(&thread, NULL, wait_for_bit_two, NULL);
    await_waiter(words);
    SEE(syscall(REQUEUE, move, 0, 0, 1));
    SEE(wake(words, 3, 1, U32 | PRIVATE));
    SEE(wake(&words[3], 3, 1, U32 | PRIVATE));
    pthread_join(thread, &result);
    observed("the wait", "%ld", (long)result);
}
