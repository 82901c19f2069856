/* One thread closes or replaces a descriptor that another is parked on. The parked call goes on with the old file; only
   poll looks its numbers up again when it is woken. */
#define _GNU_SOURCE
#include "facts.h"
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

enum { UNIT = 30 };

/* A call made in a thread of its own, and what it gave. */
struct parked {
    pthread_t thread;
    long (*call)(int fd);
    int fd, error;
    volatile int state; /* its /proc/thread-self/stat, from right before the call until it sleeps there; else -1 */
    long result;
};

static void *make_the_call(void *argument) {
    struct parked *parked = argument;
    parked->state = open("/proc/thread-self/stat", O_RDONLY);
    parked->result = parked->call(parked->fd);
    parked->error = errno;
    return NULL;
}

/* Whether a thread sleeps: S, or D where it is held from outside. proc_pid_stat(5). */
static int sleeps(int state_fd) {
    char text[512] = "";
    check(pread(state_fd, text, sizeof text - 1, 0) > 0, "read the state of a thread");
    char state = strrchr(text, ')')[2];
    return state == 'S' || state == 'D';
}

static void park(struct parked *parked, long (*call)(int fd), int fd) {
    parked->call = call;
    parked->fd = fd;
    parked->state = -1;
    pthread_create(&parked->thread, NULL, make_the_call, parked);
    while (parked->state == -1 || !sleeps(parked->state)) nap_ms(1);
    close(parked->state);
    nap_ms(UNIT);
}

static void show_parked(const char *label, struct parked *parked) {
    pthread_join(parked->thread, NULL);
    errno = parked->error;
    show(label, parked->result);
}

static char bytes[1 << 17];
static long read_a_byte(int fd) { return read(fd, bytes, 1); }
static long read_a_count(int fd) { uint64_t count = 0; return read(fd, &count, sizeof count) == 8 ? (long)count : -1; }
static long write_a_page(int fd) { return write(fd, bytes, 4096); }
static long receive(int fd) { return recv(fd, bytes, 100, 0); }
static long poll_readable(int fd) { struct pollfd one = {fd, POLLIN, 0}; return poll(&one, 1, 10 * UNIT) == 1 ? one.revents : 0; }
static long wait_for_event(int fd) { struct epoll_event event; return epoll_wait(fd, &event, 1, 4 * UNIT); }

static void closed_pipe(void) {
    struct parked parked;
    int fds[2];
    check(pipe(fds) == 0, "make a pipe");
    park(&parked, read_a_byte, fds[0]);
    close(fds[0]);
    check(write(fds[1], "x", 1) == 1, "write: the parked read keeps the pipe's other end");
    show_parked("read of a pipe that was closed", &parked);
    on_signal(SIGPIPE, SIG_IGN, 0);
    show("then nobody reads", write(fds[1], "x", 1));
    close(fds[1]);
}

static void replaced_pipe(void) {
    struct parked parked;
    int old[2], new[2];
    check(pipe(old) == 0 && pipe(new) == 0, "make pipes");
    park(&parked, read_a_byte, old[0]);
    dup2(new[0], old[0]);
    check(write(new[1], "n", 1) == 1, "write to the new pipe");
    nap_ms(UNIT);
    check(write(old[1], "o", 1) == 1, "write to the old pipe");
    show_parked("read of a pipe that was replaced", &parked);
    printf("it read from the %s one\n", bytes[0] == 'o' ? "old" : "new");
    show("the number reads the new one", read(old[0], bytes, 1));
    close(old[0]), close(old[1]), close(new[0]), close(new[1]);
}

static void reused_number(void) {
    struct parked parked;
    int old[2], new[2];
    check(pipe(old) == 0, "make a pipe");
    park(&parked, read_a_byte, old[0]);
    close(old[0]);
    check(pipe(new) == 0, "make another");
    printf("the number is used again: %d\n", new[0] == old[0]);
    check(write(new[1], "n", 1) == 1 && write(old[1], "o", 1) == 1, "write to both");
    show_parked("read of a closed pipe", &parked);
    printf("it read from the %s one\n", bytes[0] == 'o' ? "old" : "new");
    close(old[1]), close(new[0]), close(new[1]);
}

