/* Two tasks that nobody will ever wake. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <stdint.h>
#include <sys/eventfd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *want_the_lock(void *unused) {
    pthread_mutex_lock(&lock);
    return unused;
}

int main(void) {
    uint64_t count;
    pthread_t thread;
    pthread_mutex_lock(&lock);
    pthread_create(&thread, NULL, want_the_lock, NULL);
    return read(eventfd(0, 0), &count, sizeof count) == sizeof count;
}
