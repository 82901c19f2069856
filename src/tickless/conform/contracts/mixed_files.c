/* epoll(7), poll(2), select(2): sockets beside eventfds and pipes in one wait, each kind with its own triggers. */
#include "contract.h"
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>

enum { EVENT, SOCKET, PIPE, EPOLL, KINDS };

static int pair[2], ends[2], event, epoll, inner;
static struct epoll_event told[8];
static char bytes[64];

static void make_all(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(ends) < 0)
        cannot_start("socketpair");
    event = eventfd(0, 0);
    inner = eventfd(0, 0);
    epoll = epoll_create1(0);
}

static long control(int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event given = {events, {.u64 = data}};
    return epoll_ctl(epoll, op, fd, &given);
}

static void add_one(int fd)
{
    write(fd, &(uint64_t){1}, 8);
}

/* What an epoll tells now, in the order of the data. */
static void show(const char *what, int room)
{
    char line[256] = "";
    int count = epoll_wait(epoll, told, room, 0);
    for (uint64_t data = 0; data < 8; data++)
        for (int i = 0; i < count; i++)
            if (told[i].data.u64 == data)
                sprintf(line + strlen(line), "%s%d %s", *line ? ", " : "", (int)data, events_name(told[i].events));
    observed(what, "%s", *line ? line : "nothing");
}

RULE(triggers, "epoll(7)", "each interest has its own trigger: a level-triggered eventfd is told beside the edges of a socket")
{
    make_all();
    add_one(event);
    SEE(control(EPOLL_CTL_ADD, event, EPOLLIN, 1));
    SEE(control(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET | EPOLLRDHUP, 2));
    SEE(control(EPOLL_CTL_ADD, pair[0], EPOLLIN, 2));
    SEE(control(EPOLL_CTL_MOD, pair[1], EPOLLIN, 2));
    show("at first", 8);
    write(pair[1], "a", 1);
    show("an edge", 8);
    show("no edge", 8);
    write(pair[1], "b", 1);
    show("another edge", 8);
    shutdown(pair[1], SHUT_WR);
    show("half closed", 8);
    close(pair[1]);
    show("closed", 8);
    SEE(control(EPOLL_CTL_MOD, pair[0], EPOLLIN | EPOLLONESHOT, 3));
    show("one shot", 8);
    show("disarmed", 8);
    close(pair[0]);
    show("gone", 8);
}

RULE(none_starves, "epoll_wait(2)", "with room for one event an eventfd and a socket take turns")
{
    int seen[2] = {0};
    make_all();
    add_one(event);
    write(pair[1], "a", 1);
    SEE(control(EPOLL_CTL_ADD, event, EPOLLIN, 0));
    SEE(control(EPOLL_CTL_ADD, pair[0], EPOLLIN, 1));
    for (int i = 0; i < 10; i++)
        if (epoll_wait(epoll, told, 1, 0) == 1)
            seen[told[0].data.u64]++;
    observed("of ten", "%d and %d", seen[0], seen[1]);
}

RULE(socket_in_a_nested_epoll, "epoll(7)", "an epoll that watches an epoll tells of a socket in that one")
{
    int outer = epoll_create1(0);
    struct epoll_event given = {EPOLLIN, {.u64 = 7}};
    make_all();
    SEE(control(EPOLL_CTL_ADD, pair[0], EPOLLIN, 1));
    SEE(epoll_ctl(outer, EPOLL_CTL_ADD, epoll, &given));
    SEE(epoll_wait(outer, told, 8, 0));
    write(pair[1], "a", 1);
    SEE(epoll_wait(outer, told, 8, 0));
    SEE(read(pair[0], bytes, 8));
    SEE(epoll_wait(outer, told, 8, 0));
}

