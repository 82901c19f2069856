/* shutdown(2), socket(7), poll(2), epoll(7): sockets one of whose ways is shut, or whose peer has gone. */
#include "contract.h"
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ALL (POLLIN | POLLPRI | POLLOUT | POLLRDHUP)

static int pair[2];
static char bytes[64];

static void make_pair(int type)
{
    if (socketpair(AF_UNIX, type, 0, pair) < 0)
        cannot_start("socketpair");
}

/* A TCP connection over loopback; pair[0] is the client's end. */
static void make_connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, size) < 0 || listen(listener, 1) < 0)
        cannot_start("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(pair[0], (struct sockaddr *)&address, size) < 0)
        cannot_start("connect");
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, ALL, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents);
}

/* The same once something of `events` is there: what crosses a network takes its time. */
static const char *readiness_after(int fd, int events)
{
    struct pollfd entry = {fd, events, 0};
    if (poll(&entry, 1, 10000) != 1)
        return "nothing for 10 s";
    return readiness(fd);
}

static const char *edge(int epoll)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, 0) == 1 ? events_name(event.events) : "no edge";
}

static int edge_epoll(int fd)
{
    struct epoll_event event = {ALL | EPOLLET, {.fd = fd}};
    int epoll = epoll_create1(0);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        cannot_start("epoll_ctl");
    edge(epoll);
    return epoll;
}

RULE(shutdown_arguments, "shutdown(2)", "EINVAL for another way, ENOTSOCK, EBADF, ENOTCONN without a peer")
{
    make_pair(SOCK_STREAM);
    SEE(shutdown(pair[0], 3));
    SEE(shutdown(pair[0], -1));
    SEE(shutdown(0, SHUT_RD));
    SEE(shutdown(99, 7));
    SEE(shutdown(socket(AF_INET, SOCK_STREAM, 0), SHUT_WR));
    SEE(shutdown(socket(AF_UNIX, SOCK_STREAM, 0), SHUT_WR));
}

RULE(shut_for_writing, "shutdown(2)", "after SHUT_WR writes are EPIPE, what was sent is read and then 0; the other way goes on")
{
    signal(SIGPIPE, SIG_IGN);
    make_pair(SOCK_STREAM);
    SEE(write(pair[0], "last", 4));
    SEE(shutdown(pair[0], SHUT_WR));
    SEE(write(pair[0], "x", 1));
    SEE(send(pair[0], "x", 1, MSG_NOSIGNAL));
    SEE(read(pair[1], bytes, 64));
    SEE(read(pair[1], bytes, 64));
    SEE(write(pair[1], "back", 4));
    SEE(read(pair[0], bytes, 64));
}

RULE(shut_for_reading, "shutdown(2)", "after SHUT_RD of a unix socket reads are 0, and the peer's writes EPIPE")
{
    signal(SIGPIPE, SIG_IGN);
    make_pair(SOCK_STREAM);
    SEE(write(pair[1], "kept", 4));
    SEE(shutdown(pair[0], SHUT_RD));
    SEE(read(pair[0], bytes, 64));
    SEE(read(pair[0], bytes, 64));
    SEE(write(pair[1], "x", 1));
    SEE(write(pair[0], "on", 2));
}

RULE(unix_readiness, "poll(2)", "a unix socket shut on one side: RDHUP to its peer, HUP only when both ways are shut")
{
    make_pair(SOCK_STREAM);
    observed("open", "%s and %s", readiness(pair[0]), readiness(pair[1]));
    shutdown(pair[0], SHUT_WR);
    observed("shut for writing", "%s and %s", readiness(pair[0]), readiness(pair[1]));
    shutdown(pair[0], SHUT_RD);
    observed("both ways", "%s and %s", readiness(pair[0]), readiness(pair[1]));
    make_pair(SOCK_STREAM);
    close(pair[1]);
    observed("its peer closed", "%s", readiness(pair[0]));
}

