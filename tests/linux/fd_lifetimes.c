/* fork(2), exec(3), unix(7), close(2): how long a description lives, and who still reaches it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t count;
static int parked;

static void add(int fd, uint64_t value)
{
    if (write(fd, &value, 8) != 8)
        printf("write: %s\n", strerrorname_np(errno));
}

static long take(int fd)
{
    return read(fd, &count, 8) == 8 ? (long)count : -errno;
}

static void shared_by_fork(void)
{
    int event = eventfd(0, 0);
    if (fork() == 0) {
        add(event, 5);
        fcntl(event, F_SETFL, O_NONBLOCK);
        _exit(0);
    }
    printf("from the child: %ld\n", take(event));
    wait(NULL);
    printf("and its flag: %ld\n", take(event));
}

static void sent_over_a_socket(void)
{
    int pair[2], event = eventfd(7, 0), got;
    char byte = 'x', space[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &event, sizeof event);
    if (sendmsg(pair[0], &message, 0) != 1)
        perror("sendmsg");
    close(event);
    if (fork() == 0) {
        message.msg_controllen = sizeof space;
        if (recvmsg(pair[1], &message, 0) != 1)
            perror("recvmsg");
        memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof got);
        printf("received: %ld\n", take(got));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

static void over_exec(const char *program)
{
    char kept[16], gone[16];
    int event = eventfd(9, 0), marked = eventfd(0, EFD_CLOEXEC);
    snprintf(kept, sizeof kept, "%d", event);
    snprintf(gone, sizeof gone, "%d", marked);
    fflush(stdout);
    if (fork() == 0) {
        execl("/proc/self/exe", program, kept, gone, NULL);
        _exit(1);
    }
    wait(NULL);
}

static void *reader(void *argument)
{
    (void)argument;
    printf("the parked read: %ld\n", take(parked));
    return NULL;
}

static void closed_under_a_read(void)
{
    pthread_t thread;
    parked = eventfd(0, 0);
    int other = dup(parked);
    pthread_create(&thread, NULL, reader, NULL);
    usleep(20000);
    close(parked);
    int reused = eventfd(3, 0);
    printf("the number is reused: %d\n", reused == parked);
    add(other, 4);
    pthread_join(thread, NULL);
    printf("the new file: %ld\n", take(reused));
}

static void *poller(void *argument)
{
    struct pollfd fds[] = {{parked, POLLIN, 0}, {*(int *)argument, POLLIN, 0}};
    printf("the parked poll: %d", poll(fds, 2, 5000));
    printf(" %x %x\n", fds[0].revents, fds[1].revents);
    return NULL;
}

static void closed_under_a_poll(void)
{
    pthread_t thread;
    int other = eventfd(0, 0);
    parked = eventfd(0, 0);
    pthread_create(&thread, NULL, poller, &other);
    usleep(20000);
    close(parked);
    add(other, 1);
    pthread_join(thread, NULL);
}

static void last_reference_of_a_child(void)
{
    int ends[2], epoll = epoll_create1(0), event = eventfd(1, 0);
    struct epoll_event out = {EPOLLIN, {0}};
    char byte;
    if (pipe(ends) < 0)
        perror("pipe");
    epoll_ctl(epoll, EPOLL_CTL_ADD, event, &out);
    if (fork() == 0) {
        close(ends[0]);
        if (read(ends[1], &byte, 1) != -1)
            _exit(1);
        usleep(20000);
        _exit(0);
    }
    close(ends[1]);
    close(event);
    printf("watched while the child has it: %d\n", epoll_wait(epoll, &out, 1, 0));
    printf("end of file: %zd\n", read(ends[0], &byte, 1));
    wait(NULL);
    printf("watched after the child: %d\n", epoll_wait(epoll, &out, 1, 0));
}

int main(int argc, char **argv)
{
    if (argc == 3) {
        printf("after exec: %ld and %s\n", take(atoi(argv[1])), fcntl(atoi(argv[2]), F_GETFD) < 0 ? "nothing" : "a file");
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    shared_by_fork();
    sent_over_a_socket();
    over_exec(argv[0]);
    closed_under_a_read();
    closed_under_a_poll();
    last_reference_of_a_child();
    return 0;
}
