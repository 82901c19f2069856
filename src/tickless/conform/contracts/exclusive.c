/* epoll(7), epoll_ctl(2), pipe(7): of several that wait for one thing, how many are woken by one event. */
#include "contract.h"
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define WAITERS 3

static int woken, tids[WAITERS], epolls[WAITERS], ends[2];
static pthread_t threads[WAITERS];

static void here(int index)
{
    __atomic_store_n(&tids[index], syscall(SYS_gettid), __ATOMIC_RELEASE);
}

static void *wait_for_epoll(void *argument)
{
    struct epoll_event event;
    long index = (long)argument;
    here(index);
    if (epoll_wait(epolls[index], &event, 1, -1) == 1)
        __atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void *wait_for_pipe(void *argument)
{
    char two[2];
    here((long)argument);
    if (read(ends[0], two, sizeof two) > 0)
        __atomic_add_fetch(&woken, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void start(void *(*routine)(void *))
{
    woken = 0;
    for (long i = 0; i < WAITERS; i++) {
        tids[i] = 0;
        pthread_create(&threads[i], NULL, routine, (void *)i);
        while (!__atomic_load_n(&tids[i], __ATOMIC_ACQUIRE))
            sched_yield();
        until_asleep(tids[i]);
    }
}

static int runs(int tid)
{
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    int fd = open(path, O_RDONLY);
    ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    char *name_end = strrchr(text, ')');
    return name_end && (name_end[2] == 'R' || name_end[2] == 'D');
}

/* Whoever is woken may wake the next one: until nobody runs, several times in a row. */
static void see_woken(const char *what)
{
    for (int rests = 0; rests < 3; rests++) {
        nap(2);
        for (int i = 0; i < WAITERS; i++)
            if (runs(tids[i]))
                rests = -1;
    }
    observed(what, "%d woken", __atomic_load_n(&woken, __ATOMIC_RELAXED));
}

static void end_all(void)
{
    for (int i = 0; i < WAITERS; i++) {
        pthread_cancel(threads[i]);
        pthread_join(threads[i], NULL);
    }
}

/* Three threads, each with an epoll of its own or all with one, watch an eventfd to which 1 is added. */
static void see_waiters(const char *what, uint32_t events, int apart)
{
    uint64_t one = 1;
    int fd = eventfd(0, 0);
    for (int i = 0; i < WAITERS; i++) {
        struct epoll_event event = {events, {0}};
        epolls[i] = apart || i == 0 ? epoll_create1(0) : epolls[0];
        if (apart || i == 0)
            epoll_ctl(epolls[i], EPOLL_CTL_ADD, fd, &event);
    }
    start(wait_for_epoll);
    write(fd, &one, 8);
    see_woken(what);
    end_all();
}

RULE(waiters_of_one_epoll, "epoll_wait(2)", "of several that wait for one epoll all are told if it is level-triggered, one of an edge or a one-shot")
{
    see_waiters("level", EPOLLIN, 0);
    see_waiters("edge", EPOLLIN | EPOLLET, 0);
    see_waiters("one shot", EPOLLIN | EPOLLONESHOT, 0);
}

RULE(epolls_of_their_own, "epoll(7)", "of epolls that watch one file all are told, with EPOLLEXCLUSIVE one")
{
    see_waiters("all", EPOLLIN, 1);
    see_waiters("exclusive", EPOLLIN | EPOLLEXCLUSIVE, 1);
    see_waiters("exclusive and edge-triggered", EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1);
}

RULE(nobody_there, "epoll_ctl(2)", "an exclusive interest of an epoll that nobody waits for does not use up the event")
{
    uint64_t one = 1;
    int fd = eventfd(0, 0);
    struct epoll_event event = {EPOLLIN | EPOLLEXCLUSIVE, {0}}, told;
    int idle = epoll_create1(0), busy = epoll_create1(0);
    epoll_ctl(idle, EPOLL_CTL_ADD, fd, &event);
    epoll_ctl(busy, EPOLL_CTL_ADD, fd, &event);
    pid_t child = fork();
    if (child == 0) {
        SEE(epoll_wait(busy, &told, 1, 5000));
        _exit(0);
    }
    until_asleep(child);
    write(fd, &one, 8);
    waitpid(child, NULL, 0);
    SEE(epoll_wait(idle, &told, 1, 0));
}

RULE(readers_of_a_pipe, "pipe(7)", "as many readers are woken as there are bytes for")
{
    if (pipe(ends) < 0)
        cannot_start("pipe");
    for (int size = 1; size <= 5; size += 2) {
        char what[16] = "0 bytes";
        what[0] += size;
        start(wait_for_pipe);
        write(ends[1], "bytes", size);
        see_woken(what);
        end_all();
    }
}
