/* pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2): checks, readiness, and who is named after the end. */
#define _GNU_SOURCE
#include "since.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREAD 0200

static int started[2], finish[2];
static pid_t thread_id;

static void fact(const char *what, long result)
{
    printf("%s: %d %s\n", what, result < 0 ? -1 : 0, result < 0 ? strerrorname_np(errno) : "");
}

static int readiness(int fd)
{
    struct pollfd ready = {fd, POLLIN | POLLRDNORM, 0};
    poll(&ready, 1, 0);
    return ready.revents;
}

static long send_signal(int fd, int signo, siginfo_t *info, unsigned flags)
{
    return syscall(SYS_pidfd_send_signal, fd, signo, info, flags);
}

static void *body(void *argument)
{
    char byte;
    thread_id = syscall(SYS_gettid);
    write(started[1], "", 1);
    read(finish[0], &byte, 1);
    return argument;
}

static void threads(void)
{
    char byte;
    pipe(started);
    pipe(finish);
    pthread_t thread;
    pthread_create(&thread, NULL, body, NULL);
    read(started[0], &byte, 1);
    fact("open a thread without PIDFD_THREAD", syscall(SYS_pidfd_open, thread_id, 0));
    int fd = syscall(SYS_pidfd_open, thread_id, THREAD);
    fact("open a thread", fd);
    printf("of a living thread: %#x\n", readiness(fd));
    fact("signal 0 to a thread", send_signal(fd, 0, NULL, 0));
    write(finish[1], "", 1);
    pthread_join(thread, NULL);
    struct pollfd ready = {fd, POLLIN, 0};
    poll(&ready, 1, -1);
    while (send_signal(fd, 0, NULL, 0) == 0)
        ;
    printf("of a thread that has ended: %#x\n", readiness(fd));
    fact("signal to a thread that has ended", send_signal(fd, 0, NULL, 0));
}

static void of_directory(const char *what, const char *path, int flags)
{
    char text[80];
    int fd = open(path, flags);
    snprintf(text, sizeof text, "signal 0 by the directory of %s", what);
    fact(text, send_signal(fd, 0, NULL, 0));
    close(fd);
}

/* For signals, and for nothing else, a process's directory in /proc is a pidfd as well. */
static void directories(void)
{
    char path[40], byte;
    siginfo_t info;
    of_directory("this process", "/proc/self", O_RDONLY | O_DIRECTORY);
    of_directory("this process, as a path", "/proc/self", O_PATH);
    of_directory("this thread", "/proc/thread-self", O_RDONLY);
    of_directory("its files", "/proc/self/fd", O_RDONLY);
    of_directory("all", "/proc", O_RDONLY);
    of_directory("none, a file", "/proc/self/status", O_RDONLY);
    int go[2];
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        read(go[0], &byte, 1);
        pause();
    }
    snprintf(path, sizeof path, "/proc/%d", pid);
    int fd = open(path, O_RDONLY);
    fact("two scopes by a directory", send_signal(fd, 0, NULL, 3));
    fact("the scope of a thread by a directory", send_signal(fd, 0, NULL, 1));
    fact("fd by a directory", syscall(SYS_pidfd_getfd, fd, 0, 0));
    fact("waitid by a directory", syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    fact("SIGTERM by a directory", send_signal(fd, SIGTERM, NULL, 0));
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    printf("it was killed by %d\n", info.si_status);
    fact("signal to a zombie by a directory", send_signal(fd, SIGTERM, NULL, 0));
    waitpid(pid, NULL, 0);
    fact("signal to a reaped process by a directory", send_signal(fd, SIGTERM, NULL, 0));
    close(go[0]);
    close(go[1]);
    close(fd);
}

int main(void)
{
    siginfo_t info;
    int status;

    setvbuf(stdout, NULL, _IOLBF, 0);
    fact("open pid 0", syscall(SYS_pidfd_open, 0, 0));
    fact("open pid -1", syscall(SYS_pidfd_open, -1, 0));
    fact("open pid -1, unknown flag", syscall(SYS_pidfd_open, -1, 1));
    fact("open a pid of nobody", syscall(SYS_pidfd_open, 0x3fffffff, 0));
    if (linux_since(6, 9)) {
        threads();
        directories();
    }

    int go[2];
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(go[1]);
        read(go[0], &byte, 1);
        _exit(3);
    }
    int fd = syscall(SYS_pidfd_open, pid, O_NONBLOCK);
    printf("close-on-exec %d, nonblocking %d\n", fcntl(fd, F_GETFD), !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    int ep = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u32 = 5}};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
    printf("of a living process: %#x, epoll %d\n", readiness(fd), epoll_wait(ep, &event, 1, 0));
    fact("waitid, nonblocking, no news", syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    fact("the same with WNOHANG", syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED | WNOHANG, NULL));

    fact("two scopes", send_signal(fd, 0, NULL, 3));
    fact("unknown flag", send_signal(fd, 0, NULL, 8));
    fact("no pidfd", send_signal(go[1], 0, NULL, 0));
    fact("bad fd", send_signal(-1, 0, NULL, 0));
    fact("signal 65", send_signal(fd, 65, NULL, 0));
    fact("signal -1", send_signal(fd, -1, NULL, 0));
    if (linux_since(6, 9))
        fact("process group of no leader", send_signal(fd, 0, NULL, 4));
    fact("bad siginfo pointer", send_signal(fd, 0, (siginfo_t *)16, 0));
    memset(&info, 0, sizeof info);
    info.si_signo = SIGUSR1;
    info.si_code = SI_QUEUE;
    fact("siginfo of another signal", send_signal(fd, SIGUSR2, &info, 0));
    info.si_code = SI_USER;
    fact("siginfo that says kill", send_signal(fd, SIGUSR1, &info, 0));
    info.si_code = SI_TKILL;
    fact("siginfo that says tgkill", send_signal(fd, SIGUSR1, &info, 0));
    if (linux_since(6, 15)) {
        fact("self, thread", send_signal(-10000, 0, NULL, 0));
        fact("self, process", send_signal(-10001, 0, NULL, 0));
    }

    close(go[1]);
    int n = epoll_wait(ep, &event, 1, -1);
    printf("of a zombie: %#x, epoll %d %#x %u\n", readiness(fd), n, event.events, event.data.u32);
    fact("signal to a zombie", send_signal(fd, SIGKILL, NULL, 0));
    fact("signal 65 to a zombie", send_signal(fd, 65, NULL, 0));
    fact("fd of a zombie", syscall(SYS_pidfd_getfd, fd, 0, 0));
    pid_t got = syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED, NULL);
    printf("waitid: %d, %s, status %d\n", got, info.si_pid == pid ? "the child" : "another", info.si_status);
    printf("of a reaped process: %#x\n", readiness(fd));
    fact("signal to a reaped process", send_signal(fd, SIGKILL, NULL, 0));
    fact("signal 65 to a reaped process", send_signal(fd, 65, NULL, 0));
    fact("waitid for a reaped process", syscall(SYS_waitid, P_PIDFD, fd, &info, WEXITED, NULL));
    fact("fd of a reaped process", syscall(SYS_pidfd_getfd, fd, 0, 0));
    fact("fd through no pidfd", syscall(SYS_pidfd_getfd, go[0], 0, 0));
    fact("getfd with flags", syscall(SYS_pidfd_getfd, -1, 0, 1));

    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    fd = syscall(SYS_pidfd_open, pid, 0);
    fact("SIGTERM by pidfd", send_signal(fd, SIGTERM, NULL, 0));
    waitpid(pid, &status, 0);
    printf("status %#x\n", status);
    return 0;
}
