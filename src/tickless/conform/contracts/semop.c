/* semop(2), semctl(2), semget(2): sets of semaphores: order of checks, all or nothing, who is served first, what ends a wait. */
#include "contract.h"
#include <sched.h>
#include <sys/ipc.h>
#include <sys/sem.h>

static int set;

static union semun_value {
    int value;
    struct semid_ds *status;
    unsigned short *values;
} nothing;

static void make(int size)
{
    set = semget(IPC_PRIVATE, size, 0600);
    if (set < 0)
        cannot_start("semget");
}

/* Remove the set at the end of a rule, or it outlives it. */
static void drop(void)
{
    semctl(set, 0, IPC_RMID, nothing);
}

static int change(int number, int by, int flags)
{
    struct sembuf operation = {number, by, flags};
    return semop(set, &operation, 1);
}

static int value_of(int number)
{
    return semctl(set, number, GETVAL, nothing);
}

static int give(int number, int value)
{
    return semctl(set, number, SETVAL, (union semun_value){.value = value});
}

static long timed(int number, int by, const struct timespec *span)
{
    struct sembuf operation = {number, by, 0};
    return semtimedop(set, &operation, 1, span);
}

RULE(order, "semop(2)", "EINVAL for no operation and no set, E2BIG for more than 500, EFAULT, then EFBIG for the number")
{
    struct sembuf operations[2] = {{0, 1, 0}, {3, 1, 0}};
    make(3);
    SEE(semop(set, operations, 0));
    SEE(semop(-1, operations, 0));
    SEE(semop(set, operations, 501));
    SEE(syscall(SYS_semop, set, 16, 501));
    SEE(syscall(SYS_semop, set, 16, 1));
    SEE(semop(-1, operations, 1));
    SEE(semop(set, operations, 2));
    SEE(value_of(0));
    drop();
    SEE(semop(set, operations, 1));
}

RULE(values, "semctl(2)", "a value is 0 to 32767: ERANGE; EINVAL for another number or command")
{
    make(2);
    SEE(give(0, 32767));
    SEE(give(0, 32768));
    SEE(give(0, -1));
    SEE(give(2, 1));
    SEE(value_of(7));
    SEE(semctl(set, 0, 99, nothing));
    SEE(change(0, 1, 0));
    SEE(value_of(0));
    drop();
}

RULE(takes, "semop(2)", "a semaphore is taken by as much as was asked for, or not at all; EAGAIN with IPC_NOWAIT")
{
    make(1);
    SEE(change(0, 3, 0));
    SEE(change(0, -2, 0));
    SEE(change(0, -2, IPC_NOWAIT));
    SEE(value_of(0));
    SEE_BLOCKED(change(0, -2, 0));
    SEE(change(0, 0, IPC_NOWAIT));
    SEE_BLOCKED(change(0, 0, 0));
    SEE(change(0, -1, 0));
    SEE(change(0, 0, 0));
    drop();
}

RULE(all_or_nothing, "semop(2)", "operations are made in order, all or none of them; the first obstacle's IPC_NOWAIT decides")
{
    struct sembuf within[] = {{0, 1, 0}, {0, -1, 0}, {1, 0, 0}}, stuck[] = {{0, 1, 0}, {0, -2, IPC_NOWAIT}, {1, -1, 0}};
    struct sembuf waits[] = {{0, 1, 0}, {1, -1, 0}, {0, -9, IPC_NOWAIT}};
    make(2);
    SEE(semop(set, within, 3));
    SEE(semop(set, stuck, 3));
    SEE_BLOCKED(semop(set, waits, 3));
    SEE(value_of(0));
    drop();
}

RULE(two_at_once, "semop(2)", "a wait for two goes on when both can be had, and takes neither before")
{
    struct sembuf both[] = {{0, -1, 0}, {1, -5, 0}};
    make(2);
    pid_t child = fork();
    if (child == 0)
        _exit(semop(set, both, 2) < 0);
    until_asleep(child);
    SEE(change(0, 1, 0));
    until_asleep(child);
    SEE(value_of(0));
    SEE(semctl(set, 0, GETNCNT, nothing));
    SEE(semctl(set, 1, GETNCNT, nothing));
    SEE(give(1, 5));
    SEE(waitpid(child, NULL, 0) == child);
    SEE(value_of(0));
    SEE(value_of(1));
    drop();
}

RULE(first_come, "semop(2)", "an increase goes to who waits, before the one that made it can take it back")
{
    make(1);
    pid_t child = fork();
    if (child == 0)
        _exit(change(0, -1, 0) < 0);
    until_asleep(child);
    SEE(change(0, 1, 0));
    SEE(change(0, -1, IPC_NOWAIT));
    waitpid(child, NULL, 0);
    drop();
}

RULE(small_before_large, "semop(2)", "one that can go on does, though another has waited longer for more")
{
    make(1);
    pid_t large = fork(), small;
    if (large == 0)
        _exit(change(0, -2, 0) < 0);
    until_asleep(large);
    small = fork();
    if (small == 0)
        _exit(change(0, -1, 0) < 0);
    until_asleep(small);
    SEE(change(0, 1, 0));
    SEE(waitpid(-1, NULL, 0) == small);
    SEE(change(0, 2, 0));
    SEE(waitpid(-1, NULL, 0) == large);
    SEE(value_of(0));
    drop();
}

