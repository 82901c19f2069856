/* unix(7), cmsg(3), sendmsg(2): descriptors and credentials that travel over sockets, what they keep open and when it ends. */
#include "contract.h"
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define ROOM 300

static uint64_t count;
static char bytes[64];
static int pair[2], got[ROOM];
static int message_flags;

static void make_pair(int type)
{
    if (socketpair(AF_UNIX, type, 0, pair) < 0)
        cannot_start("socketpair");
}

static union {
    struct cmsghdr header;
    char space[CMSG_SPACE(ROOM * sizeof(int))];
} control;

static long send_fds(int fd, const int *fds, int many, int flags)
{
    struct iovec piece = {"x", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (many > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(many * sizeof(int));
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(many * sizeof(int))};
        memcpy(CMSG_DATA(&control.header), fds, many * sizeof(int));
    }
    return syscall(SYS_sendmsg, fd, &message, flags); /* musl's has room for fewer */
}

static long send_fd(int fd)
{
    return send_fds(pair[0], &fd, 1, 0);
}

/* How many numbers came with one byte, or -1 if no byte came; the numbers are in `got`. */
static long receive_fds(int fd, int room, int flags)
{
    struct iovec piece = {bytes, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_LEN(room * sizeof(int))};
    if (room == 0)
        message.msg_control = NULL, message.msg_controllen = 0;
    if (syscall(SYS_recvmsg, fd, &message, flags) < 0)
        return -1;
    message_flags = message.msg_flags;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return 0;
    int many = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(got, CMSG_DATA(header), many * sizeof(int));
    return many;
}

static int receive_fd(void)
{
    return receive_fds(pair[1], 1, 0) == 1 ? got[0] : -1;
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents);
}

RULE(same_description, "unix(7)", "a descriptor that was sent is the same open file under a new number, the lowest that is free")
{
    int event = eventfd(3, EFD_NONBLOCK);
    make_pair(SOCK_STREAM);
    SEE(send_fd(event));
    SEE(receive_fd());
    SEE(read(got[0], &count, 8));
    SEE(count);
    SEE(read(event, &count, 8));
    SEE(fcntl(got[0], F_SETFL, 0));
    SEE(fcntl(event, F_GETFL) == O_RDWR);
    SEE(fcntl(got[0], F_GETFD));
}

RULE(in_flight, "unix(7)", "what is in flight stays open when its numbers are closed")
{
    int event = eventfd(9, 0), ends[2];
    make_pair(SOCK_STREAM);
    SEE(send_fd(event));
    SEE(close(event));
    SEE(receive_fd());
    SEE(read(got[0], &count, 8));
    SEE(count);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE(send_fd(ends[1]));
    SEE(close(ends[1]));
    observed("the reader, its writer in flight", "%s", readiness(ends[0]));
    SEE(close(receive_fd()));
    observed("the reader, when it has come and was closed", "%s", readiness(ends[0]));
}

RULE(dropped_with_the_data, "unix(7)", "descriptors that are never received are closed with the socket, or with data read plainly")
{
    int ends[2], more[2];
    make_pair(SOCK_STREAM);
    if (pipe(ends) < 0 || pipe(more) < 0)
        cannot_start("pipe");
    SEE(send_fd(ends[1]));
    SEE(send_fd(more[1]));
    close(ends[1]), close(more[1]);
    SEE(read(pair[1], bytes, 1));
    observed("a plain read of the byte", "%s, %s", readiness(ends[0]), readiness(more[0]));
    SEE(close(pair[1]));
    observed("the end of the socket", "%s", readiness(more[0]));
}

RULE(cloexec_of_received, "unix(7)", "a received number is close-on-exec with MSG_CMSG_CLOEXEC only")
{
    int event = eventfd(0, EFD_CLOEXEC);
    make_pair(SOCK_STREAM);
    send_fd(event), send_fd(event);
    SEE(receive_fds(pair[1], 1, 0));
    SEE(fcntl(got[0], F_GETFD));
    SEE(receive_fds(pair[1], 1, MSG_CMSG_CLOEXEC));
    SEE(fcntl(got[0], F_GETFD));
}

RULE(no_room_for_control, "unix(7)", "without room for them descriptors are dropped and MSG_CTRUNC is told")
{
    int fds[3] = {eventfd(0, 0), eventfd(0, 0), eventfd(0, 0)};
    make_pair(SOCK_STREAM);
    SEE(send_fds(pair[0], fds, 3, 0));
    SEE(receive_fds(pair[1], 2, 0));
    SEE_WHETHER(message_flags & MSG_CTRUNC);
    SEE(send_fds(pair[0], fds, 3, 0));
    SEE(receive_fds(pair[1], 0, 0));
    SEE_WHETHER(message_flags & MSG_CTRUNC);
    SEE(eventfd(0, 0));
}

