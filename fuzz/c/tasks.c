// Scripts' calls that begin, end and wait for tasks.
#include "stage.h"

#define UNUSED (void)count
#define RUN(name) void do_##name(struct player *me, const long long *args, int count)

static char stacks[TASKS][1 << 16] __attribute__((aligned(64)));

static int threads_of(int process) {
    int count = 0;
    for (int i = 0; i < TASKS; i++) {
        struct player *player = &stage->players[i];
        count += player->process == process && (player->state == IDLE || player->state == CALLING);
    }
    return count;
}

static bool may_begin(struct player *me, long long number) {
    struct player *player = &stage->players[(unsigned long long)number % TASKS], *first = &stage->players[me->process];
    if (player->state != ABSENT || first->has_timers || first->has_children) {
        // Signals of timers and children are for one thread here, so a process has either those or threads.
        say(me, " %d:skipped", NUMBER_OF(me));
        return false;
    }
    return true;
}

static int run_thread(void *player) {
    play(player);
}

static void await(const struct player *player) {
    while (player->state == ABSENT)
        SYS(SYS_sched_yield);
}

RUN(thread) {
    UNUSED;
    if (!may_begin(me, args[0]))
        return;
    int number = (unsigned long long)args[0] % TASKS;
    struct player *player = &stage->players[number];
    player->process = me->process;
    player->blocked = player->waiting_with = me->blocked;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    int tid = clone(run_thread, stacks[number] + sizeof stacks[number], flags, player);
    if (tid > 0)
        await(player);
    say_result(me, tid > 0 ? 0 : -EAGAIN);
}

RUN(fork) {
    UNUSED;
    struct player *first = &stage->players[me->process];
    int number = (unsigned long long)args[0] % TASKS;
    struct player *player = &stage->players[number];
    if (player->state != ABSENT || threads_of(me->process) > 1) {
        say(me, " %d:skipped", NUMBER_OF(me));
        return;
    }
    player->process = number;
    player->blocked = player->waiting_with = me->blocked;
    int pid = SYS(SYS_clone, SIGCHLD);
    if (pid == 0)
        play(player);
    if (pid > 0) {
        first->has_children = true;
        await(player);
    }
    say_result(me, pid > 0 ? 0 : pid);
}

// exit STATUS: the process of a first task, else the thread.
RUN(exit) {
    UNUSED;
    bool is_process = me->process == NUMBER_OF(me);
    for (int i = 0; is_process && i < TASKS; i++) {
        struct player *player = &stage->players[i];
        if (player->process != me->process && player->state == CALLING && player->waits_for & FILES) {
            // Its files are closed one by one: who sleeps for several may see some of it.
            say(me, " %d:skipped", NUMBER_OF(me));
            return;
        }
    }
    SYS(is_process ? SYS_exit_group : SYS_exit, args[0]);
}

// waitid TASK OPTIONS: for one child, or for any with TASK -1.
RUN(waitid) {
    UNUSED;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    uint64_t children = CHILDREN_OF(me->process);
    if (!may_wait(me, children, children))
        return;
    int pid = args[0] < 0 ? 0 : stage->players[args[0] % TASKS].pid;
    long result = args[0] >= 0 && !pid ? -ECHILD : SYS(SYS_waitid, args[0] < 0 ? P_ALL : P_PID, pid, &info, args[1]);
    say_result(me, result);
    if (result == 0 && info.si_pid)
        say_siginfo(me, &info);
}
