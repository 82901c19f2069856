/* Reads the clock through libc in the way that argv[1] says, and prints what it read. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef UNWIND
#include <execinfo.h>
#endif

static long long now(clockid_t clock)
{
    struct timespec ts;
    if (clock_gettime(clock, &ts)) return -errno;
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void every_clock(void)
{
    static const int clocks[] = { 0, 1, 4, 5, 6, 7, 11 };
    struct timeval tv;
    struct timezone zone = { 1, 1 };
    time_t seconds;
    for (unsigned i = 0; i < sizeof clocks / sizeof *clocks; i++)
        printf("clock %d %lld\n", clocks[i], now(clocks[i]));
    gettimeofday(&tv, NULL);
    printf("gettimeofday %lld\n", tv.tv_sec * 1000000LL + tv.tv_usec);
    printf("time %lld\n", (long long)time(&seconds));
    printf("same %d\n", seconds == time(NULL));
    /* Straight to the vDSO where libc has it so: a NULL tv reads no clock. */
    gettimeofday(&tv, &zone);
    printf("zone %d %d\n", zone.tz_minuteswest, zone.tz_dsttime);
    printf("unknown %lld %lld\n", now(1000), now(-1));
    printf("cpu %d\n", now(CLOCK_PROCESS_CPUTIME_ID) > 0);
    printf("clock 1 %lld\n", now(1));
}

static void *read_often(void *first)
{
    long long last = 0, value;
    for (int i = 0; i < 20000; i++) {
        value = now(1);
        if (value <= last) printf("backwards %lld %lld\n", last, value);
        last = value;
    }
    *(long long *)first = last;
    return NULL;
}

static void threads(void)
{
    pthread_t other;
    long long a, b;
    pthread_create(&other, NULL, read_often, &a);
    read_often(&b);
    pthread_join(other, NULL);
    printf("last %lld\n", now(1));
}

static void forks(void)
{
    printf("parent %lld\n", now(1));
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        printf("child %lld\n", now(1));
        printf("child %lld\n", now(1));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("parent %lld\n", now(1));
}

static void *read_protected(void *page)
{
    char text[200];
    mprotect(page, 4096, PROT_NONE);
    long long first = now(1), realtime = now(0);
    struct timeval tv = { 0, 0 };
    gettimeofday(&tv, NULL);
    int length = snprintf(text, sizeof text, "read %d %d %d %d\n", first > 0, realtime > first, tv.tv_sec > 0, time(NULL) > 0);
    if (write(1, text, length) != length) _exit(1);
    _exit(0);
}

#ifdef UNWIND
static void *caller;

static void unwind(int signal)
{
    void *frames[64];
    int depth = backtrace(frames, 64), found = 0;
    (void)signal;
    for (int i = 0; i < depth; i++) found |= frames[i] == caller;
    if (!found) printf("lost in %d frames\n", depth);
}

__attribute__((noinline)) static void read_after_marker(int what)
{
    struct timeval tv;
    caller = __builtin_return_address(0);
    syscall(SYS_getppid);
    if (what == 0) now(0);
    if (what == 1) now(7);
    if (what == 2) gettimeofday(&tv, NULL);
    if (what == 3) time(NULL);
}
#endif

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "every")) every_clock();
    if (!strcmp(mode, "reads"))
        for (int i = atoi(argv[2]); i; i--) printf("%lld\n", now(1));
    if (!strcmp(mode, "threads")) threads();
    if (!strcmp(mode, "fork")) forks();
    if (!strcmp(mode, "bad")) clock_gettime(1, (struct timespec *)8);
    if (!strcmp(mode, "protect")) {
        pthread_t thread;
        unsigned long page;
        if (scanf("%lu", &page) != 1) return 1;
        pthread_create(&thread, NULL, read_protected, (void *)page);
        pthread_join(thread, NULL);
    }
    if (!strcmp(mode, "auxv")) {
        printf("vdso %d\n", getauxval(AT_SYSINFO_EHDR) != 0);
        printf("clock %d\n", now(1) > 0);
    }
    if (!strcmp(mode, "arguments")) printf("%d %s %s %lld\n", argc, argv[argc - 1], getenv("LAST"), now(1));
#ifdef UNWIND
    if (!strcmp(mode, "unwind")) {
        void *frames[4];
        backtrace(frames, 4); /* loads the unwinder */
        signal(SIGUSR1, unwind);
        for (int what = 0; what < 4; what++) read_after_marker(what); /* binds the functions */
        for (int i = 0; i < atoi(argv[3]); i++) read_after_marker(atoi(argv[2]));
    }
#endif
    return 0;
}
