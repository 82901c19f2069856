/* set_tid_address(2), get_robust_list(2): what the end of a thread does to futex words, and whom it wakes. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nap(long ms)
{
    struct timespec span = {0, ms * 1000000};
    nanosleep(&span, NULL);
}

/* Told of between threads and processes. */
static struct flags {
    int locked, let_go;
} *flags;

static void set(int *flag)
{
    __atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
}

static void await(int *flag)
{
    while (!__atomic_load_n(flag, __ATOMIC_SEQ_CST))
        nap(1);
    *flag = 0;
}

static void *lock_and_end(void *mutex)
{
    pthread_mutex_lock(mutex);
    set(&flags->locked);
    await(&flags->let_go);
    nap(5);
    return NULL;
}

static void init(pthread_mutex_t *mutex, int protocol, int shared)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setprotocol(&attr, protocol);
    pthread_mutexattr_setpshared(&attr, shared);
    pthread_mutex_init(mutex, &attr);
}

static void report(const char *what, pthread_mutex_t *mutex)
{
    int error = pthread_mutex_lock(mutex);
    printf("%s: %s\n", what, error ? strerrorname_np(error) : "0");
    if (error == EOWNERDEAD)
        pthread_mutex_consistent(mutex);
    error = pthread_mutex_unlock(mutex);
    printf("%s, unlock: %d\n", what, error);
}

static void in_one_process(const char *what, int protocol)
{
    pthread_t thread;
    pthread_mutex_t mutex;
    init(&mutex, protocol, PTHREAD_PROCESS_PRIVATE);
    pthread_create(&thread, NULL, lock_and_end, &mutex);
    await(&flags->locked);
    set(&flags->let_go);
    report(what, &mutex);
    pthread_join(thread, NULL);
}

/* The owner is another process, which ends, or is killed. */
static void between_processes(const char *what, int protocol, int killed)
{
    pthread_mutex_t *mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    init(mutex, protocol, PTHREAD_PROCESS_SHARED);
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(mutex);
        set(&flags->locked);
        if (killed)
            pause();
        nap(5);
        _exit(0);
    }
    await(&flags->locked);
    pid_t killer = killed ? fork() : 1;
    if (killer == 0) {
        nap(3);
        kill(child, SIGKILL);
        _exit(0);
    }
    report(what, mutex);
    while (wait(NULL) > 0)
        ;
}

static void *yield_word(void *word)
{
    nap(5);
    *(uint32_t *)word = 1;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}

static void *lock_pi(void *word)
{
    long result = syscall(SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    printf("lock: %ld, mine %d, others wait %d\n", result, (*(uint32_t *)word & FUTEX_TID_MASK) == (uint32_t)gettid(),
           (*(uint32_t *)word & FUTEX_WAITERS) != 0);
    fflush(stdout);
    syscall(SYS_futex, word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

static void handed_over(void)
{
    static uint32_t word;
    pthread_t threads[2];
    struct timespec soon;

    syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    for (int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, lock_pi, &word);
        nap(20);
    }
    printf("others wait: %d\n", (word & FUTEX_WAITERS) != 0);
    syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    printf("the word: %#x\n", word);

    pthread_mutex_t mutex;
    init(&mutex, PTHREAD_PRIO_INHERIT, PTHREAD_PROCESS_PRIVATE);
    pthread_create(&threads[0], NULL, lock_and_end, &mutex);
    await(&flags->locked);
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 1000000;
    soon.tv_sec += soon.tv_nsec / 1000000000;
    soon.tv_nsec %= 1000000000;
    printf("timed lock: %s\n", strerrorname_np(pthread_mutex_timedlock(&mutex, &soon)));
    set(&flags->let_go);
    report("owner with inheritance, after the timed lock", &mutex);
    pthread_join(threads[0], NULL);
}

int main(void)
{
    pthread_t thread;
    uint32_t word = 0;
    flags = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_create(&thread, NULL, yield_word, &word);
    while (__atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0)
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    printf("join: %d\n", pthread_join(thread, NULL));
    in_one_process("owner", PTHREAD_PRIO_NONE);
    in_one_process("owner with inheritance", PTHREAD_PRIO_INHERIT);
    between_processes("other process", PTHREAD_PRIO_NONE, 0);
    between_processes("other process with inheritance", PTHREAD_PRIO_INHERIT, 0);
    between_processes("killed process", PTHREAD_PRIO_NONE, 1);
    between_processes("killed process with inheritance", PTHREAD_PRIO_INHERIT, 1);
    handed_over();
    return 0;
}
