/* sched_setaffinity(2): what a task asks for it gets, its children and threads too; and what is refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static cpu_set_t all;

static void fact(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : "");
}

static void count(const char *who)
{
    cpu_set_t mine;
    CPU_ZERO(&mine);
    sched_getaffinity(0, sizeof mine, &mine);
    printf("%s: %s\n", who, CPU_EQUAL(&mine, &all) ? "all" : CPU_COUNT(&mine) == 1 ? "one" : "some");
}

static void *body(void *argument)
{
    count("a thread has its maker's");
    sched_setaffinity(0, sizeof all, &all);
    count("a thread that took all");
    return argument;
}

int main(int argc, char **argv)
{
    cpu_set_t one, none;
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1 && argv[1]) {
        count("and keeps it at exec");
        return 0;
    }
    CPU_ZERO(&all);
    CPU_ZERO(&one);
    CPU_ZERO(&none);
    sched_getaffinity(0, sizeof all, &all);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);

    fact("get, a size of no whole words", syscall(SYS_sched_getaffinity, 0, 12, &none));
    fact("get, too small", syscall(SYS_sched_getaffinity, 0, 0, &none));
    fact("get, nobody", syscall(SYS_sched_getaffinity, -1, sizeof none, &none));
    fact("get, too small before nobody", syscall(SYS_sched_getaffinity, -1, 0, &none));
    fact("get, nobody before a bad address", syscall(SYS_sched_getaffinity, -1, sizeof none, NULL));
    fact("get, a bad address", syscall(SYS_sched_getaffinity, 0, sizeof none, NULL));
    CPU_ZERO(&none);
    fact("set, none", syscall(SYS_sched_setaffinity, 0, sizeof none, &none));
    fact("set, a size of 0", syscall(SYS_sched_setaffinity, 0, 0, &all));
    fact("set, nobody", syscall(SYS_sched_setaffinity, -1, sizeof none, &none));
    fact("set, a bad address before nobody", syscall(SYS_sched_setaffinity, -1, sizeof none, NULL));
    fact("set, a short size", syscall(SYS_sched_setaffinity, 0, 1, &all));
    CPU_SET(1000, &one);
    fact("set, one, and one that is not there", syscall(SYS_sched_setaffinity, 0, sizeof one, &one));
    CPU_CLR(1000, &one);
    count("after that");

    if (fork() == 0) {
        count("a child has its parent's");
        execl("/proc/self/exe", "affinity", "again", NULL);
    }
    wait(NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    pthread_join(thread, NULL);
    count("its maker still");

    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    fact("set a child's", sched_setaffinity(child, sizeof all, &all));
    CPU_ZERO(&one);
    fact("get a child's", sched_getaffinity(child, sizeof one, &one));
    fact("they are all", CPU_EQUAL(&one, &all));
    fact("kill", kill(child, 9));
    wait(NULL);
    fact("set, one who was", sched_setaffinity(child, sizeof all, &all));
    return 0;
}
