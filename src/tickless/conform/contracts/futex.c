/* futex(2): the order of checks, who is counted and woken, FUTEX_WAKE_OP, and PI futexes without a fight. */
#include "contract.h"
#include "futex_abi.h"
#include <sys/mman.h>

#define NOWHERE ((void *)16)
#define ONE ((void *)1)

static uint32_t words[16] __attribute__((aligned(64)));
#define UNALIGNED ((char *)words + 1)
static const struct timespec SHORT = {0, 1000}, WRONG = {0, SECOND}, NEGATIVE = {-1, 0}, LONG_AGO = {1, 0};

static long futex(void *word, int op, uint32_t val, const void *timeout, void *word2, uint32_t val3)
{
    return syscall(SYS_futex, word, op, val, timeout, word2, val3);
}

/* A child that waits on a shared word, which is left to the parent to wake; its status is what the wait gave. */
static pid_t waiter(uint32_t *word, int op, uint32_t bitset)
{
    pid_t child = fork();
    if (child == 0)
        _exit(futex(word, op, *word, NULL, NULL, bitset) == 0 ? 0 : errno);
    until_asleep(child);
    return child;
}

static int ended(pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}

static uint32_t *shared_words(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        cannot_start("mmap");
    return page;
}

RULE(wait_mismatch, "futex(2)", "another value is EAGAIN; a bad or unaligned word is found before that")
{
    SEE(futex(words, FUTEX_WAIT, 1, NULL, NULL, 0));
    SEE(futex(UNALIGNED, FUTEX_WAIT, 1, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAIT, 1, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    SEE(futex(NULL, FUTEX_WAIT, 0, NULL, NULL, 0));
    SEE(futex((void *)0xffff800000000000, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0));
}

RULE(wait_timeout_first, "futex(2)", "the time-out is read and checked before the word and the bits")
{
    SEE(futex(UNALIGNED, FUTEX_WAIT, 1, NOWHERE, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAIT, 1, &WRONG, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAIT_BITSET, 1, NOWHERE, NULL, 0));
    SEE(futex(words, FUTEX_WAIT_BITSET, 1, &WRONG, NULL, 0));
    SEE(futex(words, FUTEX_WAIT, 1, &NEGATIVE, NULL, 0));
}

RULE(wait_times_out, "futex(2)", "FUTEX_WAIT takes a span, FUTEX_WAIT_BITSET an instant; a value that differs wins over the past")
{
    SEE(futex(words, FUTEX_WAIT, 0, &SHORT, NULL, 0));
    SEE(futex(words, FUTEX_WAIT_BITSET, 0, &LONG_AGO, NULL, ~0U));
    SEE(futex(words, FUTEX_WAIT_BITSET, 1, &LONG_AGO, NULL, ~0U));
    SEE(futex(words, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &LONG_AGO, NULL, ~0U));
}

RULE(wait_span_of_0, "futex(2)", "a span of 0 is ETIMEDOUT, a mismatch still EAGAIN")
{
    struct timespec none = {0, 0};
    SEE(futex(words, FUTEX_WAIT, 0, &none, NULL, 0));
    SEE(futex(words, FUTEX_WAIT, 1, &none, NULL, 0));
}

RULE(wait_not_before, "futex(2)", "a wait does not end before its span is over")
{
    struct timespec span = {0, 3 * MS};
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(futex(words, FUTEX_WAIT, 0, &span, NULL, 0));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 3 * MS);
}

RULE(clock_flag, "futex(2)", "FUTEX_CLOCK_REALTIME is ENOSYS for a wake, FUTEX_LOCK_PI and, against the page, FUTEX_WAIT")
{
    SEE(futex(words, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    SEE(futex(words, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
    SEE(futex(words, FUTEX_REQUEUE | FUTEX_CLOCK_REALTIME, 1, NULL, words, 0));
    SEE(futex(words, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    SEE(futex(words, FUTEX_TRYLOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
}

RULE(no_bits, "futex(2)", "bits of 0 are EINVAL, before the word is looked at")
{
    SEE(futex(words, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
    SEE(futex(words, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
}

RULE(interrupted, "futex(2)", "a handler ends a wait with EINTR")
{
    SEE_BLOCKED(futex(words, FUTEX_WAIT, 0, NULL, NULL, 0));
    SEE_BLOCKED(futex(words, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 4));
}

RULE(wake_errors, "futex(2)", "a wake of nobody is 0; a private word need not be there, a shared one must")
{
    SEE(futex(words, FUTEX_WAKE, 1, NULL, NULL, 0));
    SEE(futex(UNALIGNED, FUTEX_WAKE, 1, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAKE, 1, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
    SEE(futex((void *)0xffff800000000000, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0));
}

RULE(wakes_at_least_one, "futex(2)", "FUTEX_WAKE of 0 or a negative number wakes one, against the page")
{
    uint32_t *word = shared_words();
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        children[i] = waiter(word, FUTEX_WAIT, 0);
    SEE(futex(word, FUTEX_WAKE, 0, NULL, NULL, 0));
    SEE(futex(word, FUTEX_WAKE, -1, NULL, NULL, 0));
    SEE(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        SEE(ended(children[i]));
}

RULE(private_and_shared, "futex(2)", "a private wake finds no shared waiter in shared memory")
{
    uint32_t *word = shared_words();
    pid_t child = waiter(word, FUTEX_WAIT, 0);
    SEE(futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9, NULL, NULL, 0));
    SEE(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0));
    SEE(ended(child));
}

RULE(same_page_elsewhere, "futex(2)", "shared memory that is mapped twice has the same word at both places")
{
    int fd = open("page", O_RDWR | O_CREAT, 0600);
    if (ftruncate(fd, 4096) < 0)
        cannot_start("ftruncate");
    uint32_t *here = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    uint32_t *there = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    pid_t child = waiter(here, FUTEX_WAIT, 0);
    SEE(futex(there + 1, FUTEX_WAKE, 9, NULL, NULL, 0));
    SEE(futex(there, FUTEX_WAKE, 9, NULL, NULL, 0));
    SEE(ended(child));
}

RULE(private_memory_after_fork, "futex(2)", "a word in private memory is another one in a child")
{
    pid_t child = waiter(words, FUTEX_WAIT, 0);
    SEE(futex(words, FUTEX_WAKE, 9, NULL, NULL, 0));
    SEE(kill(child, SIGKILL));
    waitpid(child, NULL, 0);
}

RULE(by_bits, "futex(2)", "a wake finds those whose bits have one in common; FUTEX_WAIT has them all")
{
    uint32_t *word = shared_words();
    pid_t one = waiter(word, FUTEX_WAIT_BITSET, 1), two = waiter(word, FUTEX_WAIT_BITSET, 2), all = waiter(word, FUTEX_WAIT, 0);
    SEE(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2));
    SEE(ended(two));
    SEE(ended(all));
    SEE(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 8));
    SEE(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0));
    SEE(ended(one));
}

RULE(requeue_errors, "futex(2)", "negative counts are EINVAL before the words are looked at; both words are checked")
{
    SEE(futex(words, FUTEX_REQUEUE, 1, ONE, &words[2], 0));
    SEE(futex(NOWHERE, FUTEX_REQUEUE, -1, ONE, &words[2], 0));
    SEE(futex(NOWHERE, FUTEX_REQUEUE, 1, (void *)-1, UNALIGNED, 0));
    SEE(futex(words, FUTEX_REQUEUE, 1, ONE, UNALIGNED, 0));
    SEE(futex(words, FUTEX_REQUEUE, 1, ONE, NOWHERE, 0));
    SEE(futex(NOWHERE, FUTEX_REQUEUE, 1, ONE, UNALIGNED, 0));
    SEE(futex(words, FUTEX_CMP_REQUEUE, 1, ONE, &words[2], 1));
    SEE(futex(words, FUTEX_CMP_REQUEUE, 1, ONE, UNALIGNED, 1));
    SEE(futex(NOWHERE, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, ONE, &words[2], 1));
    SEE(futex(words, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, ONE, NOWHERE, 0));
}

RULE(requeue_counts, "futex(2)", "FUTEX_REQUEUE counts the woken and the moved; 0 wakes none here")
{
    uint32_t *word = shared_words();
    pid_t children[3];
    for (int i = 0; i < 3; i++)
        children[i] = waiter(word, FUTEX_WAIT, 0);
    SEE(futex(word, FUTEX_CMP_REQUEUE, 0, ONE, word + 1, 7));
    SEE(futex(word, FUTEX_CMP_REQUEUE, 0, ONE, word + 1, 0));
    SEE(futex(word, FUTEX_REQUEUE, 1, ONE, word + 1, 0));
    SEE(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0));
    SEE(futex(word + 1, FUTEX_WAKE, 9, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        SEE(ended(children[i]));
}

RULE(unknown_operation, "futex(2)", "ENOSYS for an unknown operation or flag, and for FUTEX_FD")
{
    SEE(futex(words, 63, 0, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_WAKE | 0x200, 0, NULL, NULL, 0));
    SEE(futex(words, FUTEX_FD, 0, NULL, NULL, 0));
}

static void wake_op(const char *what, uint32_t before, unsigned op, unsigned oparg, unsigned cmp)
{
    uint32_t encoded = WAKE_OP(op, oparg, cmp);
    words[1] = before;
    long result = futex(words, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, ONE, &words[1], encoded);
    observed(what, "%s, the word is %#x", result < 0 ? errno_name(errno) : "0", words[1]);
}

RULE(wake_op_writes, "futex(2)", "FUTEX_WAKE_OP sets, adds, ors, clears, flips; the argument is signed, a shift is modulo 32")
{
    wake_op("set", 7, FUTEX_OP_SET, 5, FUTEX_OP_CMP_EQ);
    wake_op("set -1", 7, FUTEX_OP_SET, -1, FUTEX_OP_CMP_EQ);
    wake_op("add", 7, FUTEX_OP_ADD, 5, FUTEX_OP_CMP_NE);
    wake_op("add around", ~0U, FUTEX_OP_ADD, 5, FUTEX_OP_CMP_LT);
    wake_op("add -8", 7, FUTEX_OP_ADD, -8, FUTEX_OP_CMP_LT);
    wake_op("or", 7, FUTEX_OP_OR, 0x100, FUTEX_OP_CMP_LE);
    wake_op("andn", 7, FUTEX_OP_ANDN, 2, FUTEX_OP_CMP_GT);
    wake_op("xor", 7, FUTEX_OP_XOR, 0xf, FUTEX_OP_CMP_GE);
    wake_op("or 1 << 31", 7, FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 31, FUTEX_OP_CMP_LE);
    wake_op("or 1 << 33", 0, FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 33, FUTEX_OP_CMP_LE);
    wake_op("or 1 << -1", 0, FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, -1, FUTEX_OP_CMP_LE);
}

RULE(wake_op_unknown, "futex(2)", "an unknown operation is ENOSYS and writes nothing; an unknown comparison has written")
{
    wake_op("operation 5", 7, 5, 1, FUTEX_OP_CMP_EQ);
    wake_op("comparison 6", 7, FUTEX_OP_ADD, 1, 6);
    SEE(futex(words, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, ONE, NOWHERE, WAKE_OP(FUTEX_OP_ADD, 1, 0)));
    SEE(futex(words, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, ONE, UNALIGNED, WAKE_OP(FUTEX_OP_ADD, 1, 0)));
    void *readonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    SEE(futex(words, FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG, 1, ONE, readonly, WAKE_OP(FUTEX_OP_ADD, 1, 0)));
}

RULE(pi_word, "futex(2)", "a PI lock holds the owner's tid; one's own is EDEADLK; not one's own cannot be unlocked")
{
    SEE(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    SEE_WHETHER(words[0] == (uint32_t)getpid());
    SEE(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    SEE(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    SEE(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SEE(words[0]);
    SEE(futex(words, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SEE(futex(UNALIGNED, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SEE(futex(NOWHERE, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

RULE(pi_owner_gone, "futex(2)", "an owner that is nobody is ESRCH; FUTEX_OWNER_DIED is kept for the next owner")
{
    words[0] = FUTEX_TID_MASK;
    SEE(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    SEE(words[0] & FUTEX_TID_MASK);
    words[0] = FUTEX_TID_MASK;
    SEE(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    words[0] = FUTEX_OWNER_DIED;
    SEE(futex(words, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    SEE_WHETHER(words[0] == (FUTEX_OWNER_DIED | (uint32_t)getpid()));
}

RULE(pi_timeout, "futex(2)", "FUTEX_LOCK_PI checks its time-out, FUTEX_TRYLOCK_PI has none; a past instant is ETIMEDOUT")
{
    uint32_t *word = shared_words();
    SEE(futex(word, FUTEX_LOCK_PI, 0, &WRONG, NULL, 0));
    SEE(futex(word, FUTEX_LOCK_PI, 0, NOWHERE, NULL, 0));
    SEE(futex(word, FUTEX_TRYLOCK_PI, 0, &WRONG, NULL, 0));
    pid_t child = fork();
    if (child == 0) {
        SEE(futex(word, FUTEX_LOCK_PI, 0, &LONG_AGO, NULL, 0));
        SEE(futex(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
        SEE(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
        SEE_WHETHER(*word & FUTEX_WAITERS);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

RULE(pi_on_either_clock, "futex(2)", "FUTEX_LOCK_PI2 takes FUTEX_CLOCK_REALTIME; a free word with waiters can be had, and loses the bit")
{
    if (futex(words, FUTEX_LOCK_PI2, 0, NULL, NULL, 0) < 0)
        not_here("FUTEX_LOCK_PI2: Linux 5.14");
    SEE(futex(words, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0));
    SEE(futex(words, FUTEX_LOCK_PI2, 0, &WRONG, NULL, 0));
    words[0] = FUTEX_WAITERS;
    SEE(futex(words, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0));
    SEE_WHETHER(words[0] & FUTEX_WAITERS);
}

RULE(pi_hand_over, "futex(2)", "an unlock hands the lock to who waits, and its tid is in the word")
{
    uint32_t *word = shared_words();
    SEE(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0 && (*word & FUTEX_TID_MASK) == (uint32_t)getpid() ? 0 : 1);
    until_asleep(child);
    SEE_WHETHER(*word == (FUTEX_WAITERS | (uint32_t)getpid()));
    SEE(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SEE(ended(child));
}

RULE(pi_and_plain, "futex(2)", "a PI lock and plain waits on one word do not mix: EINVAL")
{
    uint32_t *word = shared_words();
    pid_t child = waiter(word, FUTEX_WAIT, 0);
    *word = (uint32_t)getppid();
    SEE(futex(word, FUTEX_LOCK_PI, 0, &LONG_AGO, NULL, 0));
    *word = (uint32_t)getpid() | FUTEX_WAITERS;
    SEE(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
    SEE(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0));
    SEE(ended(child));
}
