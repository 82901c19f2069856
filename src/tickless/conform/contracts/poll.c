/* poll(2), ppoll(2): events, what is always told, time-outs, masks, limits. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

static void see_poll(const char *when, int fd, short events)
{
    struct pollfd entry = {fd, events, 0x7fff};
    int count = poll(&entry, 1, 0);
    observed(when, "%d %s", count, events_name(entry.revents));
}

static long poll_at(const void *entries, long count)
{
    struct timespec zero = {0, 0};
    return syscall(SYS_ppoll, entries, count, &zero, NULL, 8);
}

static void pipe_ends(int ends[2])
{
    if (pipe(ends) < 0)
        cannot_start("pipe");
}

RULE(empty, "poll(2)", "no entries at all is a sleep")
{
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(poll(NULL, 0, 20));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
    SEE(poll(NULL, 0, 0));
    SEE(poll_at((void *)16, 0));
}

RULE(negative_fd, "poll(2)", "an entry with a negative fd is left out, and its revents set to 0")
{
    see_poll("fd -1", -1, POLLIN);
    see_poll("fd -100", -100, POLLIN);
}

RULE(closed_fd, "poll(2)", "POLLNVAL for a number that is not open, whatever was asked, and it counts")
{
    see_poll("nothing asked", 99, 0);
    see_poll("POLLIN asked", 99, POLLIN);
}

RULE(files, "poll(2)", "files on disk and folders are always readable and writable")
{
    int fd = open("file", O_CREAT | O_RDWR, 0600);
    see_poll("file", fd, POLLIN | POLLOUT | POLLPRI);
    see_poll("folder", open(".", O_RDONLY), POLLIN | POLLOUT);
    see_poll("path alone", open("file", O_PATH), POLLIN | POLLOUT);
}

RULE(pipes, "poll(2)", "a pipe's ends: POLLIN, POLLOUT, POLLHUP at the end of file, POLLERR without a reader")
{
    int ends[2];
    pipe_ends(ends);
    see_poll("empty, to read", ends[0], POLLIN | POLLOUT);
    see_poll("empty, to write", ends[1], POLLIN | POLLOUT);
    if (write(ends[1], "x", 1) != 1)
        cannot_start("write");
    see_poll("a byte", ends[0], POLLIN);
    see_poll("a byte, nothing asked", ends[0], 0);
    close(ends[1]);
    see_poll("and no writer", ends[0], POLLIN);
    see_poll("no writer, nothing asked", ends[0], 0);
    pipe_ends(ends);
    close(ends[0]);
    see_poll("no reader", ends[1], POLLOUT);
    see_poll("no reader, nothing asked", ends[1], 0);
}

RULE(full_pipe, "poll(2)", "a pipe is writable while PIPE_BUF bytes fit")
{
    static char bytes[65536];
    int ends[2];
    pipe_ends(ends);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    SEE(write(ends[1], bytes, 65536));
    see_poll("full", ends[1], POLLOUT);
    SEE(read(ends[0], bytes, 4095));
    see_poll("4095 free", ends[1], POLLOUT);
    SEE(read(ends[0], bytes, 1));
    see_poll("a page free", ends[1], POLLOUT);
}

RULE(normal_and_band, "poll(2)", "POLLRDNORM and POLLWRNORM go with POLLIN and POLLOUT")
{
    int fd = eventfd(1, 0), ends[2];
    pipe_ends(ends);
    see_poll("eventfd", fd, POLLIN | POLLRDNORM | POLLRDBAND | POLLOUT | POLLWRNORM | POLLWRBAND);
    see_poll("pipe to write", ends[1], POLLOUT | POLLWRNORM | POLLWRBAND);
    if (write(ends[1], "x", 1) != 1)
        cannot_start("write");
    see_poll("pipe to read", ends[0], POLLIN | POLLRDNORM | POLLRDBAND);
}

RULE(twice, "poll(2)", "the same number may stand there several times; each entry counts")
{
    int fd = eventfd(1, 0);
    struct pollfd entries[3] = {{fd, POLLIN, 0}, {fd, POLLOUT, 0}, {fd, 0, 0}};
    SEE(poll(entries, 3, 0));
    for (int i = 0; i < 3; i++)
        observed("entry", "%s", events_name(entries[i].revents));
}

RULE(limit, "poll(2)", "EINVAL for more entries than RLIMIT_NOFILE, before they are read")
{
    static struct pollfd entries[9];
    struct rlimit eight = {8, 8};
    for (int i = 0; i < 9; i++)
        entries[i].fd = -1;
    setrlimit(RLIMIT_NOFILE, &eight);
    SEE(poll(entries, 8, 0));
    SEE(poll(entries, 9, 0));
    SEE(poll_at((void *)16, 9));
    SEE(poll_at((void *)16, 8));
}

RULE(read_only_entries, "poll(2)", "EFAULT for entries that cannot be read")
{
    SEE(poll_at((void *)16, 1));
    SEE(poll_at(NULL, 1));
}

RULE(timeout, "poll(2)", "a time-out in ms is waited for in full; any negative one is for ever")
{
    int fd = eventfd(0, 0);
    struct pollfd entry = {fd, POLLIN, 0};
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(poll(&entry, 1, 25));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 25 * MS);
    SEE_BLOCKED(poll(&entry, 1, -1));
    SEE_BLOCKED(poll(&entry, 1, -1000));
}

RULE(interrupted, "poll(2)", "EINTR by a handler, also with SA_RESTART; revents are left alone")
{
    int fd = eventfd(0, 0);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        pid_t waiter = fork();
        if (waiter == 0) {
            struct pollfd entry = {fd, POLLIN, 0x55};
            count_signal(SIGUSR1, flags);
            SEE(poll(&entry, 1, -1));
            _exit(0);
        }
        until_asleep(waiter);
        kill(waiter, SIGUSR1);
        waitpid(waiter, NULL, 0);
    }
}

RULE(ppoll_timeout, "ppoll(2)", "the time-out is a timespec: EINVAL if it is no time; the system call writes what is left")
{
    int fd = eventfd(0, 0);
    struct pollfd entry = {fd, POLLIN, 0};
    struct timespec bad = {0, SECOND}, negative = {-1, 0}, hour = {3600, 0}, moment = {0, 5 * MS};
    SEE(syscall(SYS_ppoll, &entry, 1, &bad, NULL, 8));
    SEE(syscall(SYS_ppoll, &entry, 1, &negative, NULL, 8));
    SEE(syscall(SYS_ppoll, &entry, 1, 16L, NULL, 8));
    SEE(syscall(SYS_ppoll, &entry, 1, &moment, NULL, 8));
    SEE(moment.tv_sec + moment.tv_nsec);
    eventfd_write(fd, 1);
    SEE(syscall(SYS_ppoll, &entry, 1, &hour, NULL, 8));
    SEE_WHETHER(hour.tv_sec >= 3590 && hour.tv_sec <= 3600);
}

RULE(ppoll_mask, "ppoll(2)", "the mask counts while it waits; EINVAL for another size, also of none")
{
    struct pollfd entry = {eventfd(0, 0), POLLIN, 0};
    struct timespec second = {1, 0}, zero = {0, 0};
    sigset_t usr1, none;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    count_signal(SIGUSR1, 0);
    raise(SIGUSR1);
    SEE(syscall(SYS_ppoll, &entry, 1, &zero, &none, 4));
    SEE(syscall(SYS_ppoll, &entry, 1, &zero, NULL, 4));
    SEE(syscall(SYS_ppoll, &entry, 1, &zero, 16L, 8));
    SEE(syscall(SYS_ppoll, &entry, 1, &second, &usr1, 8));
    observed("handled", "%d", signals_counted);
    SEE(syscall(SYS_ppoll, &entry, 1, &second, &none, 8));
    observed("handled", "%d", signals_counted);
}

RULE(ppoll_without_waiting, "ppoll(2)", "a pending signal that the mask lets through is EINTR even with a time-out of 0, what is ready comes first")
{
    struct timespec none = {0, 0};
    struct pollfd entry = {.events = POLLIN};
    sigset_t usr, empty;
    int ends[2];
    pipe_ends(ends);
    entry.fd = ends[0];
    sigemptyset(&empty), sigemptyset(&usr), sigaddset(&usr, SIGUSR1);
    count_signal(SIGUSR1, 0);
    sigprocmask(SIG_BLOCK, &usr, NULL);
    raise(SIGUSR1);
    SEE(ppoll(&entry, 1, &none, NULL));
    SEE(ppoll(&entry, 1, &none, &empty));
    SEE(signals_counted);
    raise(SIGUSR1);
    write(ends[1], "x", 1);
    SEE(ppoll(&entry, 1, &none, &empty));
    SEE(signals_counted);
}

RULE(sockets, "poll(2)", "a Unix socket pair: POLLRDHUP and POLLHUP as its other end is shut down and closed")
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        cannot_start("socketpair");
    see_poll("open", ends[0], POLLIN | POLLOUT | POLLRDHUP);
    shutdown(ends[1], SHUT_WR);
    see_poll("shut down", ends[0], POLLIN | POLLOUT | POLLRDHUP);
    close(ends[1]);
    see_poll("closed", ends[0], POLLIN | POLLOUT | POLLRDHUP);
    see_poll("closed, nothing asked", ends[0], 0);
}

RULE(epolls, "poll(2)", "an epoll is readable while something in it is ready")
{
    int fd = eventfd(0, EFD_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.fd = fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    see_poll("nothing", epoll, POLLIN | POLLOUT);
    eventfd_write(fd, 1);
    see_poll("ready", epoll, POLLIN | POLLOUT);
}

RULE(woken_by_any, "poll(2)", "it returns when the first of its files is ready, with all that are")
{
    int first = eventfd(0, 0), second = eventfd(0, 0);
    pid_t main_process = getpid(), child = fork();
    if (child == 0) {
        until_asleep(main_process);
        eventfd_write(second, 1);
        _exit(0);
    }
    struct pollfd entries[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
    SEE(poll(entries, 2, -1));
    observed("revents", "%s, %s", events_name(entries[0].revents), events_name(entries[1].revents));
    waitpid(child, NULL, 0);
}