RULE(tcp_readiness, "poll(2)", "a TCP socket whose peer has shut its way: RDHUP; HUP when both have")
{
    make_connection();
    observed("open", "%s", readiness(pair[0]));
    SEE(shutdown(pair[1], SHUT_WR));
    observed("the peer writes no more", "%s", readiness_after(pair[0], POLLRDHUP));
    observed("the one that shut", "%s", readiness(pair[1]));
    SEE(shutdown(pair[0], SHUT_WR));
    observed("both", "%s", readiness_after(pair[1], POLLHUP));
}

RULE(never_connected, "poll(2)", "a TCP socket that never was connected is OUT|HUP, a unix one too; one that listens is neither")
{
    struct sockaddr_un address = {AF_UNIX, "here"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), inet = socket(AF_INET, SOCK_STREAM, 0);
    observed("TCP", "%s", readiness(inet));
    observed("unix", "%s", readiness(listener));
    observed("datagrams", "%s", readiness(socket(AF_INET, SOCK_DGRAM, 0)));
    bind(listener, (struct sockaddr *)&address, sizeof address);
    listen(listener, 1);
    observed("unix, listens", "%s", readiness(listener));
    listen(inet, 1);
    observed("TCP, listens", "%s", readiness(inet));
}

RULE(a_listener_is_shut, "shutdown(2)", "shut, a listener of TCP refuses, and its accept ends at once")
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    SEE(bind(listener, (struct sockaddr *)&address, size));
    SEE(listen(listener, 1));
    getsockname(listener, (struct sockaddr *)&address, &size);
    pid_t child = fork();
    if (child == 0) {
        SEE(accept(listener, NULL, NULL));
        _exit(0);
    }
    until_asleep(child);
    shutdown(listener, SHUT_RD);
    waitpid(child, NULL, 0);
    SEE(accept(listener, NULL, NULL));
    SEE(connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, size));
}

RULE(edges_of_an_end, "epoll(7)", "a shutdown by the peer and its close are edges each")
{
    make_pair(SOCK_STREAM);
    int epoll = edge_epoll(pair[0]);
    observed("nothing new", "%s", edge(epoll));
    write(pair[1], "x", 1);
    observed("written", "%s", edge(epoll));
    shutdown(pair[1], SHUT_WR);
    observed("shut", "%s", edge(epoll));
    observed("nothing new", "%s", edge(epoll));
    close(pair[1]);
    observed("closed", "%s", edge(epoll));
    observed("nothing new", "%s", edge(epoll));
}

RULE(edge_of_a_read, "epoll(7)", "a read is an edge of writability where the writer had no room, and else none")
{
    static char much[1 << 16];
    make_pair(SOCK_STREAM);
    int epoll = edge_epoll(pair[0]);
    fcntl(pair[0], F_SETFL, O_NONBLOCK), fcntl(pair[1], F_SETFL, O_NONBLOCK);
    while (write(pair[0], much, sizeof much) > 0)
        ;
    observed("full", "%s", edge(epoll));
    while (read(pair[1], much, sizeof much) > 0)
        ;
    observed("drained", "%s", edge(epoll));
    observed("nothing new", "%s", edge(epoll));
}

RULE(a_blocked_read_ends, "shutdown(2)", "a read that waits ends with 0 when either side shuts the way")
{
    for (int mine = 0; mine < 2; mine++) {
        make_pair(SOCK_STREAM);
        pid_t child = fork();
        if (child == 0) {
            SEE(read(pair[0], bytes, 1));
            _exit(0);
        }
        until_asleep(child);
        shutdown(pair[!mine], mine ? SHUT_RD : SHUT_WR);
        waitpid(child, NULL, 0);
    }
}

RULE(a_blocked_write_ends, "shutdown(2)", "a write that waits ends with what has gone when the peer shuts the way, the next is EPIPE")
{
    static char much[1 << 22];
    signal(SIGPIPE, SIG_IGN);
    make_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        long sent = write(pair[0], much, sizeof much);
        observed("the write", "%s", sent < 0 ? errno_name(errno) : sent < (long)sizeof much ? "a part" : "all");
        SEE(write(pair[0], much, sizeof much));
        _exit(0);
    }
    until_asleep(child);
    shutdown(pair[1], SHUT_RD);
    waitpid(child, NULL, 0);
}

