// Scripts' calls about signals.
#include "stage.h"

#define UNUSED (void)count
#define RUN(name) void do_##name(struct player *me, const long long *args, int count)

RUN(rt_sigprocmask) {
    UNUSED;
    uint64_t set = args[1], old = 0, now = 0;
    long result = SYS(SYS_rt_sigprocmask, args[0], &set, &old, 8);
    SYS(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, 8);
    me->blocked = now;
    say_result(me, result);
    say(me, "[%#llx]", (unsigned long long)old);
}

RUN(rt_sigpending) {
    UNUSED, (void)args;
    uint64_t pending = 0;
    say_result(me, SYS(SYS_rt_sigpending, &pending, 8));
    say(me, "[%#llx]", (unsigned long long)pending);
}

// rt_sigaction SIGNAL HANDLER FLAGS MASK; HANDLER is 0 for SIG_DFL, 1 for SIG_IGN, 2 for one that writes down what it saw.
RUN(rt_sigaction) {
    UNUSED;
    struct sigaction action = {.sa_flags = args[2]};
    for (int signo = 1; signo < 64; signo++)
        if (args[3] >> (signo - 1) & 1)
            sigaddset(&action.sa_mask, signo);
    if (args[1] == 2) {
        action.sa_flags |= SA_SIGINFO;
        action.sa_sigaction = hear;
    } else
        action.sa_handler = args[1] ? SIG_IGN : SIG_DFL;
    say_result(me, sigaction(args[0], &action, NULL) ? -EINVAL : 0);
}

RUN(rt_sigsuspend) {
    UNUSED;
    uint64_t mask = args[0];
    me->waiting_with = mask;
    say_result(me, SYS(SYS_rt_sigsuspend, &mask, 8));
}

RUN(pause) {
    UNUSED, (void)args;
#ifdef SYS_pause
    say_result(me, SYS(SYS_pause));
#else
    say_result(me, SYS(SYS_ppoll, NULL, 0, NULL, NULL, 8));
#endif
}

RUN(rt_sigtimedwait) {
    UNUSED;
    uint64_t set = args[0];
    struct timespec span;
    siginfo_t info;
    uint64_t signals = SIGNALS_OF(me->process);
    if (!may_wait(me, signals, signals))
        return;
    me->waiting_with = me->blocked & ~set;
    long result = SYS(SYS_rt_sigtimedwait, &set, &info, timeout_of(&span, args[1]), 8);
    say_result(me, result);
    if (result > 0)
        say_siginfo(me, &info);
}

// Which of several threads takes a signal that more than one lets through is not promised.
static bool is_promised(int process, int signo) {
    int threads = 0, open = 0, waiting = 0;
    bool others_wait = false, opens_later = false;
    for (int i = 0; i < TASKS; i++) {
        struct player *player = &stage->players[i];
        if (player->process != process || (player->state != IDLE && player->state != CALLING))
            continue;
        threads++;
        waiting += player->state == CALLING && player->waits_for & SIGNALS_OF(process);
        opens_later |= !(player->blocked >> (signo - 1) & 1);
        if (!(player->waiting_with >> (signo - 1) & 1))
            open++;
        else if (player->state == CALLING && player->waits_for & SIGNALS_OF(process))
            others_wait = true;
    }
    // One whose call ends, and with it the mask of the call, may take what another one wakes for.
    if (open == 0)
        return threads < 2 || waiting < 2 || !opens_later;
    return threads < 2 || (open == 1 && !others_wait);
}

// The end of a process closes its files one by one: who sleeps for several may see some of it.
static bool may_end(int process) {
    for (int i = 0; i < TASKS; i++) {
        struct player *player = &stage->players[i];
        if (player->process != process && player->state == CALLING && player->waits_for & FILES)
            return false;
    }
    return true;
}

static struct player *target_of(struct player *me, long long number, int signo, bool group) {
    static struct player ruler;
    struct player *target = &stage->players[(unsigned long long)number % TASKS];
    struct player *teller = me ? me : &ruler;
    int process = target->process;
    bool lives = target->state == IDLE || target->state == CALLING;
    if (!lives || (group && process != number))
        say(teller, " %d:absent", NUMBER_OF(me ? me : target));
    else if ((group && !is_promised(process, signo)) || (signo == SIGKILL && !may_end(process)))
        say(teller, " %d:skipped", NUMBER_OF(me ? me : target));
    else
        return target;
    return NULL;
}

// kill TASK SIGNAL, also by the ruler. TASK has to be the first of its process.
RUN(kill) {
    UNUSED;
    struct player *target = target_of(me, args[0], args[1], true);
    if (!target)
        return;
    long result = SYS(SYS_kill, target->pid, args[1]);
    if (me)
        say_result(me, result);
}

// Of two that sleep for an epoll with a signalfd, who looks first takes off its ready list what is not for it.
static bool may_tell_one(struct player *me, const struct player *target) {
    int waiting = 0;
    for (int i = 0; i < TASKS; i++)
        waiting += stage->players[i].state == CALLING && stage->players[i].waits_for & SIGNALS_OF(target->process);
    if (waiting > 1)
        say(me, " %d:skipped", NUMBER_OF(me));
    return waiting < 2;
}

RUN(tgkill) {
    UNUSED;
    struct player *target = target_of(me, args[0], args[1], args[1] == SIGKILL);
    if (target && may_tell_one(me, target))
        say_result(me, SYS(SYS_tgkill, target->pid, target->tid, args[1]));
}

RUN(rt_sigqueueinfo) {
    UNUSED;
    struct player *target = target_of(me, args[0], args[1], true);
    if (!target)
        return;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = args[1];
    info.si_code = SI_QUEUE;
    info.si_pid = me->pid;
    info.si_value.sival_int = args[2];
    say_result(me, SYS(SYS_rt_sigqueueinfo, target->pid, args[1], &info));
}
