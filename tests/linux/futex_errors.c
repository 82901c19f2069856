/* futex(2): the order in which arguments are checked, and what calls without a waiter return. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t words[16];

static void fact(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

static long futex(void *uaddr, int op, uint32_t val, const void *timeout, void *uaddr2, uint32_t val3)
{
    return syscall(SYS_futex, uaddr, op, val, timeout, uaddr2, val3);
}

#define OP(op, oparg, cmp, cmparg) (((op) << 28) | ((cmp) << 24) | (((oparg) & 0xfff) << 12) | ((cmparg) & 0xfff))

static void wake_op(const char *what, uint32_t before, uint32_t encoded)
{
    words[1] = before;
    long result = futex(&words[0], FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, (void *)1, &words[1], encoded);
    printf("wake_op %s: %ld %s, word %#x\n", what, result, result < 0 ? strerrorname_np(errno) : "", words[1]);
}

int main(void)
{
    char *unaligned = (char *)words + 1;
    void *nowhere = (void *)16;
    void *kernel_half = (void *)0xffff800000000000;
    struct timespec soon = {0, 1000}, wrong = {0, 1000000000}, negative = {-1, 0};

    fact("wait, mismatch", futex(words, FUTEX_WAIT, 1, NULL, NULL, 0));
    fact("wait, unaligned", futex(unaligned, FUTEX_WAIT, 1, NULL, NULL, 0));
    fact("wait, unmapped", futex(nowhere, FUTEX_WAIT, 1, NULL, NULL, 0));
    fact("wait private, unmapped", futex(nowhere, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0));
    fact("wait, bad timeout pointer, unaligned", futex(unaligned, FUTEX_WAIT, 1, nowhere, NULL, 0));
    fact("wait, nanoseconds too large", futex(words, FUTEX_WAIT, 1, &wrong, NULL, 0));
    fact("wait, negative timeout", futex(words, FUTEX_WAIT, 1, &negative, NULL, 0));
    fact("wait, realtime", futex(words, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &soon, NULL, 0));
    fact("wait, realtime, wrong timeout", futex(words, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, &wrong, NULL, 0));
    fact("wait, times out", futex(words, FUTEX_WAIT, 0, &soon, NULL, 0));
    fact("wait_bitset 0", futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    fact("wait_bitset, past", futex(words, FUTEX_WAIT_BITSET, 0, &soon, NULL, ~0u));
    fact("wait_bitset, past, mismatch", futex(words, FUTEX_WAIT_BITSET, 1, &soon, NULL, ~0u));
    fact("wait_bitset, realtime, past", futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &soon, NULL, ~0u));
    fact("wake", futex(words, FUTEX_WAKE, 1, NULL, NULL, 0));
    fact("wake, realtime", futex(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    fact("wake, unaligned", futex(unaligned, FUTEX_WAKE, 1, NULL, NULL, 0));
    fact("wake, unmapped", futex(nowhere, FUTEX_WAKE, 1, NULL, NULL, 0));
    fact("wake private, unmapped", futex(nowhere, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    fact("wake private, kernel's half", futex(kernel_half, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
    fact("wake_bitset 0", futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    fact("requeue", futex(words, FUTEX_REQUEUE, 1, (void *)1, &words[2], 0));
    fact("requeue, negative wake", futex(words, FUTEX_REQUEUE, -1, (void *)1, &words[2], 0));
    fact("requeue, negative requeue", futex(words, FUTEX_REQUEUE, 1, (void *)-1, unaligned, 0));
    fact("requeue, unaligned", futex(words, FUTEX_REQUEUE, 1, (void *)1, unaligned, 0));
    fact("cmp_requeue, mismatch", futex(words, FUTEX_CMP_REQUEUE, 1, (void *)1, &words[2], 1));
    fact("cmp_requeue private, unmapped first", futex(nowhere, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &words[2], 1));
    fact("cmp_requeue private, unmapped second", futex(words, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, nowhere, 0));
    fact("wake_op, unmapped second", futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, nowhere, OP(1, 1, 0, 0)));
    fact("wake_op, unaligned second", futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, unaligned, OP(1, 1, 0, 0)));

    void *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    fact("wake_op, read-only second", futex(words, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, readonly, OP(1, 1, 0, 0)));
    fact("unknown command", futex(words, 63, 0, NULL, NULL, 0));
    fact("unknown flag", futex(words, FUTEX_WAKE | 0x200, 0, NULL, NULL, 0));
    fact("FUTEX_FD", futex(words, FUTEX_FD, 0, NULL, NULL, 0));

    wake_op("set", 7, OP(FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ, 0));
    wake_op("set negative", 7, OP(FUTEX_OP_SET, -1, FUTEX_OP_CMP_EQ, 0));
    wake_op("add", 7, OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_NE, 0));
    wake_op("add, around", 0xffffffff, OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_LT, 0));
    wake_op("or", 7, OP(FUTEX_OP_OR, 0x100, FUTEX_OP_CMP_LE, 0));
    wake_op("andn", 7, OP(FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_GT, 0));
    wake_op("xor", 7, OP(FUTEX_OP_XOR, 0xf, FUTEX_OP_CMP_GE, 0));
    wake_op("or shifted", 7, OP(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31, FUTEX_OP_CMP_LE, 0));
    wake_op("or shifted too far", 0, OP(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 33, FUTEX_OP_CMP_LE, 0));
    wake_op("or shifted by -1", 0, OP(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, -1, FUTEX_OP_CMP_LE, 0));
    wake_op("unknown operation", 7, OP(5, 1, FUTEX_OP_CMP_EQ, 0));
    wake_op("unknown comparison", 7, OP(FUTEX_OP_ADD, 1, 6, 0));

    words[0] = 0;
    fact("trylock_pi, free", futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    printf("the word is my tid: %d\n", words[0] == (uint32_t)gettid());
    fact("trylock_pi, mine", futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    fact("lock_pi, mine", futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    fact("unlock_pi", futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    printf("the word: %#x\n", words[0]);
    fact("unlock_pi, not mine", futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    fact("unlock_pi, unaligned", futex(unaligned, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    fact("unlock_pi, unmapped", futex(nowhere, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    words[0] = 0x3fffffff;
    fact("lock_pi, owner is nobody", futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    printf("the word: %#x\n", words[0]);
    words[0] = 0x3fffffff;
    fact("trylock_pi, owner is nobody", futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    words[0] = FUTEX_OWNER_DIED;
    fact("lock_pi, owner died", futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    printf("the word without my tid: %#x\n", words[0] & ~(uint32_t)gettid());
    words[0] = FUTEX_WAITERS;
    fact("trylock_pi, free with waiters", futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    printf("the word without my tid: %#x\n", words[0] & ~(uint32_t)gettid());
    fact("lock_pi, wrong timeout", futex(words, FUTEX_LOCK_PI, 0, &wrong, NULL, 0));
    fact("lock_pi, realtime", futex(words, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    fact("lock_pi2, realtime, mine", futex(words, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    fact("trylock_pi, wrong timeout", futex(words, FUTEX_TRYLOCK_PI, 0, &wrong, NULL, 0));
    return 0;
}
