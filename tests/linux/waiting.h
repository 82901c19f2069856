/* For programs that show what ends a wait, and when: time in units, children that do something later. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNIT_MS 300

static struct timespec start;

static inline void restart_clock(void)
{
    clock_gettime(CLOCK_MONOTONIC, &start);
}

static inline long units(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000;
    /* A busy machine is late more often, and by more, than what it is late for begins late. */
    return (ms + UNIT_MS / 3) / UNIT_MS;
}

static inline long tell(const char *what, long result)
{
    printf("%s: %s after %ld\n", what, result < 0 ? strerrorname_np(errno) : "ok", units());
    fflush(stdout);
    return result;
}

static inline void nap(int count)
{
    struct timespec span = {count * UNIT_MS / 1000, count * UNIT_MS % 1000 * 1000000L};
    nanosleep(&span, NULL);
}

static inline void reap(void)
{
    while (wait(NULL) > 0)
        ;
}

static void on_alarm(int signo)
{
}

/* SIGALRM after a unit, with a handler. */
static inline void alarm_soon(int flags)
{
    struct itimerval soon = {{0, 0}, {0, UNIT_MS * 1000}};
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    sigaction(SIGALRM, &action, NULL);
    restart_clock();
    setitimer(ITIMER_REAL, &soon, NULL);
}