static void counters(void) {
    struct parked parked;
    int counter = eventfd(0, 0), other = dup(counter);
    park(&parked, read_a_count, counter);
    close(counter);
    eventfd_write(other, 3);
    show_parked("an eventfd that was closed", &parked);
    close(other);
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value = span_of_ms(3 * UNIT)};
    timerfd_settime(timer, 0, &soon, NULL);
    park(&parked, read_a_count, timer);
    close(timer);
    show_parked("a timerfd whose last number was closed", &parked);
}

static void full_pipe(void) {
    struct parked parked;
    int fds[2];
    check(pipe(fds) == 0, "make a pipe");
    check(write(fds[1], bytes, 65536) == 65536, "fill it");
    park(&parked, write_a_page, fds[1]);
    close(fds[1]);
    long drained = 0, n;
    while ((n = read(fds[0], bytes, sizeof bytes)) > 0) drained += n;
    show_parked("write to a full pipe that was closed", &parked);
    printf("drained %ld up to the end\n", drained);
    close(fds[0]);
    check(pipe(fds) == 0 && write(fds[1], bytes, 65536) == 65536, "fill another");
    park(&parked, write_a_page, fds[1]);
    close(fds[0]);
    show_parked("write when the last reader leaves", &parked);
    close(fds[1]);
}

static void last_writer_leaves(void) {
    struct parked parked;
    int fds[2];
    check(pipe(fds) == 0, "make a pipe");
    park(&parked, read_a_byte, fds[0]);
    close(fds[1]);
    show_parked("read when the last writer leaves", &parked);
    close(fds[0]);
}

static void sockets(void) {
    struct parked parked;
    int fds[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "make a socketpair");
    park(&parked, receive, fds[0]);
    close(fds[0]);
    check(send(fds[1], "abc", 3, 0) == 3, "send");
    show_parked("receive on a socket that was closed", &parked);
    close(fds[1]);
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0, "make a socketpair");
    park(&parked, receive, fds[0]);
    shutdown(fds[0], SHUT_RD);
    show_parked("receive on a socket that was shut down", &parked);
    close(fds[0]), close(fds[1]);
}

static void polls(void) {
    struct parked parked;
    int fds[2], counter = eventfd(0, 0), other = dup(counter);
    check(pipe(fds) == 0, "make a pipe");
    park(&parked, poll_readable, fds[0]);
    close(fds[0]);
    check(write(fds[1], "x", 1) == 1, "write");
    show_parked("poll of a pipe that was closed", &parked);
    park(&parked, poll_readable, counter);
    dup2(fds[1], counter);
    eventfd_write(other, 1);
    show_parked("poll of an eventfd that was replaced", &parked);
    close(fds[1]), close(counter), close(other);
}

static void epolls(void) {
    struct parked parked;
    int epoll = epoll_create1(0), counter = eventfd(0, 0), other = dup(counter);
    struct epoll_event in = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    park(&parked, wait_for_event, epoll);
    close(counter);
    eventfd_write(other, 1);
    show_parked("an interest whose number was closed", &parked);
    close(other);
    counter = eventfd(0, 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    park(&parked, wait_for_event, epoll);
    close(counter);
    show_parked("an interest whose file is gone", &parked);
    counter = eventfd(0, 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    park(&parked, wait_for_event, epoll);
    close(epoll);
    eventfd_write(counter, 1);
    show_parked("an epoll that was closed", &parked);
    close(counter);
}

int main(void) {
    closed_pipe();
    replaced_pipe();
    reused_number();
    counters();
    full_pipe();
    last_writer_leaves();
    sockets();
    polls();
    epolls();
}
