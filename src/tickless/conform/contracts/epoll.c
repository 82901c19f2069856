/* epoll(7), epoll_create1(2), epoll_ctl(2): the interest list, what may be in it, and the order of checks. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1U << 28)
#endif

static struct epoll_event got[8];

static int new_epoll(void)
{
    int epoll = epoll_create1(0);
    if (epoll < 0)
        cannot_start("epoll_create1");
    return epoll;
}

static long control(int epoll, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {events, {.u64 = data}};
    return syscall(SYS_epoll_ctl, epoll, op, fd, &event);
}

static long add(int epoll, int fd, uint32_t events)
{
    return control(epoll, EPOLL_CTL_ADD, fd, events, fd);
}

static void see_wait(const char *when, int epoll, int room)
{
    int count = epoll_wait(epoll, got, room, 0);
    observed(when, "%d", count);
    for (int i = 0; i < count; i++)
        observed("  event", "%s of %d", events_name(got[i].events), got[i].data.fd);
}

RULE(create, "epoll_create1(2)", "EINVAL for unknown flags; epoll_create's size has to be positive")
{
    SEE(epoll_create1(1));
    SEE(epoll_create1(O_NONBLOCK));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    SEE(fcntl(epoll, F_GETFD));
    SEE_WHETHER(fcntl(epoll, F_GETFL) == O_RDWR);
#ifdef SYS_epoll_create
    SEE(syscall(SYS_epoll_create, 0));
    SEE(syscall(SYS_epoll_create, -1));
    SEE_WHETHER(syscall(SYS_epoll_create, 1) >= 0);
#endif
}

RULE(no_data, "epoll(7)", "an epoll can be polled, but neither read nor written")
{
    int epoll = new_epoll();
    char byte;
    SEE(read(epoll, &byte, 1));
    SEE(write(epoll, &byte, 1));
    SEE(pread(epoll, &byte, 1, 0));
}

RULE(order, "epoll_ctl(2)", "the event is read first, unless it is DEL; then the epoll, then the file is looked up")
{
    int epoll = new_epoll(), fd = eventfd(0, 0);
    SEE(syscall(SYS_epoll_ctl, 99, EPOLL_CTL_ADD, 98, 16L));
    SEE(syscall(SYS_epoll_ctl, 99, EPOLL_CTL_DEL, 98, 16L));
    SEE(syscall(SYS_epoll_ctl, 99, 77, 98, 16L));
    SEE(add(99, fd, EPOLLIN));
    SEE(add(epoll, 99, EPOLLIN));
    SEE(add(fd, epoll, EPOLLIN));
    SEE(add(0, fd, EPOLLIN));
    SEE(add(epoll, epoll, EPOLLIN));
    SEE(control(epoll, 77, fd, EPOLLIN, 0));
    SEE(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0));
    SEE(control(epoll, EPOLL_CTL_DEL, fd, EPOLLIN, 0));
    SEE(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, fd, 0L));
}

RULE(twice, "epoll_ctl(2)", "EEXIST for a file that is there under that number; a duplicate is another")
{
    int epoll = new_epoll(), fd = eventfd(1, 0), copy = dup(fd);
    SEE(add(epoll, fd, EPOLLIN));
    SEE(add(epoll, fd, EPOLLOUT));
    SEE(add(epoll, copy, EPOLLIN));
    see_wait("both", epoll, 8);
    SEE(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
    SEE(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
    see_wait("one", epoll, 8);
}

RULE(plain_files, "epoll_ctl(2)", "EPERM for files that cannot be polled: on disk, folders, /dev/null not")
{
    int epoll = new_epoll();
    SEE(add(epoll, open("file", O_CREAT | O_RDWR, 0600), EPOLLIN));
    SEE(add(epoll, open(".", O_RDONLY), EPOLLIN));
    SEE(add(epoll, open("file", O_PATH), EPOLLIN));
    SEE(add(epoll, open("/dev/null", O_RDONLY), EPOLLIN));
    SEE(add(epoll, open("/dev/zero", O_RDONLY), EPOLLIN));
    SEE(add(epoll, inotify_init1(0), EPOLLIN));
}

RULE(level, "epoll(7)", "level-triggered: told as long as it is true")
{
    int epoll = new_epoll(), fd = eventfd(0, EFD_NONBLOCK);
    add(epoll, fd, EPOLLIN);
    see_wait("at 0", epoll, 8);
    eventfd_write(fd, 2);
    see_wait("at 2", epoll, 8);
    see_wait("still at 2", epoll, 8);
    eventfd_read(fd, &(eventfd_t){0});
    see_wait("read", epoll, 8);
}

RULE(edge, "epoll(7)", "edge-triggered: told once for each write, also if nothing was read between")
{
    int epoll = new_epoll(), fd = eventfd(0, EFD_NONBLOCK);
    add(epoll, fd, EPOLLIN | EPOLLET);
    eventfd_write(fd, 1);
    see_wait("written", epoll, 8);
    see_wait("again", epoll, 8);
    eventfd_write(fd, 1);
    see_wait("written again", epoll, 8);
    eventfd_write(fd, 1);
    eventfd_write(fd, 1);
    see_wait("written twice", epoll, 8);
    see_wait("after that", epoll, 8);
}

RULE(edge_at_add, "epoll(7)", "an edge-triggered file that is ready when added or modified is told once")
{
    int epoll = new_epoll(), fd = eventfd(1, EFD_NONBLOCK);
    add(epoll, fd, EPOLLIN | EPOLLET);
    see_wait("added", epoll, 8);
    see_wait("again", epoll, 8);
    control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLET, fd);
    see_wait("modified", epoll, 8);
    see_wait("again", epoll, 8);
}

RULE(oneshot, "epoll_ctl(2)", "EPOLLONESHOT: told once, then nothing until EPOLL_CTL_MOD")
{
    int epoll = new_epoll(), fd = eventfd(1, EFD_NONBLOCK);
    add(epoll, fd, EPOLLIN | EPOLLONESHOT);
    see_wait("first", epoll, 8);
    eventfd_write(fd, 1);
    see_wait("written", epoll, 8);
    SEE(add(epoll, fd, EPOLLIN));
    SEE(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, fd));
    see_wait("modified", epoll, 8);
    see_wait("again", epoll, 8);
}

RULE(modify, "epoll_ctl(2)", "EPOLL_CTL_MOD changes events and data, also of what is ready")
{
    int epoll = new_epoll(), fd = eventfd(1, EFD_NONBLOCK);
    add(epoll, fd, EPOLLIN);
    SEE(control(epoll, EPOLL_CTL_MOD, fd, EPOLLOUT, 77));
    see_wait("now writable", epoll, 8);
    SEE(control(epoll, EPOLL_CTL_MOD, fd, 0, 78));
    see_wait("nothing wanted", epoll, 8);
}

RULE(always, "epoll_ctl(2)", "EPOLLERR and EPOLLHUP are told even where nothing was asked for")
{
    int epoll = new_epoll(), ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    add(epoll, ends[0], 0);
    see_wait("writer there", epoll, 8);
    close(ends[1]);
    see_wait("writer gone", epoll, 8);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    control(epoll, EPOLL_CTL_ADD, ends[1], 0, 55);
    close(ends[0]);
    see_wait("reader gone", epoll, 8);
}

RULE(closed, "epoll(7)", "a file leaves the list when its last number is closed, not before")
{
    int epoll = new_epoll(), fd = eventfd(1, 0), copy = dup(fd);
    add(epoll, fd, EPOLLIN);
    close(fd);
    see_wait("a duplicate is left", epoll, 8);
    SEE(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
    close(copy);
    see_wait("closed", epoll, 8);
}

RULE(fair, "epoll_wait(2)", "with room for few events the others come first the next time")
{
    int epoll = new_epoll(), fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = eventfd(1, 0);
        control(epoll, EPOLL_CTL_ADD, fds[i], EPOLLIN, i);
    }
    see_wait("first two", epoll, 2);
    see_wait("then", epoll, 2);
    see_wait("then", epoll, 2);
}

RULE(exclusive, "epoll_ctl(2)", "EPOLLEXCLUSIVE goes with ADD alone, few other flags, and no epoll")
{
    int epoll = new_epoll(), inner = new_epoll(), fd = eventfd(1, 0);
    SEE(add(epoll, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT));
    SEE(add(epoll, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP));
    SEE(add(epoll, inner, EPOLLIN | EPOLLEXCLUSIVE));
    SEE(add(epoll, fd, EPOLLIN | EPOLLEXCLUSIVE | EPOLLET));
    SEE(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN, 0));
    SEE(control(epoll, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLEXCLUSIVE, 0));
    SEE(control(epoll, EPOLL_CTL_DEL, fd, 0, 0));
}

RULE(nested, "epoll(7)", "an epoll is readable while something in it is ready, and can be watched by another")
{
    int outer = new_epoll(), inner = new_epoll(), fd = eventfd(0, EFD_NONBLOCK);
    struct pollfd entry = {inner, POLLIN, 0};
    add(inner, fd, EPOLLIN);
    add(outer, inner, EPOLLIN);
    see_wait("nothing", outer, 8);
    eventfd_write(fd, 1);
    SEE(poll(&entry, 1, 0));
    see_wait("outer", outer, 8);
    see_wait("inner", inner, 8);
    eventfd_read(fd, &(eventfd_t){0});
    see_wait("read", outer, 8);
    SEE(poll(&entry, 1, 0));
}

RULE(nested_wakes, "epoll(7)", "who waits for an epoll, in another or in poll, is woken when something in it becomes ready")
{
    int inner = new_epoll(), outer = new_epoll(), event = eventfd(0, 0);
    struct pollfd entry = {inner, POLLIN, 0};
    add(inner, event, EPOLLIN);
    add(outer, inner, EPOLLIN);
    for (int by_poll = 0; by_poll < 2; by_poll++) {
        uint64_t count = 1;
        pid_t child = fork();
        if (child == 0) {
            if (by_poll)
                SEE(poll(&entry, 1, -1));
            else
                SEE(epoll_wait(outer, got, 8, -1));
            _exit(0);
        }
        until_asleep(child);
        write(event, &count, 8);
        waitpid(child, NULL, 0);
        read(event, &count, 8);
    }
}

RULE(loops, "epoll_ctl(2)", "ELOOP for a circle of epolls, and for more than five on top of each other")
{
    int chain[7], first = new_epoll(), second = new_epoll();
    SEE(add(first, second, EPOLLIN));
    SEE(add(second, first, EPOLLIN));
    for (int i = 0; i < 7; i++)
        chain[i] = new_epoll();
    for (int i = 0; i < 6; i++)
        observed("on top of each other", "%d: %s", i + 2,
                 add(chain[i + 1], chain[i], EPOLLIN) < 0 ? errno_name(errno) : "taken");
}

RULE(rdhup, "epoll_ctl(2)", "EPOLLRDHUP tells that the peer has shut down writing")
{
    int epoll = new_epoll(), ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        cannot_start("socketpair");
    add(epoll, ends[0], EPOLLIN | EPOLLRDHUP);
    see_wait("open", epoll, 8);
    shutdown(ends[1], SHUT_WR);
    see_wait("shut down", epoll, 8);
    close(ends[1]);
    see_wait("closed", epoll, 8);
}

RULE(both_directions, "epoll(7)", "a socket's events are told together")
{
    int epoll = new_epoll(), ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        cannot_start("socketpair");
    add(epoll, ends[0], EPOLLIN | EPOLLOUT | EPOLLET);
    see_wait("writable", epoll, 8);
    see_wait("again", epoll, 8);
    if (write(ends[1], "x", 1) != 1)
        cannot_start("write");
    see_wait("and readable", epoll, 8);
}

RULE(shared, "epoll(7)", "a child has the same interest list; what it adds is its parent's, too")
{
    int epoll = new_epoll(), fd = eventfd(1, 0);
    pid_t child = fork();
    if (child == 0) {
        control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, 42);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    see_wait("parent", epoll, 8);
    SEE(add(epoll, fd, EPOLLIN));
}
