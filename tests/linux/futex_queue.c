/* futex(2) with waiters: who is woken, how many are counted, and where a private and a shared futex differ. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint32_t words[16];
static char order[64];
static int reserved, arrived;

struct waiter {
    char name;
    uint32_t *word;
    int op;
    uint32_t bitset;
    pthread_t thread;
    long result;
};

static long futex(void *uaddr, int op, uint32_t val, const void *timeout, void *uaddr2, uint32_t val3)
{
    return syscall(SYS_futex, uaddr, op, val, timeout, uaddr2, val3);
}

static void *wait_here(void *argument)
{
    struct waiter *me = argument;
    me->result = futex(me->word, me->op, 0, NULL, NULL, me->bitset);
    order[__atomic_fetch_add(&reserved, 1, __ATOMIC_SEQ_CST)] = me->name;
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* How many wait on a word: a requeue onto itself counts them, and leaves them as they are. */
static long waiting(struct waiter *waiter)
{
    int op = FUTEX_REQUEUE | (waiter->op & FUTEX_PRIVATE_FLAG);
    return futex(waiter->word, op, 0, (void *)99, waiter->word, 0);
}

static void start(struct waiter *waiter)
{
    long before = waiting(waiter);
    pthread_create(&waiter->thread, NULL, wait_here, waiter);
    while (waiting(waiter) == before)
        sched_yield();
}

static int compare(const void *a, const void *b)
{
    return *(const char *)a - *(const char *)b;
}

/* Sorted: who of several woken threads runs first is the scheduler's choice. */
static void report(const char *what, long result, int woken)
{
    int error = errno;
    while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < woken)
        sched_yield();
    qsort(order, arrived, 1, compare);
    printf("%s: %ld %s woken \"%s\"\n", what, result, result < 0 ? strerrorname_np(error) : "", order);
    memset(order, 0, sizeof order);
    reserved = arrived = 0;
}

static void waiters(int count, uint32_t *word, int op, struct waiter *all)
{
    for (int i = 0; i < count; i++) {
        all[i] = (struct waiter){'a' + i, word, op, ~0u, 0, 0};
        start(&all[i]);
    }
}

static void join(int count, struct waiter *all)
{
    for (int i = 0; i < count; i++)
        pthread_join(all[i].thread, NULL);
}

int main(void)
{
    struct waiter all[8];

    waiters(4, words, FUTEX_WAIT_PRIVATE, all);
    report("shared wake of private waiters", futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 0);
    report("wake 0", futex(words, FUTEX_WAKE_PRIVATE, 0, NULL, NULL, 0), 1);
    report("wake -1", futex(words, FUTEX_WAKE_PRIVATE, -1, NULL, NULL, 0), 1);
    report("wake 9", futex(words, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0), 2);
    join(4, all);

    waiters(4, words, FUTEX_WAIT, all);
    report("requeue 1 + 2", futex(words, FUTEX_REQUEUE, 1, (void *)2, &words[4], 0), 1);
    report("wake where they went", futex(&words[4], FUTEX_WAKE, 9, NULL, NULL, 0), 2);
    report("wake where they were", futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
    join(4, all);

    waiters(4, words, FUTEX_WAIT, all);
    report("cmp_requeue 0 + 3", futex(words, FUTEX_CMP_REQUEUE, 0, (void *)3, &words[4], 0), 0);
    report("wake where they were", futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
    report("wake 2 where they went", futex(&words[4], FUTEX_WAKE, 2, NULL, NULL, 0), 2);
    report("the rest", futex(&words[4], FUTEX_WAKE, 2, NULL, NULL, 0), 1);
    join(4, all);

    waiters(3, words, FUTEX_WAIT, all);
    report("requeue onto itself", futex(words, FUTEX_REQUEUE, 0, (void *)1, words, 0), 0);
    report("wake 1", futex(words, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    report("the rest", futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 2);
    join(3, all);

    for (int i = 0; i < 3; i++) {
        all[i] = (struct waiter){'a' + i, words, FUTEX_WAIT_BITSET, 1u << i, 0, 0};
        start(&all[i]);
    }
    report("wake_bitset 4", futex(words, FUTEX_WAKE_BITSET, 9, NULL, NULL, 4), 1);
    report("wake_bitset 3, one", futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 3), 1);
    report("wake_bitset 8", futex(words, FUTEX_WAKE_BITSET, 9, NULL, NULL, 8), 0);
    report("wake", futex(words, FUTEX_WAKE, 9, NULL, NULL, 0), 1);
    join(3, all);

    waiters(2, words, FUTEX_WAIT_PRIVATE, all);
    words[1] = 5;
    for (int i = 2; i < 4; i++) {
        all[i] = (struct waiter){'a' + i, &words[2], FUTEX_WAIT_PRIVATE, ~0u, 0, 0};
        start(&all[i]);
    }
    words[2] = 5;
    int unequal = FUTEX_OP_ADD << 28 | FUTEX_OP_CMP_EQ << 24 | 1 << 12 | 4;
    report("wake_op, comparison false", futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)9, &words[2], unequal), 1);
    int equal = FUTEX_OP_ADD << 28 | FUTEX_OP_CMP_EQ << 24 | 1 << 12 | 6;
    report("wake_op, comparison true", futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &words[2], equal), 2);
    report("wake_op, the rest", futex(words, FUTEX_WAKE_OP_PRIVATE, 0, (void *)0, &words[2], equal + 1), 1);
    join(4, all);
    printf("the word: %u\n", words[2]);
    return 0;
}