/* A child that makes one kind of file ready when this process sleeps. */
static pid_t waker(int kind)
{
    pid_t parent = getpid(), child = fork();
    if (child)
        return child;
    until_asleep(parent);
    if (kind == EVENT || kind == EPOLL)
        add_one(kind == EVENT ? event : inner);
    else
        write(kind == PIPE ? ends[1] : pair[1], "x", 1);
    _exit(0);
}

static void drain(int kind)
{
    static const int *const readers[KINDS] = {&event, &pair[0], &ends[0], &inner};
    if (read(*readers[kind], bytes, 8) < 0)
        observed("drain", "%s", errno_name(errno));
}

static const char *const names[] = {"an eventfd", "a socket", "a pipe", "an epoll of another"};

RULE(all_kinds_in_poll, "poll(2)", "a poll of an eventfd, a socket, a pipe and an epoll is woken by each")
{
    make_all();
    control(EPOLL_CTL_ADD, inner, EPOLLIN, 0);
    for (int kind = 0; kind < KINDS; kind++) {
        struct pollfd fds[KINDS] = {{event, POLLIN, 0}, {pair[0], POLLIN, 0}, {ends[0], POLLIN, 0}, {epoll, POLLIN, 0}};
        pid_t child = waker(kind);
        int count = poll(fds, KINDS, 5000);
        observed(names[kind], "%d: %s, %s, %s, %s", count, events_name(fds[0].revents), events_name(fds[1].revents),
                 events_name(fds[2].revents), events_name(fds[3].revents));
        waitpid(child, NULL, 0);
        drain(kind);
    }
}

RULE(all_kinds_in_select, "select(2)", "and so is a select")
{
    make_all();
    control(EPOLL_CTL_ADD, inner, EPOLLIN, 0);
    int fds[KINDS] = {event, pair[0], ends[0], epoll};
    for (int kind = 0; kind < KINDS; kind++) {
        fd_set set;
        FD_ZERO(&set);
        for (int i = 0; i < KINDS; i++)
            FD_SET(fds[i], &set);
        pid_t child = waker(kind);
        int count = select(64, &set, NULL, NULL, &(struct timeval){5, 0});
        observed(names[kind], "%d: %d %d %d %d", count, !!FD_ISSET(fds[0], &set), !!FD_ISSET(fds[1], &set),
                 !!FD_ISSET(fds[2], &set), !!FD_ISSET(fds[3], &set));
        waitpid(child, NULL, 0);
        drain(kind);
    }
}

RULE(all_kinds_in_epoll, "epoll_wait(2)", "and so is a wait for an epoll, edge-triggered, whatever comes first")
{
    static const int order[] = {PIPE, SOCKET, EVENT, SOCKET, PIPE, EVENT};
    make_all();
    control(EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET, EVENT);
    control(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET, SOCKET);
    control(EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET, PIPE);
    for (unsigned i = 0; i < sizeof order / sizeof *order; i++) {
        pid_t child = waker(order[i]);
        int count = epoll_wait(epoll, told, 8, 5000);
        observed(names[order[i]], "%d, %s", count, told[0].data.u64 == (uint64_t)order[i] ? "itself" : "another");
        waitpid(child, NULL, 0);
    }
}

RULE(all_that_is_ready, "epoll_wait(2)", "one wait tells of all that is ready, however many: sockets and eventfds")
{
    enum { MANY = 300 };
    static struct epoll_event many[2 * MANY];
    static char seen[2 * MANY];
    struct rlimit limit;
    int different = 0;
    make_all();
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < 2 * MANY + 20)
        not_here("700 open files");
    for (int i = 0; i < MANY; i++) {
        control(EPOLL_CTL_ADD, dup(pair[i % 2]), EPOLLOUT, 2 * i);
        control(EPOLL_CTL_ADD, dup(event), EPOLLOUT, 2 * i + 1);
    }
    int count = epoll_wait(epoll, many, 2 * MANY, 0);
    for (int i = 0; i < count; i++)
        different += !seen[many[i].data.u64]++;
    observed("told", "%d, different %d", count, different);
}
