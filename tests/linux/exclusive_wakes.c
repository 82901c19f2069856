/* epoll(7), EPOLLEXCLUSIVE, pipe(7): of several that wait for one thing, how many are woken by one event. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAITERS 3

static atomic_int woken, waiting;
static int epolls[WAITERS], ends[2];

static void *wait_for_epoll(void *argument)
{
    struct epoll_event event;
    waiting++;
    if (epoll_wait(*(int *)argument, &event, 1, 120) == 1)
        woken++;
    return NULL;
}

static void *wait_for_pipe(void *argument)
{
    char bytes[2];
    waiting++;
    if (read(ends[0], bytes, sizeof bytes) > 0)
        woken++;
    return argument;
}

static void count(const char *what, void *(*wait)(void *), int apart, int fd, const void *data, int size)
{
    pthread_t threads[WAITERS];
    woken = waiting = 0;
    for (int i = 0; i < WAITERS; i++)
        pthread_create(&threads[i], NULL, wait, &epolls[apart ? i : 0]);
    while (waiting < WAITERS)
        usleep(1000);
    usleep(20000);
    if (write(fd, data, size) != size)
        perror("write");
    usleep(50000);
    printf("%s: %d\n", what, (int)woken);
    if (fd == ends[1])
        close(fd);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
}

static int watched_with(uint32_t events, int apart)
{
    int fd = eventfd(0, 0);
    for (int i = 0; i < WAITERS; i++) {
        struct epoll_event event = {events, {0}};
        epolls[i] = epoll_create1(0);
        if (apart || i == 0)
            epoll_ctl(epolls[i], EPOLL_CTL_ADD, fd, &event);
    }
    return fd;
}

int main(void)
{
    uint64_t one = 1;
    count("one epoll, level", wait_for_epoll, 0, watched_with(EPOLLIN, 0), &one, 8);
    count("one epoll, edge", wait_for_epoll, 0, watched_with(EPOLLIN | EPOLLET, 0), &one, 8);
    count("one epoll, one shot", wait_for_epoll, 0, watched_with(EPOLLIN | EPOLLONESHOT, 0), &one, 8);
    count("epolls of their own", wait_for_epoll, 1, watched_with(EPOLLIN, 1), &one, 8);
    count("exclusive", wait_for_epoll, 1, watched_with(EPOLLIN | EPOLLEXCLUSIVE, 1), &one, 8);
    count("exclusive, edge", wait_for_epoll, 1, watched_with(EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1), &one, 8);
    for (int size = 1; size <= 5; size += 2) {
        if (pipe(ends) < 0)
            perror("pipe");
        printf("%d bytes: ", size);
        count("readers of a pipe", wait_for_pipe, 0, ends[1], "bytes", size);
    }
    return 0;
}