RULE(numbers_to_send, "unix(7)", "EBADF for a number that is not open, and nothing is sent; 253 at most, EINVAL")
{
    int wrong[2] = {eventfd(0, 0), 99}, many[254];
    make_pair(SOCK_STREAM);
    SEE(send_fds(pair[0], wrong, 2, 0));
    SEE(recv(pair[1], bytes, 1, MSG_DONTWAIT));
    for (int i = 0; i < 254; i++)
        many[i] = wrong[0];
    SEE(send_fds(pair[0], many, 254, 0));
    SEE(send_fds(pair[0], many, 253, 0));
    SEE(receive_fds(pair[1], 254, 0));
}

RULE(peeked, "recv(2)", "MSG_PEEK gives numbers, too, and leaves the message and its descriptors")
{
    int event = eventfd(5, EFD_NONBLOCK);
    make_pair(SOCK_STREAM);
    SEE(send_fd(event));
    SEE(receive_fds(pair[1], 1, MSG_PEEK));
    SEE(read(got[0], &count, 8));
    int first = got[0];
    SEE(receive_fds(pair[1], 1, 0));
    SEE_WHETHER(got[0] != first);
    SEE(write(got[0], &count, 8));
    SEE(read(first, &count, 8));
}

RULE(a_stream_stops_at_descriptors, "unix(7)", "a read of a stream ends behind the byte that has descriptors")
{
    int event = eventfd(0, 0);
    make_pair(SOCK_STREAM);
    SEE(write(pair[0], "ab", 2));
    SEE(send_fd(event));
    SEE(write(pair[0], "cd", 2));
    SEE(send_fd(event));
    SEE(read(pair[1], bytes, 64));
    SEE(read(pair[1], bytes, 64));
    SEE(recv(pair[1], bytes, 64, MSG_DONTWAIT));
}

RULE(epoll_is_sent, "unix(7)", "an epoll that was sent has its interests, and tells of them whoever asks")
{
    int event = eventfd(0, 0), epoll = epoll_create1(0);
    struct epoll_event interest = {EPOLLIN, {.u64 = 42}}, told;
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest);
    make_pair(SOCK_SEQPACKET);
    SEE(send_fd(epoll));
    SEE(close(epoll));
    pid_t child = fork();
    if (child == 0) {
        close(event);
        int received = receive_fd();
        SEE(epoll_wait(received, &told, 1, -1));
        SEE(told.data.u64);
        _exit(0);
    }
    until_asleep(child);
    write(event, &(uint64_t){1}, 8);
    waitpid(child, NULL, 0);
}

RULE(a_watched_file_leaves, "epoll(7)", "an interest lives while its file is in flight, and ends when it is dropped")
{
    int event = eventfd(1, 0), epoll = epoll_create1(0);
    struct epoll_event interest = {EPOLLIN, {.u64 = 1}}, told;
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest);
    make_pair(SOCK_STREAM);
    SEE(send_fd(event));
    SEE(close(event));
    SEE(epoll_wait(epoll, &told, 1, 0));
    SEE(recv(pair[1], bytes, 1, 0));
    SEE(epoll_wait(epoll, &told, 1, 0));
}

RULE(timer_is_sent, "unix(7)", "a timerfd goes on in flight, and its receiver reads what has expired")
{
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec once = {{0, 0}, {0, 5 * MS}};
    timerfd_settime(timer, 0, &once, NULL);
    make_pair(SOCK_DGRAM);
    SEE(send_fd(timer));
    SEE(close(timer));
    nap(10);
    SEE(receive_fd());
    SEE(read(got[0], &count, 8));
    SEE(count);
}

