/* open(2), fork(2), execve(2), close(2), close_range(2), unshare(2): how long a description lives, and who reaches it. */
#include "contract.h"
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static uint64_t count;
static int parked, ends[2];
static pid_t waiter;

static void add(int fd, uint64_t value)
{
    if (write(fd, &value, 8) != 8)
        observed("write", "%s", errno_name(errno));
}

static long take(int fd)
{
    long length = read(fd, &count, 8);
    return length == 8 ? (long)count : length;
}

static void *start(void *(*routine)(void *), void *argument)
{
    static pthread_t thread;
    waiter = 0;
    pthread_create(&thread, NULL, routine, argument);
    while (!__atomic_load_n(&waiter, __ATOMIC_ACQUIRE))
        sched_yield();
    until_asleep(waiter);
    return &thread;
}

static void i_am_here(void)
{
    __atomic_store_n(&waiter, syscall(SYS_gettid), __ATOMIC_RELEASE);
}

RULE(shared_by_fork, "fork(2)", "parent and child have one description: count and O_NONBLOCK, but not FD_CLOEXEC")
{
    int event = eventfd(0, 0);
    pid_t child = fork();
    if (child == 0) {
        add(event, 5);
        fcntl(event, F_SETFL, O_NONBLOCK);
        fcntl(event, F_SETFD, FD_CLOEXEC);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE(take(event));
    SEE(take(event));
    SEE(fcntl(event, F_GETFD));
}

RULE(over_execve, "execve(2)", "what is not close-on-exec is there in the new program, with what is in it")
{
    static const char script[] = "head -c 8 <&7 | od -An -td8 | tr -d ' '; exec 2>/dev/null; : <&8";
    char text[16] = "";
    int status;
    dup2(eventfd(9, 0), 7), dup3(eventfd(0, 0), 8, O_CLOEXEC);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t shell = fork();
    if (shell == 0) {
        dup2(ends[1], 1);
        execl("/bin/sh", "sh", "-c", script, NULL);
        _exit(127);
    }
    close(ends[1]);
    if (read(ends[0], text, sizeof text - 1) > 0)
        text[strcspn(text, "\n")] = 0;
    waitpid(shell, &status, 0);
    observed("the count", "%s", text);
    observed("the one that was marked", "%s", status ? "is not there" : "is there");
}

static void *reader(void *result)
{
    i_am_here();
    *(long *)result = take(parked);
    return NULL;
}

RULE(closed_under_a_read, "close(2)", "a read that waits goes on with its file, though the number is closed and used again")
{
    long result;
    parked = eventfd(0, 0);
    int other = dup(parked);
    pthread_t *thread = start(reader, &result);
    SEE(close(parked));
    SEE_WHETHER(eventfd(3, 0) == parked);
    add(other, 4);
    pthread_join(*thread, NULL);
    observed("the read", "%ld", result);
    SEE(take(parked));
}

static void *poller(void *entries)
{
    i_am_here();
    poll(entries, 2, 5000);
    return NULL;
}

RULE(closed_under_a_poll, "poll(2)", "a number that was closed meanwhile ends no wait; when another file does, it is POLLNVAL")
{
    int other = eventfd(0, 0);
    parked = eventfd(0, 0);
    struct pollfd entries[] = {{parked, POLLIN, 0}, {other, POLLIN, 0}};
    pthread_t *thread = start(poller, entries);
    SEE(close(parked));
    add(other, 1);
    pthread_join(*thread, NULL);
    observed("the closed one", "%s", events_name(entries[0].revents));
    observed("the other", "%s", events_name(entries[1].revents));
}

RULE(last_reference_of_a_child, "close(2)", "a child's number keeps a file watched and a pipe open; its end closes both")
{
    int epoll = epoll_create1(0), event = eventfd(1, 0);
    struct epoll_event interest = {EPOLLIN, {0}};
    char byte;
    if (pipe(ends) < 0)
        cannot_start("pipe");
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &interest);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        close(ends[0]);
        until_asleep(parent);
        _exit(0);
    }
    close(ends[1]);
    close(event);
    SEE(epoll_wait(epoll, &interest, 1, 0));
    SEE(read(ends[0], &byte, 1));
    waitpid(child, NULL, 0);
    SEE(epoll_wait(epoll, &interest, 1, 0));
}

RULE(killed, "close(2)", "SIGKILL closes what a process had open")
{
    char byte;
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    close(ends[1]);
    until_asleep(child);
    SEE(kill(child, SIGKILL));
    SEE(read(ends[0], &byte, 1));
    waitpid(child, NULL, 0);
}

static void *opener(void *result)
{
    i_am_here();
    *(int *)result = unshare(CLONE_FILES);
    dup2(0, 30);
    close(parked);
    return NULL;
}

RULE(unshared_table, "unshare(2)", "after CLONE_FILES a thread has numbers of its own for the same descriptions")
{
    pthread_t thread;
    int result = -1;
    parked = eventfd(7, 0);
    pthread_create(&thread, NULL, opener, &result);
    pthread_join(thread, NULL);
    SEE(result);
    SEE(fcntl(30, F_GETFD));
    SEE(take(parked));
}

static void *closer(void *result)
{
    i_am_here();
    *(long *)result = syscall(SYS_close_range, 3, ~0U, 2); /* CLOSE_RANGE_UNSHARE */
    return NULL;
}

RULE(unshare_and_close, "close_range(2)", "CLOSE_RANGE_UNSHARE closes for the caller alone")
{
    pthread_t thread;
    long result = -1;
    parked = eventfd(7, 0);
    pthread_create(&thread, NULL, closer, &result);
    pthread_join(thread, NULL);
    SEE(result);
    SEE(take(parked));
}

RULE(replaced_under_a_read, "dup2(2)", "a read that waits goes on with its file, though its number was given to another one by dup2")
{
    long result;
    parked = eventfd(0, 0);
    int other = dup(parked), new = eventfd(5, 0);
    pthread_t *thread = start(reader, &result);
    SEE(dup2(new, parked) == parked);
    add(other, 2);
    pthread_join(*thread, NULL);
    observed("the read", "%ld", result);
    SEE(take(parked));
}

static void tell(int received, struct mmsghdr *messages)
{
    for (int i = 0; i < received; i++)
        observed("message", "%u bytes, flags 0x%x", messages[i].msg_len, messages[i].msg_hdr.msg_flags);
}

RULE(many_messages, "recvmmsg(2)", "several datagrams in one call: as many as are there with MSG_DONTWAIT or MSG_WAITFORONE")
{
    static char text[4][8];
    struct iovec pieces[4];
    struct mmsghdr messages[4] = {0};
    for (int i = 0; i < 4; i++) {
        pieces[i] = (struct iovec){text[i], i == 2 ? 1 : 4};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
        cannot_start("socketpair");
    SEE(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, NULL));
    SEE(sendmmsg(ends[0], messages, 2, 0));
    SEE(recvmmsg(ends[1], messages, 4, MSG_WAITFORONE, NULL));
    SEE(send(ends[0], "abcd", 4, 0));
    SEE(send(ends[0], "abcd", 4, 0));
    SEE(send(ends[0], "abcd", 4, 0));
    int received = SEE(recvmmsg(ends[1], messages, 4, MSG_DONTWAIT, NULL));
    tell(received, messages);
    SEE(recvmmsg(99, messages, 4, 0, NULL));
    SEE(sendmmsg(ends[0], messages, 0, 0));
}
