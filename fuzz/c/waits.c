// Scripts' calls that wait for several files: poll, select, epoll.
#include "stage.h"

enum { MOST_EVENTS = 24 };
#define UNUSED (void)count
#define RUN(name) void do_##name(struct player *me, const long long *args, int count)

static struct variable *variable(long long number) {
    return &variables[(unsigned long long)number % VARIABLES];
}

static int timeout_ms(long long units) {
    return units <= 0 ? (int)units : timeout_ns(units) / 1000000;
}

// VARIABLE EVENTS, several times.
static uint64_t read_pairs(const long long *pairs, int count, struct pollfd *fds) {
    uint64_t objects = 0;
    for (int i = 0; i < count; i++) {
        struct variable *watched = variable(pairs[2 * i]);
        fds[i] = (struct pollfd){watched->fd, pairs[2 * i + 1], 0};
        objects |= watched->objects;
    }
    return closure(objects);
}

static void say_ready(struct player *me, long result, const struct pollfd *fds, int count) {
    say_result(me, result);
    for (int i = 0; result > 0 && i < count; i++)
        say(me, "%s%#x%s", i ? " " : "[", fds[i].revents, i == count - 1 ? "]" : "");
}

RUN(poll) {
    struct pollfd fds[ARGUMENTS];
    int files = (count - 1) / 2;
    if (may_wait(me, args[0] ? read_pairs(args + 1, files, fds) : (read_pairs(args + 1, files, fds), 0), 0))
        say_ready(me, SYS(SYS_poll, fds, files, timeout_ms(args[0])), fds, files);
}

// A mask of -1 is no mask.
static uint64_t *mask_of(struct player *me, uint64_t *mask, long long given) {
    if (given == -1)
        return NULL;
    *mask = given;
    me->waiting_with = *mask;
    return mask;
}

RUN(ppoll) {
    struct pollfd fds[ARGUMENTS];
    struct timespec span;
    uint64_t mask;
    int files = (count - 2) / 2;
    if (may_wait(me, read_pairs(args + 2, files, fds), 0))
        say_ready(me, SYS(SYS_ppoll, fds, files, timeout_of(&span, args[0]), mask_of(me, &mask, args[1]), 8), fds, files);
}

// VARIABLE KINDS, several times: 1 to read, 2 to write, 4 exceptional.
static int read_sets(const struct pollfd *fds, int count, fd_set *sets) {
    int most = -1;
    for (int kind = 0; kind < 3; kind++)
        FD_ZERO(&sets[kind]);
    for (int i = 0; i < count; i++)
        for (int kind = 0; fds[i].fd >= 0 && kind < 3; kind++)
            if (fds[i].events >> kind & 1) {
                FD_SET(fds[i].fd, &sets[kind]);
                most = fds[i].fd > most ? fds[i].fd : most;
            }
    return most + 1;
}

static void say_sets(struct player *me, long result, const struct pollfd *fds, int count, const fd_set *sets) {
    say_result(me, result);
    for (int i = 0; result >= 0 && i < count; i++) {
        int kinds = 0;
        for (int kind = 0; fds[i].fd >= 0 && kind < 3; kind++)
            kinds |= FD_ISSET(fds[i].fd, &sets[kind]) ? 1 << kind : 0;
        say(me, "%s%d%s", i ? " " : "[", kinds, i == count - 1 ? "]" : "");
    }
}

static void do_select_with(struct player *me, const long long *args, int files, bool masked) {
    struct pollfd fds[ARGUMENTS];
    fd_set sets[3];
    struct timespec span;
    uint64_t mask;
    if (!may_wait(me, read_pairs(args + 1 + masked, files, fds), 0))
        return;
    int most = read_sets(fds, files, sets);
    struct { uint64_t *mask; size_t size; } six = {masked ? mask_of(me, &mask, args[1]) : NULL, 8};
    struct timespec *timeout = timeout_of(&span, args[0]);
    long result = SYS(SYS_pselect6, most, &sets[0], &sets[1], &sets[2], timeout, masked ? &six : NULL);
    say_sets(me, result, fds, files, sets);
}

