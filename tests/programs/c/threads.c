/* Threads: mutexes, timed condition waits on both clocks, joins, barriers, semaphores; the same between processes. */
#define _GNU_SOURCE
#include "facts.h"
#include <semaphore.h>
#include <sys/mman.h>

enum { UNIT = 40 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int value;

static void *count_to_a_thousand(void *unused) {
    (void)unused;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock);
        value++;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void mutexes(void) {
    pthread_t threads[8];
    for (size_t i = 0; i < COUNT_OF(threads); i++) pthread_create(&threads[i], NULL, count_to_a_thousand, NULL);
    for (size_t i = 0; i < COUNT_OF(threads); i++) pthread_join(threads[i], NULL);
    printf("eight threads counted to %d\n", value);
}

static void *hold_for_two_units(void *unused) {
    (void)unused;
    pthread_mutex_lock(&lock);
    nap_ms(2 * UNIT);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void timed_lock(void) {
    pthread_t holder;
    pthread_create(&holder, NULL, hold_for_two_units, NULL);
    nap_ms(UNIT / 2);
    struct timespec soon = in_ms(CLOCK_REALTIME, UNIT / 2), late = in_ms(CLOCK_REALTIME, 20 * UNIT);
    show_error("a held mutex, short of time", pthread_mutex_timedlock(&lock, &soon));
    show_error("a held mutex, with time", pthread_mutex_timedlock(&lock, &late));
    pthread_mutex_unlock(&lock);
    pthread_join(holder, NULL);
}

static void *announce_after_a_unit(void *unused) {
    (void)unused;
    nap_ms(UNIT);
    pthread_mutex_lock(&lock);
    value = -1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void timed_waits(clockid_t clock, const char *name) {
    pthread_condattr_t attributes;
    pthread_cond_t nobody_signals;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, clock);
    pthread_cond_init(&nobody_signals, &attributes);
    long long from = now_ms();
    struct timespec deadline = in_ms(clock, UNIT);
    pthread_mutex_lock(&lock);
    int error = pthread_cond_timedwait(&nobody_signals, &lock, &deadline);
    printf("a wait nobody ends, %s: %s after %ld\n", name, errno_name(error), units_since(from, UNIT));
    deadline = in_ms(clock, -UNIT);
    show_error("a deadline in the past", pthread_cond_timedwait(&nobody_signals, &lock, &deadline));
    pthread_mutex_unlock(&lock);
}

static void a_wait_that_is_ended(void) {
    pthread_t announcer;
    value = 0;
    long long from = now_ms();
    struct timespec deadline = in_ms(CLOCK_REALTIME, 20 * UNIT);
    pthread_create(&announcer, NULL, announce_after_a_unit, NULL);
    pthread_mutex_lock(&lock);
    int error = 0;
    while (value != -1 && !error) error = pthread_cond_timedwait(&changed, &lock, &deadline);
    pthread_mutex_unlock(&lock);
    printf("a wait that another ends: %s after %ld\n", errno_name(error), units_since(from, UNIT));
    pthread_join(announcer, NULL);
}

static void *nap_then_give(void *value_to_give) {
    nap_ms(UNIT);
    return value_to_give;
}

static void joins(void) {
    pthread_t thread;
    void *given;
    pthread_create(&thread, NULL, nap_then_give, "a value");
    struct timespec soon = in_ms(CLOCK_REALTIME, UNIT / 2);
    show_error("join, short of time", pthread_timedjoin_np(thread, &given, &soon));
    pthread_join(thread, &given);
    printf("joined with %s\n", (char *)given);
}

static pthread_barrier_t barrier;

static void *meet(void *arrival_units) {
    nap_ms((long)arrival_units * UNIT);
    pthread_barrier_wait(&barrier);
    return NULL;
}

static void barriers(void) {
    pthread_t threads[3];
    long long from = now_ms();
    pthread_barrier_init(&barrier, NULL, COUNT_OF(threads));
    for (size_t i = 0; i < COUNT_OF(threads); i++) pthread_create(&threads[i], NULL, meet, (void *)i);
    for (size_t i = 0; i < COUNT_OF(threads); i++) pthread_join(threads[i], NULL);
    printf("the last of three came after %ld\n", units_since(from, UNIT));
}

/* What two processes share: private and shared futexes are different keys. */
struct shared {
    pthread_mutex_t lock;
    sem_t ready;
};

static void between_processes(void) {
    struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->lock, &attributes);
    sem_init(&shared->ready, 1, 0);
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(&shared->lock);
        sem_post(&shared->ready);
        nap_ms(UNIT);
        _exit(0); /* with the mutex held */
    }
    sem_wait(&shared->ready);
    show_error("the owner of a robust mutex died", pthread_mutex_lock(&shared->lock));
    show_error("made consistent", pthread_mutex_consistent(&shared->lock));
    pthread_mutex_unlock(&shared->lock);
    struct timespec soon = in_ms(CLOCK_REALTIME, UNIT);
    show("a semaphore that nobody posts", sem_timedwait(&shared->ready, &soon));
    wait_and_show("the owner", child);
}

int main(void) {
    mutexes();
    timed_lock();
    timed_waits(CLOCK_REALTIME, "REALTIME");
    timed_waits(CLOCK_MONOTONIC, "MONOTONIC");
    a_wait_that_is_ended();
    joins();
    barriers();
    between_processes();
}