RULE(unread_data, "unix(7)", "a peer that closes with unread data is told as ECONNRESET, once")
{
    signal(SIGPIPE, SIG_IGN);
    make_pair(SOCK_STREAM);
    SEE(write(pair[0], "unread", 6));
    SEE(close(pair[1]));
    observed("readiness", "%s", readiness(pair[0]));
    SEE(read(pair[0], bytes, 64));
    SEE(read(pair[0], bytes, 64));
    SEE(write(pair[0], "x", 1));
}

RULE(reset, "tcp(7)", "a reset: ERR|HUP, SO_ERROR tells it once and takes it; afterwards reads give 0")
{
    struct linger now = {1, 0};
    int error = -1;
    socklen_t size = sizeof error;
    signal(SIGPIPE, SIG_IGN);
    make_connection();
    SEE(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof now));
    SEE(close(pair[1]));
    observed("readiness", "%s", readiness_after(pair[0], POLLIN));
    SEE(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &error, &size));
    observed("SO_ERROR", "%s", errno_name(error));
    SEE(getsockopt(pair[0], SOL_SOCKET, SO_ERROR, &error, &size));
    SEE(error);
    SEE(read(pair[0], bytes, 1));
    SEE(write(pair[0], "x", 1));
}

RULE(refused, "connect(2)", "a connect that does not wait: EINPROGRESS or refused at once; SO_ERROR and readiness tell the end")
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int error = -1, port = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    bind(port, (struct sockaddr *)&address, size);
    getsockname(port, (struct sockaddr *)&address, &size);
    SEE(connect(fd, (struct sockaddr *)&address, size));
    observed("readiness", "%s", readiness_after(fd, POLLOUT));
    size = sizeof error;
    SEE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size));
    observed("SO_ERROR", "%s", errno_name(error));
    observed("readiness", "%s", readiness(fd));
}

RULE(connect_errors, "connect(2)", "EBADF, ENOTSOCK, EINVAL for an address that is too short, EFAULT; EISCONN twice, the flags stay")
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, size);
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)&address, &size);
    SEE(connect(99, (struct sockaddr *)&address, size));
    SEE(connect(0, (struct sockaddr *)&address, size));
    SEE(connect(fd, (struct sockaddr *)&address, 1));
    SEE(connect(fd, NULL, 0));
    SEE(connect(fd, (struct sockaddr *)&address, 999));
    SEE(syscall(SYS_connect, fd, 16, size));
    SEE(connect(fd, (struct sockaddr *)&address, size));
    SEE(connect(fd, (struct sockaddr *)&address, size));
    SEE(fcntl(fd, F_GETFL) == O_RDWR);
}

RULE(urgent, "tcp(7)", "urgent data is PRI until it is read with MSG_OOB, and not among the rest")
{
    int at_mark = -1;
    make_connection();
    SEE(send(pair[0], "!", 1, MSG_OOB));
    observed("readiness", "%s", readiness_after(pair[1], POLLPRI));
    SEE(ioctl(pair[1], SIOCATMARK, &at_mark));
    SEE(at_mark);
    SEE(recv(pair[1], bytes, 1, MSG_OOB));
    observed("readiness", "%s", readiness(pair[1]));
    SEE(recv(pair[1], bytes, 1, MSG_OOB));
}

RULE(datagrams, "unix(7)", "a datagram socket whose peer has closed: ECONNREFUSED; a shut way reads 0")
{
    signal(SIGPIPE, SIG_IGN);
    make_pair(SOCK_DGRAM);
    SEE(shutdown(pair[0], SHUT_RD));
    SEE(read(pair[0], bytes, 1));
    SEE(write(pair[1], "x", 1));
    observed("readiness", "%s and %s", readiness(pair[0]), readiness(pair[1]));
    make_pair(SOCK_DGRAM);
    close(pair[1]);
    observed("readiness", "%s", readiness(pair[0]));
    SEE(write(pair[0], "x", 1));
    SEE(recv(pair[0], bytes, 1, MSG_DONTWAIT));
}

