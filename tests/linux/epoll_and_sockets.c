/* epoll(7), poll(2), select(2): sockets beside eventfds and pipes, each kind with its own triggers. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static struct epoll_event out[8];

static void show(const char *what, int epfd, int room)
{
    int count = epoll_wait(epfd, out, room, 0);
    int events[64] = {0};
    printf("%s:", what);
    for (int i = 0; i < count; i++)
        events[out[i].data.u64] = out[i].events;
    for (int i = 0; i < 64; i++)
        if (events[i])
            printf(" %d=%x", i, events[i]);
    printf("\n");
}

static int control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epfd, op, fd, &event) ? errno : 0;
}

static void say(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) < 0)
        perror("write");
}

static void hear(int fd)
{
    char heard[64];
    if (read(fd, heard, sizeof heard) < 0)
        perror("read");
}

static void triggers(void)
{
    int pair[2], epoll = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    int event = eventfd(1, 0);

    control(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 1);
    control(epoll, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET | EPOLLRDHUP, 2);
    printf("again: %s\n", strerrorname_np(control(epoll, EPOLL_CTL_ADD, pair[0], EPOLLIN, 2)));
    printf("not there: %s\n", strerrorname_np(control(epoll, EPOLL_CTL_MOD, pair[1], EPOLLIN, 2)));
    show("at first", epoll, 8);
    say(pair[1], "a");
    show("an edge", epoll, 8);
    show("no edge", epoll, 8);
    say(pair[1], "b");
    show("another edge", epoll, 8);
    shutdown(pair[1], SHUT_WR);
    show("half closed", epoll, 8);
    close(pair[1]);
    show("closed", epoll, 8);
    control(epoll, EPOLL_CTL_MOD, pair[0], EPOLLIN | EPOLLONESHOT, 3);
    show("one shot", epoll, 8);
    show("disarmed", epoll, 8);
    close(pair[0]);
    show("gone", epoll, 8);
}

static void fairness(void)
{
    int pair[2], epoll = epoll_create1(0), seen[2] = {0};
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    say(pair[1], "a");
    control(epoll, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN, 0);
    control(epoll, EPOLL_CTL_ADD, pair[0], EPOLLIN, 1);
    for (int i = 0; i < 10; i++) {
        epoll_wait(epoll, out, 1, 0);
        seen[out[0].data.u64]++;
    }
    printf("of ten: %d and %d\n", seen[0], seen[1]);
}

static void nested(void)
{
    int pair[2], inner = epoll_create1(0), outer = epoll_create1(0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    control(inner, EPOLL_CTL_ADD, pair[0], EPOLLIN, 1);
    control(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2);
    show("nested, nothing", outer, 8);
    say(pair[1], "a");
    show("nested, something", outer, 8);
    hear(pair[0]);
    show("nested, nothing again", outer, 8);
}

static int wake_fds[2];

static void *waker(void *argument)
{
    usleep(20000);
    say(wake_fds[1], argument);
    return NULL;
}

static void all_kinds_in_poll_and_select(void)
{
    int pair[2], ends[2], event = eventfd(0, 0), epoll = epoll_create1(0);
    pthread_t thread;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    if (pipe(ends) < 0)
        perror("pipe");
    control(epoll, EPOLL_CTL_ADD, pair[0], EPOLLIN, 0);

    for (int kind = 0; kind < 2; kind++) {
        struct pollfd fds[] = {{pair[0], POLLIN, 0}, {ends[0], POLLIN, 0}, {event, POLLIN | POLLOUT, 0}, {epoll, POLLIN, 0}};
        printf("poll: %d", poll(fds, 4, 0));
        fds[2].events = POLLIN;
        memcpy(wake_fds, kind ? pair : ends, sizeof wake_fds);
        pthread_create(&thread, NULL, waker, "x");
        printf(" then %d:", poll(fds, 4, 5000));
        for (int i = 0; i < 4; i++)
            printf(" %x", fds[i].revents);
        pthread_join(thread, NULL);
        hear(wake_fds[0]);

        fd_set set;
        FD_ZERO(&set);
        for (int i = 0; i < 4; i++)
            FD_SET(fds[i].fd, &set);
        pthread_create(&thread, NULL, waker, "x");
        printf("; select: %d:", select(64, &set, NULL, NULL, &(struct timeval){5, 0}));
        for (int i = 0; i < 4; i++)
            printf(" %d", FD_ISSET(fds[i].fd, &set));
        printf("\n");
        pthread_join(thread, NULL);
        hear(wake_fds[0]);
    }
}

static void epoll_waits_for_both(void)
{
    int pair[2], ends[2], epoll = epoll_create1(0);
    pthread_t thread;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    if (pipe(ends) < 0)
        perror("pipe");
    control(epoll, EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET, 1);
    control(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET, 2);
    for (int round = 0; round < 4; round++) {
        memcpy(wake_fds, round % 2 ? pair : ends, sizeof wake_fds);
        pthread_create(&thread, NULL, waker, "x");
        int count = epoll_wait(epoll, out, 8, 5000);
        printf("woken by %d: %d\n", count, (int)out[0].data.u64);
        pthread_join(thread, NULL);
    }
}

/* One wait tells of all that is ready, however many that are. */
static void many(void)
{
    enum { MANY = 700 };
    static struct epoll_event told[2 * MANY];
    static int seen[MANY];
    int pair[2], epoll = epoll_create1(0), different = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    for (int i = 0; i < MANY; i++)
        control(epoll, EPOLL_CTL_ADD, dup(pair[i % 2]), EPOLLOUT, i);
    int count = epoll_wait(epoll, told, 2 * MANY, 0);
    for (int i = 0; i < count; i++)
        different += !seen[told[i].data.u64]++;
    printf("many: %d, different %d\n", count, different);
}

int main(void)
{
    triggers();
    fairness();
    many();
    nested();
    all_kinds_in_poll_and_select();
    epoll_waits_for_both();
    return 0;
}
