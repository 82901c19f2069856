/* pthread_mutex_timedlock(3), pthread_cond_timedwait(3), sem_timedwait(3), robust and PI mutexes, get_robust_list(2). */
#include "contract.h"
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

static const struct timespec PAST = {1, 0}, WRONG = {1, SECOND};

static struct timespec after_ms(clockid_t clock, int ms)
{
    int64_t at = now_ns(clock) + ms * MS;
    return (struct timespec){at / SECOND, at % SECOND};
}

struct shared {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    sem_t semaphore;
    int ready;
};

/* A mutex in memory that children share. */
static struct shared *shared_mutex(int robust, int protocol)
{
    struct shared *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, robust);
    if (pthread_mutexattr_setprotocol(&attributes, protocol) || pthread_mutex_init(&shared->mutex, &attributes))
        cannot_start("pthread_mutex_init");
    return shared;
}

/* A child that takes the mutex, and ends with it. */
static void die_with(struct shared *shared, int killed)
{
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(&shared->mutex);
        if (killed)
            kill(getpid(), SIGKILL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static pid_t holder(struct shared *shared)
{
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(&shared->mutex);
        for (;;)
            pause();
    }
    until_asleep(child);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

RULE(robust_owner_ends, "pthread_mutex_lock(3)", "the next owner of a robust mutex is told EOWNERDEAD, after exit and after SIGKILL")
{
    for (int killed = 0; killed < 2; killed++) {
        struct shared *shared = shared_mutex(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
        die_with(shared, killed);
        SEE_ERROR(pthread_mutex_lock(&shared->mutex));
        SEE_ERROR(pthread_mutex_consistent(&shared->mutex));
        SEE_ERROR(pthread_mutex_unlock(&shared->mutex));
        SEE_ERROR(pthread_mutex_lock(&shared->mutex));
    }
}

RULE(robust_not_made_consistent, "pthread_mutex_consistent(3)", "unlocked without it the mutex is lost: ENOTRECOVERABLE")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
    die_with(shared, 0);
    SEE_ERROR(pthread_mutex_trylock(&shared->mutex));
    SEE_ERROR(pthread_mutex_unlock(&shared->mutex));
    SEE_ERROR(pthread_mutex_lock(&shared->mutex));
    SEE_ERROR(pthread_mutex_trylock(&shared->mutex));
}

RULE(robust_waiter, "pthread_mutex_lock(3)", "who waits for a robust mutex is woken when its owner is killed")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
    pid_t owner = holder(shared), waiter = fork();
    int status;
    if (waiter == 0)
        _exit(pthread_mutex_lock(&shared->mutex) == EOWNERDEAD ? 7 : 1);
    until_asleep(waiter);
    end(owner);
    waitpid(waiter, &status, 0);
    observed("waiter", "%s", status_name(status));
    SEE_ERROR(pthread_mutex_lock(&shared->mutex));
}

RULE(robust_pi, "pthread_mutex_lock(3)", "a robust PI mutex is handed on with EOWNERDEAD, too")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_INHERIT);
    pid_t owner = holder(shared), waiter = fork();
    int status;
    if (waiter == 0) {
        SEE_ERROR(pthread_mutex_lock(&shared->mutex));
        SEE_ERROR(pthread_mutex_consistent(&shared->mutex));
        SEE_ERROR(pthread_mutex_unlock(&shared->mutex));
        _exit(7);
    }
    until_asleep(waiter);
    end(owner);
    waitpid(waiter, &status, 0);
    observed("waiter", "%s", status_name(status));
    SEE_ERROR(pthread_mutex_lock(&shared->mutex));
}

RULE(plain_owner_ends, "pthread_mutex_lock(3)", "a mutex that is not robust stays locked when its owner ends")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
    die_with(shared, 1);
    SEE_ERROR(pthread_mutex_trylock(&shared->mutex));
    struct timespec soon = after_ms(CLOCK_REALTIME, 5);
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &soon));
}

RULE(timed_lock, "pthread_mutex_timedlock(3)", "ETIMEDOUT not before its time; a free mutex is taken however late it is")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_ROBUST, PTHREAD_PRIO_NONE);
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &PAST));
    SEE_ERROR(pthread_mutex_unlock(&shared->mutex));
    pid_t owner = holder(shared);
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &PAST));
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &WRONG));
    struct timespec soon = after_ms(CLOCK_REALTIME, 5);
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &soon));
    SEE_WHETHER(now_ns(CLOCK_REALTIME) >= soon.tv_sec * SECOND + soon.tv_nsec);
    end(owner);
}

