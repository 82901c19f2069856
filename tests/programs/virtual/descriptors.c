/* Opens one of each virtual file, watches some, and waits for a line: the test looks at /proc/PID/fd meanwhile. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static int pipe_fds[2], counter, timer, signals, epoll;

static void open_all(void) {
    sigset_t usr1;
    struct itimerspec armed = {.it_value.tv_sec = 1};
    struct epoll_event in = {.events = EPOLLIN};
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    check(pipe(pipe_fds) == 0 && write(pipe_fds[1], "hello", 5) == 5, "fill a pipe");
    counter = eventfd(1, 0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(timer, 0, &armed, NULL);
    signals = signalfd(-1, &usr1, 0);
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &in);
    epoll_ctl(epoll, EPOLL_CTL_ADD, signals, &in);
    dup(counter);
    syscall(SYS_pidfd_open, getpid(), 0);
}

static void *wait_for_the_end(void *unused) {
    char byte;
    (void)unused;
    read(pipe_fds[0], &byte, 1); /* gives the h at once */
    return NULL;
}

int main(void) {
    char line[16];
    struct epoll_event events[8];
    pthread_t thread;
    open_all();
    pthread_create(&thread, NULL, wait_for_the_end, NULL);
    pthread_join(thread, NULL);
    pid_t child = fork();
    if (child == 0) pause();
    nap_ms(1500);
    printf("ready %d\n", epoll_wait(epoll, events, 8, 0));
    if (read(0, line, sizeof line) <= 0) return 1;
    kill(child, SIGTERM);
    wait_and_show("the child", child);
}