RULE(signalfd_is_sent, "signalfd(2)", "a signalfd that was sent gives its reader's signals, not its maker's")
{
    struct signalfd_siginfo info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    make_pair(SOCK_STREAM);
    SEE(send_fd(signalfd(-1, &set, SFD_NONBLOCK)));
    SEE(raise(SIGUSR1));
    pid_t child = fork();
    if (child == 0) {
        int received = receive_fd();
        SEE(read(received, &info, sizeof info));
        SEE(raise(SIGUSR1));
        SEE(read(received, &info, sizeof info) == sizeof info);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

RULE(blocked_reader, "unix(7)", "a receiver that waits gets the descriptor, and may block on it at once")
{
    make_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        int received = receive_fd();
        SEE(read(received, &count, 8));
        SEE(count);
        _exit(0);
    }
    until_asleep(child);
    int event = eventfd(0, 0);
    send_fd(event);
    until_asleep(child);
    write(event, &(uint64_t){6}, 8);
    waitpid(child, NULL, 0);
}

RULE(sent_over_itself, "unix(7)", "a socket that was sent over itself is collected with all it carries, once it has no number")
{
    int ends[2];
    make_pair(SOCK_STREAM);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    SEE(send_fd(ends[1]));
    SEE(send_fd(pair[1]));
    SEE(close(ends[1]));
    observed("in flight", "%s", readiness(ends[0]));
    close(pair[1]), close(pair[0]); /* the close of a socket that is not in flight starts the collection */
    struct pollfd entry = {ends[0], POLLIN, 0};
    SEE(poll(&entry, 1, 10000));
    observed("collected", "%s", events_name(entry.revents));
}

RULE(every_kind, "unix(7)", "each kind of event file can be sent, and is what it was")
{
    sigset_t none;
    sigemptyset(&none);
    int ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    int fds[] = {eventfd(0, 0), timerfd_create(CLOCK_REALTIME, 0), signalfd(-1, &none, 0), epoll_create1(0), ends[0],
                 ends[1], inotify_init()};
    make_pair(SOCK_STREAM);
    SEE(send_fds(pair[0], fds, 7, 0));
    for (int i = 0; i < 7; i++)
        close(fds[i]);
    SEE(receive_fds(pair[1], 7, 0));
    for (int i = 0; i < 6; i++) {
        char path[32], text[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", got[i]);
        long length = readlink(path, text, sizeof text - 1);
        text[length < 0 ? 0 : length] = 0;
        if (strchr(text, ':') && strncmp(text, "pipe", 4) == 0)
            strcpy(text, "a pipe");
        observed("received", "%s", text);
    }
    SEE(write(got[5], "p", 1));
    SEE(read(got[4], bytes, 9));
}

static struct ucred sender;

/* What SCM_CREDENTIALS says of the sender of the next byte. */
static long receive_credentials(void)
{
    char space[CMSG_SPACE(sizeof sender)];
    struct iovec piece = {bytes, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    if (recvmsg(pair[1], &message, 0) < 0)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_CREDENTIALS)
        return 0;
    memcpy(&sender, CMSG_DATA(header), sizeof sender);
    return 1;
}

static long send_credentials(pid_t pid, uid_t uid, gid_t gid)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof sender)];
    } told = {.header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_CREDENTIALS, .cmsg_len = CMSG_LEN(sizeof sender)}};
    struct ucred claimed = {pid, uid, gid};
    struct iovec piece = {"c", 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &told, .msg_controllen = sizeof told};
    memcpy(CMSG_DATA(&told.header), &claimed, sizeof claimed);
    return sendmsg(pair[0], &message, 0);
}

RULE(credentials, "unix(7)", "with SO_PASSCRED each message tells its sender's pid and ids; without none")
{
    int on = 1;
    make_pair(SOCK_STREAM);
    SEE(write(pair[0], "x", 1));
    SEE(receive_credentials());
    SEE(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    pid_t child = fork();
    if (child == 0)
        _exit(write(pair[0], "x", 1) != 1);
    waitpid(child, NULL, 0);
    SEE(receive_credentials());
    SEE_WHETHER(sender.pid == child && sender.uid == getuid() && sender.gid == getgid());
    SEE(send_credentials(getpid(), getuid(), getgid()));
    SEE(receive_credentials());
    SEE_WHETHER(sender.pid == getpid());
}

RULE(false_credentials, "unix(7)", "an ordinary user may not claim other ids or another's pid: EPERM")
{
    if (getuid() == 0 && (setgid(65534) || setuid(65534)))
        cannot_start("setuid");
    make_pair(SOCK_DGRAM);
    SEE(send_credentials(getpid(), 0, getgid()));
    SEE(send_credentials(getpid(), getuid(), 0));
    SEE(send_credentials(1, getuid(), getgid()));
}

RULE(peer_credentials, "unix(7)", "SO_PEERCRED is of who made the pair, whoever uses it")
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    pid_t maker = getpid();
    make_pair(SOCK_STREAM);
    pid_t child = fork();
    if (child == 0) {
        SEE(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &size));
        SEE_WHETHER(peer.pid == maker);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}
