/* What the stress programs share: chance from a seed, and tallies that all processes of a run see. */
#ifndef STRESS_H
#define STRESS_H
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000L
#define SECOND 1000000000L

static inline unsigned chance(unsigned *state, unsigned below) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % below;
}

static inline void nap(long ns) {
    struct timespec span = {ns / SECOND, ns % SECOND};
    while (nanosleep(&span, &span) && errno == EINTR)
        ;
}

static inline void *shared(size_t size) {
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return memory;
}

/* Wait for every child there is; return how many there were. */
static inline int reap_all(void) {
    int reaped = 0;
    for (;;) {
        pid_t pid = waitpid(-1, NULL, __WALL);
        if (pid > 0)
            reaped++;
        else if (errno != EINTR)
            return reaped;
    }
}

/* A detached thread with a small stack; 0, or the error. */
static inline int start_thread(void *(*body)(void *), void *argument) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    return error;
}
#endif
