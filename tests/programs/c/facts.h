/* What the programs here share. They print facts that are the same on every run: no pids, no addresses, and times only
   in coarse units, so that the output under tickless must equal the output on Linux. */
#ifndef FACTS_H
#define FACTS_H
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Whole lines leave at once, so that fork never copies a half-filled buffer. */
__attribute__((constructor)) static void flush_every_line(void) { setvbuf(stdout, NULL, _IOLBF, 0); }

UNUSED static const char *errno_name(int number) {
    static const struct { int number; const char *name; } names[] = {
        {0, "ok"}, {EAGAIN, "EAGAIN"}, {EBADF, "EBADF"}, {ECHILD, "ECHILD"}, {EINTR, "EINTR"}, {EINVAL, "EINVAL"},
        {ENOENT, "ENOENT"}, {EOWNERDEAD, "EOWNERDEAD"}, {EPIPE, "EPIPE"}, {ESRCH, "ESRCH"}, {ETIMEDOUT, "ETIMEDOUT"},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i].number == number) return names[i].name;
    return "another errno";
}

/* "label: 3", or "label: EINTR" for a result of -1. */
UNUSED static long show(const char *label, long result) {
    if (result == -1) printf("%s: %s\n", label, errno_name(errno));
    else printf("%s: %ld\n", label, result);
    return result;
}

UNUSED static void show_error(const char *label, int error) { printf("%s: %s\n", label, errno_name(error)); }

UNUSED static void check(int ok, const char *what) {
    if (ok) return;
    printf("could not %s: %s\n", what, strerror(errno));
    exit(99);
}

UNUSED static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

UNUSED static struct timespec span_of_ms(long ms) { return (struct timespec){ms / 1000, ms % 1000 * 1000000}; }

/* The instant `ms` from now, on the clock; before now if negative. */
UNUSED static struct timespec in_ms(clockid_t clock, long ms) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_sec += ms / 1000;
    at.tv_nsec += ms % 1000 * 1000000;
    if (at.tv_nsec >= 1000000000) at.tv_sec++, at.tv_nsec -= 1000000000;
    if (at.tv_nsec < 0) at.tv_sec--, at.tv_nsec += 1000000000;
    return at;
}

UNUSED static void nap_ms(long ms) {
    struct timespec left = span_of_ms(ms);
    while (nanosleep(&left, &left) == -1 && errno == EINTR) continue;
}

/* How many units have passed since `from_ms`, rounded. */
UNUSED static long units_since(long long from_ms, long unit_ms) { return (now_ms() - from_ms + unit_ms / 2) / unit_ms; }

UNUSED static void on_signal(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}

/* Blocks the signals up to a 0, for the calling thread. */
UNUSED static void block_signals(int first, ...) {
    sigset_t set;
    va_list more;
    sigemptyset(&set);
    va_start(more, first);
    for (int number = first; number; number = va_arg(more, int)) sigaddset(&set, number);
    va_end(more);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* "label: exited 3", "label: killed by 15", "label: stopped by 19", "label: continued". */
UNUSED static void show_status(const char *label, int status) {
    if (WIFEXITED(status)) printf("%s: exited %d\n", label, WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) printf("%s: killed by %d\n", label, WTERMSIG(status));
    else if (WIFSTOPPED(status)) printf("%s: stopped by %d\n", label, WSTOPSIG(status));
    else if (WIFCONTINUED(status)) printf("%s: continued\n", label);
}

UNUSED static void wait_and_show(const char *label, pid_t child) {
    int status = 0;
    if (waitpid(child, &status, 0) == child) show_status(label, status);
    else printf("%s: %s\n", label, errno_name(errno));
}
#endif
