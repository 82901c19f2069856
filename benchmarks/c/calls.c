// One kind of call in a loop: `calls KIND COUNT`. Measured from outside, because its clocks may be virtual.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void check(int holds, const char *what) {
    if (!holds)
        err(1, "%s", what);
}

static void trapped(long count) {
    for (long i = 0; i < count; i++)
        syscall(SYS_getppid);
}

static void untrapped(long count) {
    for (long i = 0; i < count; i++)
        syscall(SYS_getuid);
}

static void clock_reads(long count) {
    struct timespec now;
    for (long i = 0; i < count; i++)
        clock_gettime(CLOCK_MONOTONIC, &now);
}

static void compute(long count) {
    volatile uint64_t sink;
    uint64_t state = 88172645463325252;
    for (long i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    sink = state;
    (void)sink;
}

static void eventfd_write_read(long count) {
    uint64_t value = 1;
    int fd = eventfd(0, 0);
    for (long i = 0; i < count; i++) {
        check(write(fd, &value, sizeof value) == sizeof value, "write");
        check(read(fd, &value, sizeof value) == sizeof value, "read");
    }
}

static int ready_epoll(int *fd) {
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    *fd = eventfd(1, 0);
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, *fd, &event) == 0, "epoll_ctl");
    return epoll;
}

static void epoll_wait_ready(long count) {
    int fd, epoll = ready_epoll(&fd);
    struct epoll_event event;
    for (long i = 0; i < count; i++)
        check(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
}

static void epoll_ctl_mod(long count) {
    int fd, epoll = ready_epoll(&fd);
    struct epoll_event event = {.events = EPOLLIN};
    for (long i = 0; i < count; i++)
        check(epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0, "epoll_ctl");
}

static void timerfd_settime_far(long count) {
    struct itimerspec hour = {.it_value.tv_sec = 3600};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    for (long i = 0; i < count; i++)
        check(timerfd_settime(fd, 0, &hour, NULL) == 0, "timerfd_settime");
}

static void read_host_file(long count) {
    char byte;
    int fd = open("/dev/zero", O_RDONLY);
    for (long i = 0; i < count; i++)
        check(read(fd, &byte, 1) == 1, "read");
}

// Four calls a round: each of two processes waits for the other's eventfd and writes its own.
static void ping_pong(long count) {
    uint64_t value = 1;
    int ping = eventfd(0, 0), pong = eventfd(0, 0);
    pid_t child = fork();
    check(child >= 0, "fork");
    int mine = child ? ping : pong, other = child ? pong : ping;
    for (long i = 0; i < count; i++) {
        if (child)
            check(write(mine, &value, sizeof value) == sizeof value, "write");
        check(read(other, &value, sizeof value) == sizeof value, "read");
        if (!child)
            check(write(mine, &value, sizeof value) == sizeof value, "write");
    }
    if (child)
        check(waitpid(child, NULL, 0) == child, "waitpid");
}

static void fork_wait(long count) {
    for (long i = 0; i < count; i++) {
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0)
            _exit(0);
        check(waitpid(child, NULL, 0) == child, "waitpid");
    }
}

static void *nothing(void *argument) {
    return argument;
}

static void thread_join(long count) {
    pthread_t thread;
    for (long i = 0; i < count; i++)
        check((errno = pthread_create(&thread, NULL, nothing, NULL)) == 0 && pthread_join(thread, NULL) == 0, "thread");
}

static void spawn_true(long count) {
    char *arguments[] = {"true", NULL};
    pid_t child;
    for (long i = 0; i < count; i++) {
        check((errno = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ)) == 0, "posix_spawn");
        check(waitpid(child, NULL, 0) == child, "waitpid");
    }
}

static const struct {
    const char *name;
    void (*loop)(long);
} KINDS[] = {
    {"trapped", trapped},          {"untrapped", untrapped},   {"clock", clock_reads},
    {"compute", compute},          {"eventfd", eventfd_write_read}, {"epoll_wait", epoll_wait_ready},
    {"epoll_ctl", epoll_ctl_mod},  {"timerfd", timerfd_settime_far}, {"read", read_host_file},
    {"ping_pong", ping_pong},      {"fork", fork_wait},        {"thread", thread_join},
    {"spawn", spawn_true},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc == 3 && i < sizeof KINDS / sizeof *KINDS; i++)
        if (strcmp(argv[1], KINDS[i].name) == 0) {
            KINDS[i].loop(atol(argv[2]));
            return 0;
        }
    errx(2, "usage: calls KIND COUNT");
}