RUN(select) {
    do_select_with(me, args, (count - 1) / 2, false);
}

RUN(pselect6) {
    do_select_with(me, args, (count - 2) / 2, true);
}

static bool waits_for(const struct player *player, uint64_t objects) {
    return player->state == CALLING && player->waits_for & objects;
}

// Who sleeps for the epoll sleeps for `added` from now on, which nobody else who sleeps may take.
static bool may_watch(struct player *me, uint64_t epoll, uint64_t added) {
    for (int i = 0; i < TASKS; i++)
        for (int j = 0; j < TASKS && stage->players + i != me && waits_for(&stage->players[i], epoll); j++)
            if (i != j && stage->players + j != me && waits_for(&stage->players[j], added & stage->players[j].takes)) {
                say(me, " %d:skipped", NUMBER_OF(me));
                return false;
            }
    for (int i = 0; i < TASKS; i++)
        if (stage->players + i != me && waits_for(&stage->players[i], epoll))
            stage->players[i].waits_for |= added;
    return true;
}

// epoll_ctl EPOLL OP VARIABLE EVENTS DATA
RUN(epoll_ctl) {
    UNUSED;
    struct variable *epoll = variable(args[0]), *watched = variable(args[2]);
    if (!may_watch(me, epoll->objects, closure(watched->objects)))
        return;
    struct epoll_event event = {.events = args[3], .data.u64 = args[4]};
    say_result(me, SYS(SYS_epoll_ctl, epoll->fd, args[1], watched->fd, &event));
    for (int i = 0; i < OBJECTS; i++)
        if (epoll->objects >> i & 1)
            stage->watched[i] |= watched->objects;
}

static bool may_wait_for_events(struct player *me, const struct variable *epoll) {
    return may_wait(me, closure(epoll->objects), epoll->objects);
}

// Among files of which only some are sockets the order of events is not promised, so all have to have room.
static bool is_mixed(const struct variable *epoll) {
    uint64_t watched = closure(epoll->objects) & ~epoll->objects;
    return watched & stage->sockets && watched & ~stage->sockets;
}

static int room_for(const struct variable *epoll, long long room) {
    return is_mixed(epoll) && room > 0 ? MOST_EVENTS : (int)room;
}

static int by_data(const void *one, const void *other) {
    uint64_t a = ((const struct epoll_event *)one)->data.u64, b = ((const struct epoll_event *)other)->data.u64;
    return (a > b) - (a < b);
}

static void say_events(struct player *me, long result, struct epoll_event *events, const struct variable *epoll) {
    if (result > 1 && is_mixed(epoll))
        qsort(events, result, sizeof *events, by_data);
    say_result(me, result);
    for (long i = 0; i < result; i++)
        say(me, "%s%#x:%d%s", i ? " " : "[", events[i].events, (int)events[i].data.u64, i == result - 1 ? "]" : "");
}

RUN(epoll_wait) {
    UNUSED;
    struct epoll_event events[MOST_EVENTS];
    struct variable *epoll = variable(args[0]);
    if (may_wait_for_events(me, epoll))
        say_events(me, SYS(SYS_epoll_pwait, epoll->fd, events, room_for(epoll, args[1]), timeout_ms(args[2]), NULL, 8), events, epoll);
}

RUN(epoll_pwait) {
    UNUSED;
    struct epoll_event events[MOST_EVENTS];
    uint64_t mask;
    struct variable *epoll = variable(args[0]);
    if (may_wait_for_events(me, epoll))
        say_events(me, SYS(SYS_epoll_pwait, epoll->fd, events, room_for(epoll, args[1]), timeout_ms(args[2]), mask_of(me, &mask, args[3]), 8), events, epoll);
}

RUN(epoll_pwait2) {
    UNUSED;
    struct epoll_event events[MOST_EVENTS];
    struct timespec span;
    uint64_t mask;
    struct variable *epoll = variable(args[0]);
    if (may_wait_for_events(me, epoll))
        say_events(me, SYS(SYS_epoll_pwait2, epoll->fd, events, room_for(epoll, args[1]), timeout_of(&span, args[2]), mask_of(me, &mask, args[3]), 8), events, epoll);
}
