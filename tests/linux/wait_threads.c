/* wait(2), clone(2): whose child a child is where there are threads, CLONE_PARENT and vfork. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t of_main, of_thread, last_thread;

static const char *who(pid_t pid)
{
    if (pid < 0)
        return strerrorname_np(errno);
    return pid == 0 ? "nobody" : pid == of_main ? "main's child" : pid == of_thread ? "the thread's child" : "another";
}

static pid_t zombie(int code)
{
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    return pid;
}

static void fact(const char *what, pid_t pid)
{
    printf("%s: %s\n", what, who(pid));
}

static void *own_children_first(void *argument)
{
    of_thread = zombie(2);
    fact("the thread, WNOTHREAD, main's child", waitpid(of_main, NULL, __WNOTHREAD | WNOHANG));
    fact("the thread", waitpid(-1, NULL, 0));
    fact("the thread, WNOTHREAD", waitpid(-1, NULL, __WNOTHREAD));
    fact("the thread again", waitpid(-1, NULL, 0));
    fact("nothing left", waitpid(-1, NULL, 0));
    return argument;
}

static void *ends_with_a_child(void *argument)
{
    int *pipes = argument;
    last_thread = syscall(SYS_gettid);
    of_thread = fork();
    if (of_thread == 0) {
        char byte;
        close(pipes[1]);
        read(pipes[0], &byte, 1);
        _exit(3);
    }
    return NULL;
}

static void *lets_it_end(void *argument)
{
    int *pipes = argument;
    usleep(20000);
    close(pipes[1]);
    return NULL;
}

static void *ends_the_process_after_the_leader(void *argument)
{
    usleep(20000);
    syscall(SYS_exit, 5);
    return argument;
}

static void leaders(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, ends_the_process_after_the_leader, NULL);
        syscall(SYS_exit, 6);
    }
    printf("while a thread lives: %d\n", waitpid(pid, &status, WNOHANG));
    waitpid(pid, &status, 0);
    printf("the last thread's status counts: %#x\n", status);
}

static char stack[16384];

static int vfork_body(void *argument)
{
    *(int *)argument = 1;
    usleep(1000);
    return 8;
}

static void clones(void)
{
    int status, seen = 0;
    of_main = clone(vfork_body, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &seen);
    printf("a vfork child has run first: %d\n", seen);
    fact("and is waited for", waitpid(-1, &status, 0));
    printf("status %#x\n", status);

    int report[2];
    pipe(report);
    of_thread = fork();
    if (of_thread == 0) {
        pid_t sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
        if (sibling == 0)
            _exit(getppid() != 0 ? 9 : 10);
        write(report[1], &sibling, sizeof sibling);
        _exit(waitpid(-1, NULL, 0) < 0 && errno == ECHILD ? 11 : 12);
    }
    read(report[0], &of_main, sizeof of_main);
    fact("a CLONE_PARENT sibling", waitpid(of_main, &status, 0));
    printf("status %#x\n", status);
    fact("who made it", waitpid(-1, &status, 0));
    printf("status %#x\n", status);
}

int main(void)
{
    pthread_t thread;
    int pipes[2], status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    of_main = zombie(1);
    pthread_create(&thread, NULL, own_children_first, NULL);
    pthread_join(thread, NULL);

    pipe(pipes);
    pthread_create(&thread, NULL, ends_with_a_child, pipes);
    pthread_join(thread, NULL);
    while (syscall(SYS_tgkill, getpid(), last_thread, 0) == 0) /* joined, it may still have its child */
        sched_yield();
    pid_t early = waitpid(-1, NULL, __WNOTHREAD | WNOHANG);
    fact("a child of a thread that has ended is main's", early);
    pthread_create(&thread, NULL, lets_it_end, pipes);
    fact("main waits for it", waitpid(-1, &status, __WNOTHREAD));
    printf("status %#x\n", status);
    pthread_join(thread, NULL);

    leaders();
    clones();
    return 0;
}
