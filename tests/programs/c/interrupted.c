/* A handler interrupts every call that waits for events, time, signals, children or memory. */
#define _GNU_SOURCE
#include "interrupt.h"
#include <poll.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

/* From linux/futex.h, which musl's headers leave out. */
enum { FUTEX_WAIT_PRIVATE = 128, FUTEX_WAKE_PRIVATE = 129, FUTEX_WAIT_BITSET_PRIVATE = 137, FUTEX_BITSET_MATCH_ANY = -1 };

static int empty[2], full[2], counter, timer, signals, epoll;
static pid_t child;
static uint32_t word;
static sem_t semaphore;
static sigset_t only_usr1, none;
static char bytes[65536];

static void set_up(void) {
    struct epoll_event in = {.events = EPOLLIN};
    sigemptyset(&none);
    sigemptyset(&only_usr1);
    sigaddset(&only_usr1, SIGUSR1);
    check(pipe(empty) == 0 && pipe(full) == 0, "make pipes");
    check(write(full[1], bytes, sizeof bytes) == sizeof bytes, "fill a pipe");
    counter = eventfd(0, 0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    signals = signalfd(-1, &only_usr1, 0);
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, empty[0], &in);
    sem_init(&semaphore, 0, 0);
    word = 0;
    child = fork();
    if (child == 0) pause();
}

static void clean_up(void) {
    int fds[] = {empty[0], empty[1], full[0], full[1], counter, timer, signals, epoll};
    struct timespec now = {0, 0};
    for (size_t i = 0; i < COUNT_OF(fds); i++) close(fds[i]);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    sigtimedwait(&only_usr1, NULL, &now); /* what the finisher sent and nobody took */
}

static long positive(long result) { return result > 0 ? 1 : result; }

static long read_pipe(void) { return read(empty[0], bytes, 10); }
static void write_pipe(void) { check(write(empty[1], "x", 1) == 1, "write"); }
static long write_full_pipe(void) { return write(full[1], bytes, 100); }
static void drain_pipe(void) { check(read(full[0], bytes, 4096) == 4096, "drain"); }
static long read_eventfd(void) { uint64_t count; return read(counter, &count, 8); }
static void add_to_eventfd(void) { eventfd_write(counter, 1); }
static long write_full_eventfd(void) {
    eventfd_write(counter, UINT64_MAX - 1);
    return eventfd_write(counter, 1);
}
static void drain_eventfd(void) { uint64_t count; check(read(counter, &count, 8) == 8, "drain"); }
static long read_timerfd(void) { uint64_t count; return read(timer, &count, 8); }
static void arm_timerfd(void) {
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    timerfd_settime(timer, 0, &soon, NULL);
}
static long read_signalfd(void) { struct signalfd_siginfo info; return read(signals, &info, sizeof info); }
static void send_usr1(void) { kill(getpid(), SIGUSR1); }

static long call_poll(void) { struct pollfd one = {empty[0], POLLIN, 0}; return poll(&one, 1, -1); }
static long call_ppoll(void) { struct pollfd one = {empty[0], POLLIN, 0}; return ppoll(&one, 1, NULL, &none); }
static long call_select(void) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(empty[0], &readable);
    return select(empty[0] + 1, &readable, NULL, NULL, NULL);
}
static long call_pselect(void) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(empty[0], &readable);
    return pselect(empty[0] + 1, &readable, NULL, NULL, NULL, &none);
}
static long call_epoll_wait(void) { struct epoll_event event; return epoll_wait(epoll, &event, 1, -1); }
static long call_epoll_pwait(void) { struct epoll_event event; return epoll_pwait(epoll, &event, 1, -1, &none); }

/* The rest of an interrupted sleep: 1 when a part is left. */
static long call_nanosleep(void) {
    struct timespec span = span_of_ms(LONG_MS), left = {0, 0};
    long result = nanosleep(&span, &left);
    return left.tv_nsec > 0 ? 1 : result;
}
static long call_clock_nanosleep(void) {
    struct timespec until = in_ms(CLOCK_MONOTONIC, LONG_MS);
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    return errno ? -1 : 0;
}
static long call_pause(void) { return pause(); }
static long call_sigsuspend(void) { return sigsuspend(&none); }
/* The system call itself: musl's function goes on waiting after EINTR. */
static long take_usr1(const struct timespec *time) {
    return positive(syscall(SYS_rt_sigtimedwait, &only_usr1, NULL, time, 8));
}
static long call_sigwaitinfo(void) { return take_usr1(NULL); }
static long call_sigtimedwait(void) {
    struct timespec span = span_of_ms(LONG_MS);
    return take_usr1(&span);
}

static long call_waitpid(void) { return positive(waitpid(child, NULL, 0)); }
static long call_waitid(void) { siginfo_t info; return waitid(P_PID, child, &info, WEXITED); }
static void kill_child(void) { kill(child, SIGTERM); }

static long futex(int operation, uint32_t value, const struct timespec *time, uint32_t bits) {
    return syscall(SYS_futex, &word, operation, value, time, NULL, bits);
}
static long futex_wait(void) { return futex(FUTEX_WAIT_PRIVATE, 0, NULL, 0); }
static void futex_wake(void) { futex(FUTEX_WAKE_PRIVATE, 1, NULL, 0); }
static long futex_wait_relative(void) {
    struct timespec span = span_of_ms(LONG_MS);
    return futex(FUTEX_WAIT_PRIVATE, 0, &span, 0);
}
static long futex_wait_absolute(void) {
    struct timespec until = in_ms(CLOCK_MONOTONIC, LONG_MS);
    return futex(FUTEX_WAIT_BITSET_PRIVATE, 0, &until, FUTEX_BITSET_MATCH_ANY);
}
static long call_sem_wait(void) { return sem_wait(&semaphore); }
static void post(void) { sem_post(&semaphore); }

static const struct call calls[] = {
    {"read of a pipe", read_pipe, write_pipe},
    {"write to a full pipe", write_full_pipe, drain_pipe},
    {"read of an eventfd", read_eventfd, add_to_eventfd},
    {"write to a full eventfd", write_full_eventfd, drain_eventfd},
    {"read of a timerfd", read_timerfd, arm_timerfd},
    {"read of a signalfd", read_signalfd, send_usr1},
    {"poll", call_poll, write_pipe},
    {"ppoll", call_ppoll, write_pipe},
    {"select", call_select, write_pipe},
    {"pselect", call_pselect, write_pipe},
    {"epoll_wait", call_epoll_wait, write_pipe},
    {"epoll_pwait", call_epoll_pwait, write_pipe},
    {"nanosleep", call_nanosleep, NULL},
    {"clock_nanosleep, absolute", call_clock_nanosleep, NULL},
    {"pause", call_pause, NULL},
    {"sigsuspend", call_sigsuspend, NULL},
    {"sigwaitinfo", call_sigwaitinfo, send_usr1},
    {"sigtimedwait", call_sigtimedwait, NULL},
    {"waitpid", call_waitpid, kill_child},
    {"waitid", call_waitid, kill_child},
    {"futex wait", futex_wait, futex_wake},
    {"futex wait, relative time", futex_wait_relative, futex_wake},
    {"futex wait, absolute time", futex_wait_absolute, futex_wake},
    {"sem_wait", call_sem_wait, post},
};

int main(void) {
    block_signals(SIGUSR1, 0);
    interrupt_all(calls, COUNT_OF(calls), set_up, clean_up);
}