RULE(for_zero, "semop(2)", "a wait for 0 goes on when it is 0; GETZCNT counts those who do")
{
    make(1);
    give(0, 1);
    pid_t child = fork();
    if (child == 0)
        _exit(change(0, 0, 0) < 0);
    until_asleep(child);
    SEE(semctl(set, 0, GETZCNT, nothing));
    SEE(semctl(set, 0, GETNCNT, nothing));
    SEE(change(0, -1, 0));
    SEE(waitpid(child, NULL, 0) == child);
    SEE(semctl(set, 0, GETZCNT, nothing));
    drop();
}

RULE(undo, "semop(2)", "with SEM_UNDO the end of a process takes back what it did, and wakes who waits")
{
    make(1);
    give(0, 1);
    pid_t child = fork();
    if (child == 0) {
        change(0, -1, SEM_UNDO);
        until_asleep(getppid());
        _exit(0);
    }
    while (value_of(0))
        sched_yield();
    SEE(change(0, -1, 0));
    waitpid(child, NULL, 0);
    SEE(value_of(0));
    drop();
}

RULE(undo_is_not_inherited, "semop(2)", "a child has nothing to undo of its parent; SETVAL clears what is to be undone")
{
    make(1);
    SEE(change(0, 5, SEM_UNDO));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    SEE(value_of(0));
    child = fork();
    if (child == 0)
        _exit(change(0, 2, SEM_UNDO) < 0 || give(0, 1) < 0);
    waitpid(child, NULL, 0);
    SEE(value_of(0));
    drop();
}

RULE(who_changed_it, "semctl(2)", "GETPID tells the process of the last semop, one that has waited too")
{
    make(1);
    SEE(semctl(set, 0, GETPID, nothing));
    SEE(change(0, 1, 0));
    SEE(semctl(set, 0, GETPID, nothing) == getpid());
    pid_t child = fork();
    if (child == 0)
        _exit(change(0, 1, 0));
    waitpid(child, NULL, 0);
    SEE(semctl(set, 0, GETPID, nothing) == child);
    child = fork();
    if (child == 0)
        _exit(change(0, -5, 0));
    until_asleep(child);
    SEE(change(0, 3, 0));
    waitpid(child, NULL, 0);
    SEE(semctl(set, 0, GETPID, nothing) == child);
    drop();
}

RULE(timeouts, "semtimedop(2)", "EAGAIN not before the time is over; 0 does not wait; EINVAL for no time, EFAULT; NULL is for ever")
{
    struct timespec span = {0, 5 * MS}, none = {0, 0}, wrong = {-1, 0}, large = {0, SECOND};
    make(1);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(timed(0, -1, &span));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 5 * MS);
    SEE(timed(0, -1, &none));
    SEE(timed(0, -1, &wrong));
    SEE(timed(0, -1, &large));
    SEE(timed(0, 1, &wrong));
    SEE(syscall(SYS_semtimedop, set, 16, 1, 16));
    SEE_BLOCKED(timed(0, -2, NULL));
    drop();
}

RULE(never_restarted, "semop(2)", "a handler ends the wait with EINTR, with SA_RESTART too")
{
    make(1);
    pid_t me = getpid();
    count_signal(SIGUSR1, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        until_asleep(me);
        _exit(kill(me, SIGUSR1));
    }
    SEE(change(0, -1, 0));
    waitpid(child, NULL, 0);
    drop();
}

RULE(removed, "semop(2)", "EIDRM for who waits when the set is removed")
{
    make(1);
    pid_t child = fork();
    if (child == 0) {
        SEE(change(0, -1, 0));
        _exit(0);
    }
    until_asleep(child);
    drop();
    waitpid(child, NULL, 0);
    SEE(change(0, -1, 0));
}

RULE(set_all, "semctl(2)", "SETALL wakes who can go on")
{
    unsigned short values[2] = {1, 1}, found[2];
    struct sembuf both[] = {{0, -1, 0}, {1, -1, 0}};
    make(2);
    pid_t child = fork();
    if (child == 0)
        _exit(semop(set, both, 2) < 0);
    until_asleep(child);
    SEE(semctl(set, 0, SETALL, (union semun_value){.values = values}));
    SEE(waitpid(child, NULL, 0) == child);
    SEE(semctl(set, 0, GETALL, (union semun_value){.values = found}));
    observed("values", "%d %d", found[0], found[1]);
    drop();
}

RULE(names, "semget(2)", "IPC_PRIVATE is new each time; EEXIST, ENOENT, EINVAL for a size that is none or larger than the set's")
{
    int first = semget(IPC_PRIVATE, 1, 0600), second = semget(IPC_PRIVATE, 1, 0600);
    key_t key = 0x7c000000 | getpid();
    SEE_WHETHER(first != second);
    SEE(semget(IPC_PRIVATE, 0, 0600));
    SEE(semget(IPC_PRIVATE, -1, 0600));
    SEE(semget(key, 1, 0600));
    set = semget(key, 2, IPC_CREAT | IPC_EXCL | 0600);
    SEE(semget(key, 2, IPC_CREAT | IPC_EXCL | 0600));
    SEE_WHETHER(semget(key, 0, 0) == set);
    SEE(semget(key, 3, 0));
    drop();
    semctl(first, 0, IPC_RMID, nothing), semctl(second, 0, IPC_RMID, nothing);
}
