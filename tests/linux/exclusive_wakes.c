/* epoll(7), EPOLLEXCLUSIVE, pipe(7): of several that wait for one thing, how many are woken by one event. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WAITERS 3

static atomic_int woken, started, waiting, tids[WAITERS];
static int epolls[WAITERS], ends[2];

static void *wait_for_epoll(void *argument)
{
    struct epoll_event event;
    tids[started++] = syscall(SYS_gettid);
    waiting++;
    if (epoll_wait(*(int *)argument, &event, 1, -1) == 1)
        woken++;
    return NULL;
}

static void *wait_for_pipe(void *argument)
{
    char bytes[2];
    tids[started++] = syscall(SYS_gettid);
    waiting++;
    if (read(ends[0], bytes, sizeof bytes) > 0)
        woken++;
    return argument;
}

/* Whether every waiter has ended or sleeps. */
static int all_rest(void)
{
    for (int i = 0; i < WAITERS; i++) {
        char path[64], state = 'S';
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tids[i]);
        FILE *file = fopen(path, "r");
        if (file != NULL) {
            if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
                state = 'S';
            fclose(file);
        }
        if (state != 'S')
            return 0;
    }
    return 1;
}

/* One wakes the next, which on a busy machine takes its time: they have to rest twice in a row. */
static void until_all_rest(void)
{
    for (int rests = 0; rests < 2; rests = all_rest() ? rests + 1 : 0)
        usleep(20000);
}

static void count(const char *what, void *(*wait)(void *), int apart, int fd, const void *data, int size)
{
    pthread_t threads[WAITERS];
    woken = started = waiting = 0;
    for (int i = 0; i < WAITERS; i++)
        pthread_create(&threads[i], NULL, wait, &epolls[apart ? i : 0]);
    while (waiting < WAITERS)
        usleep(1000);
    until_all_rest();
    if (write(fd, data, size) != size)
        perror("write");
    until_all_rest();
    printf("%s: %d\n", what, (int)woken);
    for (int i = 0; i < WAITERS; i++) {
        pthread_cancel(threads[i]);
        pthread_join(threads[i], NULL);
    }
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
