/* unix(7), socket(7): what sockets refuse at once, descriptors and credentials that travel, ends that are gone. */
#include "contract.h"
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

static int ends[2];
static char bytes[64];

static void make_pair(int type)
{
    if (socketpair(AF_UNIX, type, 0, ends) < 0)
        cannot_start("socketpair");
}

static int listening(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "socket"};
    if (family == AF_UNIX && bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        cannot_start("bind");
    if (listen(fd, 1) < 0)
        cannot_start("listen");
    return fd;
}

static long send_fd(int over, int fd)
{
    char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec piece = {"x", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(over, &message, 0);
}

static int receive_fd(int over)
{
    int fd = -1;
    char control[CMSG_SPACE(sizeof fd)];
    struct iovec piece = {bytes, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(over, &message, 0) < 0 || CMSG_FIRSTHDR(&message) == NULL)
        return -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

RULE(listening_refuses, "listen(2)", "a socket that listens can neither be read nor written, at once")
{
    int unix_socket = listening(AF_UNIX), inet = listening(AF_INET);
    signal(SIGPIPE, SIG_IGN);
    SEE(read(unix_socket, bytes, 1));
    SEE(recv(unix_socket, bytes, 1, 0));
    SEE(write(unix_socket, "x", 1));
    SEE(read(inet, bytes, 1));
    SEE(write(inet, "x", 1));
}

RULE(accept_refuses, "accept(2)", "EINVAL at once for a socket that does not listen, EOPNOTSUPP for a datagram one, ENOTSOCK")
{
    make_pair(SOCK_STREAM);
    SEE(accept(ends[0], NULL, NULL));
    SEE(accept(socket(AF_INET, SOCK_STREAM, 0), NULL, NULL));
    make_pair(SOCK_DGRAM);
    SEE(accept(ends[0], NULL, NULL));
    SEE(accept(eventfd(0, 0), NULL, NULL));
    SEE(accept(99, NULL, NULL));
}

RULE(unconnected, "recv(2)", "a stream socket that is not connected refuses at once")
{
    int unix_socket = socket(AF_UNIX, SOCK_STREAM, 0), inet = socket(AF_INET, SOCK_STREAM, 0);
    signal(SIGPIPE, SIG_IGN);
    SEE(read(unix_socket, bytes, 1));
    SEE(write(unix_socket, "x", 1));
    SEE(read(inet, bytes, 1));
    SEE(write(inet, "x", 1));
}

RULE(end_of_file, "unix(7)", "a stream gives what was sent and then 0; EPIPE for a write to who is gone")
{
    make_pair(SOCK_STREAM);
    signal(SIGPIPE, SIG_IGN);
    SEE(write(ends[1], "abc", 3));
    close(ends[1]);
    SEE(read(ends[0], bytes, 2));
    SEE(read(ends[0], bytes, 2));
    SEE(read(ends[0], bytes, 2));
    SEE(write(ends[0], "x", 1));
}

RULE(unread_is_reset, "unix(7)", "an end that is closed with something unread resets the other one")
{
    make_pair(SOCK_STREAM);
    SEE(write(ends[0], "abc", 3));
    close(ends[1]);
    SEE(read(ends[0], bytes, 1));
    SEE(read(ends[0], bytes, 1));
}

RULE(messages, "unix(7)", "datagrams and sequenced packets keep their borders, and what does not fit is lost")
{
    for (int i = 0; i < 2; i++) {
        make_pair(i ? SOCK_SEQPACKET : SOCK_DGRAM);
        SEE(send(ends[0], "abc", 3, 0));
        SEE(send(ends[0], "", 0, 0));
        SEE(send(ends[0], "de", 2, 0));
        SEE(recv(ends[1], bytes, 2, 0));
        SEE(recv(ends[1], bytes, 8, 0));
        SEE(recv(ends[1], bytes, 1, MSG_TRUNC));
    }
}

RULE(peek, "recv(2)", "MSG_PEEK leaves what it gives; MSG_DONTWAIT does not wait")
{
    make_pair(SOCK_STREAM);
    SEE(recv(ends[0], bytes, 1, MSG_DONTWAIT));
    SEE(write(ends[1], "abc", 3));
    SEE(recv(ends[0], bytes, 8, MSG_PEEK));
    SEE(recv(ends[0], bytes, 8, 0));
}

RULE(waits, "recv(2)", "a receive waits for the first byte")
{
    make_pair(SOCK_STREAM);
    pid_t reader = getpid(), writer = fork();
    if (writer == 0) {
        until_asleep(reader);
        _exit(write(ends[1], "abc", 3) != 3);
    }
    SEE(recv(ends[0], bytes, 8, 0));
    waitpid(writer, NULL, 0);
}

RULE(shut_down, "shutdown(2)", "SHUT_WR ends the other's reads, SHUT_RD one's own; ENOTCONN without a peer")
{
    make_pair(SOCK_STREAM);
    SEE(shutdown(ends[0], SHUT_WR));
    SEE(read(ends[1], bytes, 1));
    SEE(shutdown(ends[0], SHUT_RD));
    SEE(read(ends[0], bytes, 1));
    SEE(shutdown(ends[0], 7));
    SEE(shutdown(socket(AF_UNIX, SOCK_STREAM, 0), SHUT_RD));
}

RULE(rights, "unix(7)", "SCM_RIGHTS: an eventfd that travels is the same, under a new number")
{
    uint64_t count = 0;
    int fd = eventfd(3, EFD_NONBLOCK);
    make_pair(SOCK_STREAM);
    SEE(send_fd(ends[0], fd));
    close(fd);
    int got = receive_fd(ends[1]);
    SEE(got);
    SEE(read(got, &count, 8));
    SEE(count);
}

RULE(rights_of_a_pipe, "unix(7)", "a pipe's end that is on its way keeps the pipe open")
{
    int pipe_ends[2];
    make_pair(SOCK_STREAM);
    if (pipe(pipe_ends) < 0)
        cannot_start("pipe");
    fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
    SEE(send_fd(ends[0], pipe_ends[1]));
    close(pipe_ends[1]);
    SEE(read(pipe_ends[0], bytes, 1));
    int got = receive_fd(ends[1]);
    SEE(read(pipe_ends[0], bytes, 1));
    close(got);
    SEE(read(pipe_ends[0], bytes, 1));
}

RULE(rights_dropped, "unix(7)", "a descriptor that nobody receives is closed with the socket")
{
    int pipe_ends[2];
    make_pair(SOCK_STREAM);
    if (pipe(pipe_ends) < 0)
        cannot_start("pipe");
    SEE(send_fd(ends[0], pipe_ends[1]));
    close(pipe_ends[1]);
    close(ends[0]);
    close(ends[1]);
    SEE(read(pipe_ends[0], bytes, 1));
}

RULE(rights_errors, "unix(7)", "EBADF for a number that is not open")
{
    make_pair(SOCK_STREAM);
    SEE(send_fd(ends[0], 99));
    SEE(recv(ends[1], bytes, 1, MSG_DONTWAIT));
}

RULE(credentials, "unix(7)", "SO_PEERCRED of a pair is who made it")
{
    struct ucred who;
    socklen_t size = sizeof who;
    make_pair(SOCK_STREAM);
    SEE(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &who, &size));
    SEE_WHETHER(who.pid == getpid() && who.uid == getuid());
}