RULE(empty_datagram, "recv(2)", "a datagram of nothing is readable and reads 0; too long ones are cut, MSG_TRUNC tells")
{
    int waiting = -1;
    make_pair(SOCK_DGRAM);
    SEE(send(pair[0], "", 0, 0));
    observed("readiness", "%s", readiness(pair[1]));
    SEE(ioctl(pair[1], FIONREAD, &waiting));
    SEE(waiting);
    SEE(recv(pair[1], bytes, 64, 0));
    observed("readiness", "%s", readiness(pair[1]));
    SEE(send(pair[0], "longer", 6, 0));
    SEE(recv(pair[1], bytes, 2, MSG_TRUNC));
    SEE(recv(pair[1], bytes, 2, MSG_DONTWAIT));
}

RULE(waitall, "recv(2)", "MSG_WAITALL waits until the buffer is full or the peer has ended")
{
    make_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        SEE(recv(pair[1], bytes, 8, MSG_WAITALL));
        SEE(recv(pair[1], bytes, 8, MSG_WAITALL));
        _exit(0);
    }
    until_asleep(child);
    write(pair[0], "1234", 4);
    until_asleep(child);
    write(pair[0], "56789", 5);
    until_asleep(child);
    shutdown(pair[0], SHUT_WR);
    waitpid(child, NULL, 0);
}

RULE(timeouts, "socket(7)", "SO_RCVTIMEO and SO_SNDTIMEO end a wait with EAGAIN, not before their time")
{
    static char much[1 << 22];
    struct timeval span = {0, 20000}, wrong = {0, 1000000};
    make_pair(SOCK_STREAM);
    SEE(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wrong, sizeof wrong));
    SEE(setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &span, sizeof span));
    SEE(setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &span, sizeof span));
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(read(pair[0], bytes, 1));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
    while (write(pair[0], much, sizeof much) > 0)
        ;
    start = now_ns(CLOCK_MONOTONIC);
    SEE(write(pair[0], much, 1));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
}

RULE(abstract_names, "unix(7)", "autobind takes an abstract name of five digits; a name is free again after the last close")
{
    struct sockaddr_un address = {.sun_family = AF_UNIX}, again = {.sun_family = AF_UNIX};
    socklen_t size = sizeof again;
    int first = socket(AF_UNIX, SOCK_STREAM, 0), second = socket(AF_UNIX, SOCK_STREAM, 0);
    SEE(bind(first, (struct sockaddr *)&address, sizeof(sa_family_t)));
    SEE(getsockname(first, (struct sockaddr *)&again, &size));
    SEE(size);
    SEE(again.sun_path[0]);
    SEE(bind(second, (struct sockaddr *)&again, size));
    close(first);
    SEE(bind(second, (struct sockaddr *)&again, size));
}

RULE(who_listens, "unix(7)", "ECONNREFUSED where nobody listens, ENOENT without a name, EPROTOTYPE for another kind")
{
    struct sockaddr_un address = {AF_UNIX, "here"}, nowhere = {AF_UNIX, "nowhere"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    SEE(bind(listener, (struct sockaddr *)&address, sizeof address));
    SEE(connect(client, (struct sockaddr *)&address, sizeof address));
    SEE(connect(client, (struct sockaddr *)&nowhere, sizeof nowhere));
    SEE(listen(listener, 1));
    SEE(connect(socket(AF_UNIX, SOCK_DGRAM, 0), (struct sockaddr *)&address, sizeof address));
    SEE(connect(client, (struct sockaddr *)&address, sizeof address));
    SEE(connect(client, (struct sockaddr *)&address, sizeof address));
    SEE(close(listener));
    SEE(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
}
