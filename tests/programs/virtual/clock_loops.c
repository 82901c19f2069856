/* Waits on the clock itself, by the vDSO, by system calls and by the processor's counter: each for longer than it could if every
   read took 20 ns. Then in two processes at once; and until a timer's signal comes, whose handler tells how late it is, and until
   a thread has slept, which tells the same. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <sys/syscall.h>
#include <x86intrin.h>

static volatile long long handled_ns;

static long long by_vdso(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long by_call(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long by_processor(void) { return __rdtsc(); }

static void wait_on(const char *what, long long (*read)(void), long long ns) {
    long long end_ns = read() + ns;
    while (read() < end_ns) continue;
    printf("%s: %s\n", what, read() < end_ns + ns / 100 ? "in time" : "late"), fflush(stdout);
}

static void on_alarm(int signo) {
    (void)signo;
    handled_ns = by_vdso();
}

static void *nap_50s(void *unused) {
    nap_ms(50000);
    on_alarm(0);
    return unused;
}

static void tell(const char *what, long long start_ns) {
    while (!handled_ns) by_vdso();
    printf("%s: %lld ms late\n", what, (handled_ns - start_ns) / 1000000 - 50000);
    handled_ns = 0;
}

int main(void) {
    pthread_t thread;
    wait_on("vDSO", by_vdso, 3600 * 1000000000LL);
    wait_on("call", by_call, 100000000LL);
    wait_on("processor", by_processor, 30000000LL);
    if (fork() == 0) return wait_on("child", by_vdso, 20 * 1000000000LL), 0;
    wait_on("parent", by_vdso, 21 * 1000000000LL);
    wait(NULL);
    signal(SIGALRM, on_alarm);
    long long start_ns = by_vdso();
    alarm(50);
    tell("alarm", start_ns);
    start_ns = by_vdso();
    pthread_create(&thread, NULL, nap_50s, NULL);
    tell("sleep", start_ns);
    return 0;
}
