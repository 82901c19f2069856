/* eventfd(2): the count, what overflows it, what a semaphore takes, and the order of checks. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define MOST (UINT64_MAX - 1)

static uint64_t count;
static char bytes[16];

static long add(int fd, uint64_t value)
{
    return write(fd, &value, sizeof value);
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents);
}

/* What an edge-triggered epoll reports now. */
static const char *edge(int epoll)
{
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, 0) == 1 ? events_name(event.events) : "no edge";
}

static int edge_epoll(int fd)
{
    struct epoll_event event = {EPOLLIN | EPOLLOUT | EPOLLET, {.fd = fd}};
    int epoll = epoll_create1(0);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        cannot_start("epoll_ctl");
    edge(epoll);
    return epoll;
}

RULE(starts_with_initval, "eventfd(2)", "the count starts at initval, and a read takes all of it")
{
    int fd = eventfd(7, EFD_NONBLOCK);
    SEE(read(fd, &count, 8));
    SEE(count);
    SEE(read(fd, &count, 8));
}

RULE(initval_is_32_bits, "eventfd(2)", "initval is an unsigned int: the largest is 2**32 - 1")
{
    int fd = syscall(SYS_eventfd2, -1L, EFD_NONBLOCK);
    SEE(read(fd, &count, 8));
    SEE(count);
}

RULE(unknown_flags, "eventfd(2)", "EINVAL for unknown flags; the first eventfd call knows none")
{
    SEE(eventfd(0, 2));
    SEE(eventfd(0, EFD_SEMAPHORE | 1 << 30));
#ifdef SYS_eventfd
    SEE(syscall(SYS_eventfd, 0, ~0L) == 3);
#else
    SEE(eventfd(0, 0) == 3);
#endif
}

RULE(flags_of_the_new_fd, "eventfd(2)", "EFD_CLOEXEC and EFD_NONBLOCK set what fcntl shows; it is open for both ways")
{
    int plain = eventfd(0, 0), both = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    SEE(fcntl(plain, F_GETFD));
    SEE(fcntl(plain, F_GETFL) == O_RDWR);
    SEE(fcntl(both, F_GETFD) == FD_CLOEXEC);
    SEE(fcntl(both, F_GETFL) == (O_RDWR | O_NONBLOCK));
}

RULE(lowest_number, "eventfd(2)", "the new descriptor is the lowest that is free")
{
    eventfd(0, 0), eventfd(0, 0);
    SEE(close(3));
    SEE(eventfd(0, 0));
}

RULE(read_adds_up, "eventfd(2)", "writes add up until a read")
{
    int fd = eventfd(1, EFD_NONBLOCK);
    SEE(add(fd, 2));
    SEE(add(fd, 40));
    SEE(read(fd, &count, 8));
    SEE(count);
}

RULE(semaphore, "eventfd(2)", "a read of a semaphore takes 1, and gives EAGAIN at 0")
{
    int fd = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE);
    for (int i = 0; i < 3; i++) {
        count = 99;
        SEE(read(fd, &count, 8));
        SEE(count);
    }
}

RULE(read_of_zero, "eventfd(2)", "a read blocks at 0, EAGAIN when non-blocking; the buffer is left as it was")
{
    int fd = eventfd(0, 0);
    count = 5;
    SEE_BLOCKED(read(fd, &count, 8));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SEE(read(fd, &count, 8));
    SEE(count);
}

RULE(write_overflow, "eventfd(2)", "a write that would take the count above 2**64 - 2 blocks, EAGAIN when non-blocking")
{
    int fd = eventfd(1, 0);
    SEE(add(fd, MOST - 1));
    SEE_BLOCKED(add(fd, 1));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SEE(add(fd, 1));
    SEE(add(fd, 0));
    SEE(read(fd, &count, 8));
    SEE_WHETHER(count == MOST);
}

RULE(write_of_all_ones, "eventfd(2)", "a write of 2**64 - 1 is EINVAL, also where it would block")
{
    int fd = eventfd(1, 0);
    SEE(add(fd, UINT64_MAX));
    SEE(add(fd, MOST - 1));
    SEE(add(fd, UINT64_MAX));
}

RULE(short_buffers, "eventfd(2)", "a buffer of less than 8 bytes is EINVAL, before the count is looked at")
{
    int fd = eventfd(0, 0);
    SEE(read(fd, bytes, 7));
    SEE(read(fd, bytes, 0));
    SEE(write(fd, bytes, 7));
    SEE(write(fd, bytes, 0));
    SEE(syscall(SYS_read, fd, 16, 7));
    SEE(syscall(SYS_write, fd, 16, 7));
}

RULE(long_reads, "eventfd(2)", "a read of more than 8 bytes gives 8")
{
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(read(fd, bytes, 16));
    SEE(bytes[0]);
}

