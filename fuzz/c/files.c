// Scripts' calls that make, duplicate, close, read and write files.
#include "stage.h"
#include <limits.h>

#define UNUSED (void)count
#define RUN(name) void do_##name(struct player *me, const long long *args, int count)

static struct variable *variable(long long number) {
    return &variables[(unsigned long long)number % VARIABLES];
}

static uint64_t new_object(void) {
    int number = stage->objects;
    if (number < OBJECTS - 1) // the last one stands for all that are too many
        stage->objects = number + 1;
    return 1ULL << number;
}

static uint64_t keep(struct player *me, long long number, long result, uint64_t objects) {
    *variable(number) = (struct variable){result, result < 0 ? 0 : objects, CLOCK_MONOTONIC};
    say_result(me, result);
    return objects;
}

RUN(eventfd2) {
    UNUSED;
    keep(me, args[0], SYS(SYS_eventfd2, args[1], args[2]), new_object());
}

RUN(timerfd_create) {
    UNUSED;
    keep(me, args[0], SYS(SYS_timerfd_create, args[1], args[2]), new_object());
    variable(args[0])->clock = args[1];
}

RUN(epoll_create1) {
    UNUSED;
    keep(me, args[0], SYS(SYS_epoll_create1, args[1]), new_object());
}

// signalfd4 TARGET SOURCE MASK FLAGS: a new one for SOURCE -1, else SOURCE gets another mask.
RUN(signalfd4) {
    UNUSED;
    uint64_t mask = args[2];
    if (args[1] >= 0) {
        say_result(me, SYS(SYS_signalfd4, variable(args[1])->fd, &mask, 8, args[3]));
        return;
    }
    uint64_t object = keep(me, args[0], SYS(SYS_signalfd4, -1, &mask, 8, args[3]), new_object());
    stage->watched[__builtin_ctzll(object)] |= SIGNALS_OF(me->process);
}

static void keep_both(struct player *me, const long long *args, long result, const int *fds) {
    uint64_t object = new_object();
    for (int i = 0; i < 2; i++)
        *variable(args[i]) = (struct variable){result < 0 ? (int)result : fds[i], result < 0 ? 0 : object, 0};
    say_result(me, result);
    if (result == 0)
        say(me, "[%d %d]", fds[0], fds[1]);
}

RUN(pipe2) {
    UNUSED;
    int fds[2];
    long result = SYS(SYS_pipe2, fds, args[2]);
    if (result == 0) // small: it is filled by one write
        SYS(SYS_fcntl, fds[1], F_SETPIPE_SZ, 4096);
    keep_both(me, args, result, fds);
}

RUN(socketpair) {
    UNUSED;
    int fds[2], smallest = 0;
    long result = SYS(SYS_socketpair, AF_UNIX, args[2], 0, fds);
    for (int i = 0; result == 0 && i < 2; i++) // small, like a pipe
        SYS(SYS_setsockopt, fds[i], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof smallest);
    keep_both(me, args, result, fds);
    stage->sockets |= variable(args[0])->objects;
}

RUN(dup) {
    UNUSED;
    struct variable *source = variable(args[1]);
    int clock = source->clock;
    keep(me, args[0], SYS(SYS_dup, source->fd), source->objects);
    variable(args[0])->clock = clock;
}

// The number of the target is replaced, so it has to be an open one that belongs to the script.
RUN(dup2) {
    UNUSED;
    struct variable *source = variable(args[1]), *target = variable(args[0]);
    keep(me, args[0], target->fd < 0 ? -EBADF : SYS(SYS_dup3, source->fd, target->fd, args[2]), source->objects);
    target->clock = source->clock;
}

RUN(close) {
    UNUSED;
    int fd = variable(args[0])->fd;
    say_result(me, SYS(SYS_close, fd));
}

RUN(fcntl) {
    UNUSED;
    say_result(me, SYS(SYS_fcntl, variable(args[0])->fd, F_SETFL, args[1]));
}

// The call is made if it need not sleep, or if nobody else sleeps for the same. A file that is ready takes `fits`.
static bool may_move(struct player *me, int fd, uint64_t objects, int events, bool fits) {
    struct pollfd ready = {fd, events, 0};
    if (fits && SYS(SYS_poll, &ready, 1, 0) == 1)
        return true;
    objects = closure(objects);
    return may_wait(me, objects, objects);
}

static bool may_read(struct player *me, const struct variable *from) {
    return may_move(me, from->fd, from->objects, POLLIN, true);
}

RUN(read) {
    UNUSED;
    unsigned char data[5000];
    struct variable *from = variable(args[0]);
    if (!may_read(me, from))
        return;
    long size = args[1] < 0 ? 0 : args[1] > 100 && args[1] < 4096 ? 100 : args[1] > 4096 ? 4096 : args[1];
    long got = SYS(SYS_read, from->fd, data, size);
    say_result(me, got);
    if (got > 0)
        say(me, "[%d..%d]", data[0], data[got - 1]);
}

RUN(write) {
    UNUSED;
    static unsigned char next;
    static unsigned char data[8192];
    struct variable *to = variable(args[0]);
    if (!may_move(me, to->fd, to->objects, POLLOUT, args[1] <= PIPE_BUF))
        return;
    long size = args[1] < 0 ? 0 : args[1] > 8192 ? 8192 : args[1];
    memset(data, ++next, size);
    say_result(me, SYS(SYS_write, to->fd, data, size));
}

RUN(read8) {
    UNUSED;
    unsigned long long value = 0;
    struct variable *from = variable(args[0]);
    if (!may_read(me, from))
        return;
    long got = SYS(SYS_read, from->fd, &value, 8);
    say_result(me, got);
    if (got == 8)
        say(me, "[%llu]", value);
}

RUN(write8) {
    UNUSED;
    unsigned long long value = args[1];
    struct variable *to = variable(args[0]);
    if (may_move(me, to->fd, to->objects, POLLOUT, value <= 1))
        say_result(me, SYS(SYS_write, to->fd, &value, 8));
}

// As many signals as have room, from a signalfd.
RUN(read_siginfo) {
    UNUSED;
    struct { uint32_t signo; int32_t error, code; uint32_t pid, uid; int32_t fd; uint32_t timer, band, overrun, trap; int32_t status, value; uint64_t pointer, user, system, address; unsigned char rest[48]; } data[4];
    struct variable *from = variable(args[0]);
    if (!may_read(me, from))
        return;
    memset(data, 0, sizeof data);
    long got = SYS(SYS_read, from->fd, data, 128 * (args[1] < 1 ? 1 : args[1] > 4 ? 4 : args[1]));
    say_result(me, got);
    for (long i = 0; i < got / 128; i++) {
        siginfo_t info = {.si_signo = data[i].signo, .si_code = data[i].code};
        if (info.si_code == SI_TIMER) {
            info.si_overrun = data[i].overrun;
        } else
            info.si_pid = data[i].pid;
        if (info.si_signo == SIGCHLD && info.si_code > 0)
            info.si_status = data[i].status;
        else
            info.si_int = data[i].value;
        say_siginfo(me, &info);
    }
}
