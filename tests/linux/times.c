/* times(2): the result counts real ticks, the structure CPU time of the process and of the children that it has awaited.
 * build: -pthread */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TICKS_USED = 10 }; /* that `compute` takes at the least */

static long cpu_ticks(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * 100 + used.tv_nsec / 10000000;
}

static void *compute(void *unused)
{
    long start = cpu_ticks();
    while (cpu_ticks() - start <= TICKS_USED)
        for (volatile long turn = 0; turn < 1000000; turn++)
            ;
    return unused;
}

static struct tms used(void)
{
    struct tms now;
    times(&now);
    return now;
}

static int are_near(long one, long other)
{
    return labs(one - other) <= 3;
}

static void the_result(void)
{
    struct timespec span = {0, 500000000};
    struct tms now;
    long before = times(&now);
    nanosleep(&span, NULL);
    long passed = times(&now) - before;
    printf("a sleep of 0.5 s: 50 ticks or more %d\n", passed >= 49 && passed < 500);
    printf("nowhere to write: the result all the same %d\n", syscall(SYS_times, NULL) >= before);
    long result = syscall(SYS_times, (void *)16);
    printf("a bad pointer: %ld %s\n", result, strerrorname_np(errno));
    printf("ticks a second: %ld\n", sysconf(_SC_CLK_TCK));
}

static void own_time(void)
{
    struct rusage usage;
    pthread_t thread;
    struct tms before = used(), after;

    compute(NULL);
    after = used();
    printf("computing is user time: %d\n", after.tms_utime + after.tms_stime - before.tms_utime >= TICKS_USED - 2);
    pthread_create(&thread, NULL, compute, NULL);
    pthread_join(thread, NULL);
    before = after;
    after = used();
    printf("that of a thread that has ended counts: %d\n",
           after.tms_utime + after.tms_stime - before.tms_utime - before.tms_stime >= TICKS_USED - 2);
    getrusage(RUSAGE_SELF, &usage);
    printf("getrusage says the same: %d\n",
           are_near(after.tms_utime, usage.ru_utime.tv_sec * 100 + usage.ru_utime.tv_usec / 10000));
}

static void time_of_children(void)
{
    struct tms before = used(), after;
    siginfo_t info;
    pid_t child = fork();
    if (child == 0) {
        compute(NULL);
        _exit(0);
    }
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    after = used();
    printf("a child that was not awaited does not count: %ld\n", (long)(after.tms_cutime - before.tms_cutime));
    waitpid(child, NULL, 0);
    after = used();
    printf("then it counts: %d\n",
           after.tms_cutime + after.tms_cstime - before.tms_cutime - before.tms_cstime >= TICKS_USED - 2);
}

int main(void)
{
    the_result();
    own_time();
    time_of_children();
    return 0;
}