RULE(long_writes, "eventfd(2)", "a write of more than 8 bytes is EINVAL, against the page")
{
    since(6, 9);
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(write(fd, bytes, 9));
    SEE(write(fd, bytes, 16));
}

RULE(read_that_faults, "eventfd(2)", "a read into a bad address is EFAULT, and has taken the count; at 0 it is EAGAIN")
{
    int fd = eventfd(3, EFD_NONBLOCK);
    SEE(syscall(SYS_read, fd, 16, 8));
    SEE(read(fd, &count, 8));
    SEE(syscall(SYS_read, fd, 16, 8));
}

RULE(write_that_faults, "eventfd(2)", "a write from a bad address is EFAULT, even where it would block")
{
    int fd = eventfd(1, 0);
    SEE(syscall(SYS_write, fd, 16, 8));
    SEE(add(fd, MOST - 1));
    SEE(syscall(SYS_write, fd, 16, 8));
}

RULE(poll_by_count, "eventfd(2)", "readable above 0, writable while 1 more fits")
{
    int fd = eventfd(0, 0);
    observed("at 0", "%s", readiness(fd));
    add(fd, 1);
    observed("at 1", "%s", readiness(fd));
    add(fd, MOST - 2);
    observed("at the most less 1", "%s", readiness(fd));
    add(fd, 1);
    observed("at the most", "%s", readiness(fd));
}

RULE(every_write_is_an_edge, "eventfd(2)", "an edge-triggered epoll reports each write, one of 0 too")
{
    int fd = eventfd(0, 0), epoll = edge_epoll(fd);
    observed("nothing new", "%s", edge(epoll));
    add(fd, 1);
    observed("after a write", "%s", edge(epoll));
    add(fd, 1);
    observed("after another", "%s", edge(epoll));
    add(fd, 0);
    observed("after a write of 0", "%s", edge(epoll));
    observed("without a write", "%s", edge(epoll));
}

RULE(every_read_is_an_edge, "eventfd(2)", "a read that takes something is an edge of writability; one that fails is none")
{
    int fd = eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE), epoll = edge_epoll(fd);
    read(fd, &count, 8);
    observed("after a read", "%s", edge(epoll));
    read(fd, &count, 8);
    observed("after the last read", "%s", edge(epoll));
    SEE(read(fd, &count, 8));
    observed("after a read that fails", "%s", edge(epoll));
}

RULE(a_write_wakes_readers, "eventfd(2)", "a blocked read goes on when another process adds something")
{
    int fd = eventfd(0, 0);
    pid_t reader = fork();
    if (reader == 0) {
        SEE(read(fd, &count, 8));
        SEE(count);
        _exit(0);
    }
    until_asleep(reader);
    SEE(add(fd, 0));
    nap(10);
    observed("the reader sleeps on after a write of 0", "%s", waitpid(reader, NULL, WNOHANG) ? "no" : "yes");
    add(fd, 6);
    waitpid(reader, NULL, 0);
}

RULE(a_read_wakes_writers, "eventfd(2)", "a blocked write goes on when a read has made room")
{
    int fd = eventfd(0, 0);
    add(fd, MOST);
    pid_t writer = fork();
    if (writer == 0) {
        SEE(add(fd, 3));
        _exit(0);
    }
    until_asleep(writer);
    read(fd, &count, 8);
    waitpid(writer, NULL, 0);
    SEE_WHETHER(count == MOST);
    read(fd, &count, 8);
    SEE(count);
}

RULE(interrupted_read, "eventfd(2)", "a signal handler ends a blocked read with EINTR; with SA_RESTART it goes on")
{
    int fd = eventfd(0, 0);
    pid_t main_process = getpid();
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        count_signal(SIGUSR1, flags);
        pid_t other = fork();
        if (other == 0) {
            until_asleep(main_process);
            kill(main_process, SIGUSR1);
            until_asleep(main_process); /* in its next call, or in the same again */
            add(fd, 4);
            _exit(0);
        }
        observed(flags ? "with SA_RESTART" : "without", "%s", read(fd, &count, 8) == 8 ? "8" : errno_name(errno));
        waitpid(other, NULL, 0);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        read(fd, &count, 8);
        fcntl(fd, F_SETFL, 0);
    }
    SEE(signals_counted);
}

RULE(shared_across_fork, "eventfd(2)", "a child has the same count, and so has a duplicate")
{
    int fd = eventfd(0, EFD_NONBLOCK), copy = dup(fd);
    pid_t child = fork();
    if (child == 0) {
        add(fd, 5);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE(read(copy, &count, 8));
    SEE(count);
    SEE(read(fd, &count, 8));
}

RULE(no_position, "eventfd(2)", "it has no position: lseek gives 0, pread and pwrite ESPIPE")
{
    int fd = eventfd(1, EFD_NONBLOCK);
    SEE(lseek(fd, 5, SEEK_SET));
    SEE(pread(fd, &count, 8, 0));
    SEE(pwrite(fd, &count, 8, 0));
}