RULE(timed_pi_lock, "pthread_mutex_timedlock(3)", "a PI mutex times out, too")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_INHERIT);
    pid_t owner = holder(shared);
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &PAST));
    struct timespec soon = after_ms(CLOCK_REALTIME, 5);
    SEE_ERROR(pthread_mutex_timedlock(&shared->mutex, &soon));
    SEE_WHETHER(now_ns(CLOCK_REALTIME) >= soon.tv_sec * SECOND + soon.tv_nsec);
    SEE_ERROR(pthread_mutex_trylock(&shared->mutex));
    end(owner);
}

RULE(timed_condition, "pthread_cond_timedwait(3)", "ETIMEDOUT not before its time, on the condition's clock, with the mutex taken again")
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
    for (int i = 0; i < 2; i++) {
        pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
        pthread_cond_t condition;
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        SEE_ERROR(pthread_condattr_setclock(&attributes, clocks[i]));
        pthread_cond_init(&condition, &attributes);
        pthread_mutex_lock(&mutex);
        SEE_ERROR(pthread_cond_timedwait(&condition, &mutex, &PAST));
        SEE_ERROR(pthread_cond_timedwait(&condition, &mutex, &WRONG));
        struct timespec soon = after_ms(clocks[i], 5);
        SEE_ERROR(pthread_cond_timedwait(&condition, &mutex, &soon));
        SEE_WHETHER(now_ns(clocks[i]) >= soon.tv_sec * SECOND + soon.tv_nsec);
        SEE_ERROR(pthread_mutex_trylock(&mutex));
    }
}

RULE(timed_semaphore, "sem_timedwait(3)", "a count is taken however late it is; else ETIMEDOUT not before its time; EINVAL for no time")
{
    sem_t semaphore;
    SEE(sem_init(&semaphore, 0, 1));
    SEE(sem_timedwait(&semaphore, &PAST));
    SEE(sem_timedwait(&semaphore, &PAST));
    SEE(sem_timedwait(&semaphore, &WRONG));
    struct timespec soon = after_ms(CLOCK_REALTIME, 5);
    SEE(sem_timedwait(&semaphore, &soon));
    SEE_WHETHER(now_ns(CLOCK_REALTIME) >= soon.tv_sec * SECOND + soon.tv_nsec);
    SEE(sem_trywait(&semaphore));
}

RULE(semaphore_between_processes, "sem_post(3)", "a shared semaphore wakes a process that waits")
{
    struct shared *shared = shared_mutex(PTHREAD_MUTEX_STALLED, PTHREAD_PRIO_NONE);
    int status;
    sem_init(&shared->semaphore, 1, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(sem_wait(&shared->semaphore) == 0 ? 7 : 1);
    until_asleep(child);
    SEE(sem_post(&shared->semaphore));
    waitpid(child, &status, 0);
    observed("child", "%s", status_name(status));
    int count;
    SEE(sem_getvalue(&shared->semaphore, &count));
    SEE(count);
}

static void *nothing(void *argument)
{
    return argument;
}

static void *for_ever(void *argument)
{
    for (;;)
        pause();
    return argument;
}

RULE(join, "pthread_join(3)", "a join gives the result, or PTHREAD_CANCELED; pthread_kill with 0 only asks")
{
    pthread_t thread;
    void *result = NULL;
    pthread_create(&thread, NULL, nothing, (void *)7);
    SEE_ERROR(pthread_join(thread, &result));
    SEE((long)result);
    pthread_create(&thread, NULL, for_ever, NULL);
    SEE_ERROR(pthread_kill(thread, 0));
    SEE_ERROR(pthread_kill(thread, 999));
    SEE_ERROR(pthread_cancel(thread));
    SEE_ERROR(pthread_join(thread, &result));
    SEE(result == PTHREAD_CANCELED);
}

RULE(robust_list_errors, "set_robust_list(2)", "EINVAL for another size; the address is not looked at; ESRCH for nobody")
{
    void *head;
    size_t length;
    SEE(syscall(SYS_set_robust_list, 16, 23));
    SEE(syscall(SYS_set_robust_list, 16, 0));
    SEE(syscall(SYS_set_robust_list, 16, 24));
    SEE(syscall(SYS_get_robust_list, 0, &head, &length));
    SEE((long)head);
    SEE(length);
    SEE(syscall(SYS_get_robust_list, 4999999, &head, &length));
    SEE(syscall(SYS_get_robust_list, 0, 16, &length));
    SEE(syscall(SYS_get_robust_list, 0, &head, 16));
    SEE(syscall(SYS_set_robust_list, NULL, 24));
}
