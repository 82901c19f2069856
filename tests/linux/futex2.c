/* futex_waitv, futex_wake, futex_wait, futex_requeue: the order of checks, and who is woken. */
#define _GNU_SOURCE
#include "since.h"
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WAITV 449
#define WAKE 454
#define WAIT 455
#define REQUEUE 456
#define U32 2
#define PRIVATE 0x80

struct waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static uint32_t words[4];
static char *unaligned = (char *)words + 1;
static void *nowhere = (void *)16;

static void fact(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

/* A requeue onto itself counts who waits on a word, and leaves them as they are. */
static void await_waiter(uint32_t *word)
{
    while (syscall(SYS_futex, word, FUTEX_REQUEUE_PRIVATE, 0, 99, word, 0) == 0)
        sched_yield();
}

static void *wait_for_three(void *unused)
{
    struct waitv all[3] = {{0, (uintptr_t)&words[0], U32 | PRIVATE, 0},
                           {0, (uintptr_t)&words[1], U32 | PRIVATE, 0},
                           {0, (uintptr_t)&words[2], U32 | PRIVATE, 0}};
    (void)unused;
    return (void *)syscall(WAITV, all, 3, 0, NULL, 0);
}

static void *wait_for_one(void *unused)
{
    (void)unused;
    return (void *)syscall(WAIT, words, 0L, 2L, U32 | PRIVATE, NULL, 0);
}

int main(void)
{
    struct timespec soon = {0, 1}, wrong = {0, 1000000000};
    struct waitv good = {0, (uintptr_t)words, U32, 0}, other = {1, (uintptr_t)words, U32, 0};
    struct waitv two[2] = {good, other}, reserved = {0, (uintptr_t)words, U32, 1}, large = {1L << 32, (uintptr_t)words, U32, 0};
    struct waitv odd = {0, (uintptr_t)unaligned, U32, 0}, size = {0, (uintptr_t)words, 3, 0}, flag = {0, (uintptr_t)words, U32 | 0x10, 0};
    pthread_t thread;
    void *result;

    if (!linux_since(6, 7)) {
        puts("futex_wake, futex_wait, futex_requeue: not before Linux 6.7");
        return 0;
    }
    fact("wake", syscall(WAKE, words, 1L, 1, U32));
    fact("wake, mask 0", syscall(WAKE, words, 0L, 1, U32));
    fact("wake, large mask", syscall(WAKE, words, 1L << 32, 1, U32));
    fact("wake, 8 bits", syscall(WAKE, words, 1L, 1, 0));
    fact("wake, unknown flag", syscall(WAKE, words, 1L, 1, U32 | 0x10));
    fact("wake, unaligned", syscall(WAKE, unaligned, 1L, 0, U32));
    fact("wait, other value", syscall(WAIT, words, 1L, 1L, U32, NULL, 0));
    fact("wait, large value", syscall(WAIT, words, 1L << 32, 1L, U32, NULL, 0));
    fact("wait, mask 0", syscall(WAIT, words, 1L, 0L, U32, NULL, 0));
    fact("wait, wrong clock, no timeout", syscall(WAIT, words, 1L, 1L, U32, NULL, 7));
    fact("wait, wrong clock", syscall(WAIT, words, 1L, 1L, U32, &soon, 7));
    fact("wait, wrong clock, bad timeout", syscall(WAIT, words, 1L, 1L, U32, nowhere, 7));
    fact("wait, wrong timeout, mask 0", syscall(WAIT, words, 1L, 0L, U32, &wrong, 0));
    fact("wait, past", syscall(WAIT, words, 0L, 1L, U32, &soon, 1));
    fact("waitv, none", syscall(WAITV, &good, 0, 0, NULL, 0));
    fact("waitv, null", syscall(WAITV, NULL, 1, 0, NULL, 0));
    fact("waitv, too many", syscall(WAITV, &good, 129, 0, NULL, 0));
    fact("waitv, flags", syscall(WAITV, &good, 1, 1, NULL, 0));
    fact("waitv, bad pointer", syscall(WAITV, nowhere, 1, 0, NULL, 0));
    fact("waitv, bad pointer, wrong timeout", syscall(WAITV, nowhere, 1, 0, &wrong, 0));
    fact("waitv, past", syscall(WAITV, &good, 1, 0, &soon, 1));
    fact("waitv, another value", syscall(WAITV, two, 2, 0, NULL, 0));
    fact("waitv, reserved", syscall(WAITV, &reserved, 1, 0, NULL, 0));
    fact("waitv, large value", syscall(WAITV, &large, 1, 0, NULL, 0));
    fact("waitv, unaligned", syscall(WAITV, &odd, 1, 0, NULL, 0));
    fact("waitv, 64 bits", syscall(WAITV, &size, 1, 0, NULL, 0));
    fact("waitv, unknown flag", syscall(WAITV, &flag, 1, 0, NULL, 0));
    fact("requeue", syscall(REQUEUE, two, 0, 1, 1));
    fact("requeue, flags", syscall(REQUEUE, two, 1, 1, 1));
    fact("requeue, null", syscall(REQUEUE, NULL, 0, 1, 1));
    fact("requeue, negative, bad pointer", syscall(REQUEUE, nowhere, 0, -1, 1));
    fact("requeue, negative", syscall(REQUEUE, two, 0, -1, 1));
    two[0].value = 1;
    fact("requeue, another value", syscall(REQUEUE, two, 0, 1, 1));

    pthread_create(&thread, NULL, wait_for_three, NULL);
    await_waiter(&words[2]);
    fact("wake none", syscall(WAKE, &words[1], 1L, 0, U32 | PRIVATE));
    fact("wake the second", syscall(WAKE, &words[1], 1L, 1, U32 | PRIVATE));
    pthread_join(thread, &result);
    fact("waitv", (long)result);
    fact("wake the first", syscall(WAKE, &words[0], 1L, 1, U32 | PRIVATE));

    pthread_create(&thread, NULL, wait_for_one, NULL);
    await_waiter(words);
    fact("wake another bit", syscall(WAKE, words, 1L, 1, U32 | PRIVATE));
    struct waitv move[2] = {{0, (uintptr_t)words, U32 | PRIVATE, 0}, {9, (uintptr_t)&words[3], U32 | PRIVATE, 0}};
    fact("requeue", syscall(REQUEUE, move, 0, 0, 1));
    fact("wake where it was", syscall(WAKE, words, 3L, 1, U32 | PRIVATE));
    fact("wake where it went", syscall(WAKE, &words[3], 3L, 1, U32 | PRIVATE));
    pthread_join(thread, &result);
    fact("wait", (long)result);
    return 0;
}
