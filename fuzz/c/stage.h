// What the ruler and the tasks of a script share.
#ifndef STAGE_H
#define STAGE_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 4, VARIABLES = 10, TIMERS = 3, WORDS = 3, OBJECTS = 48, ARGUMENTS = 16, STEPS = 64 };
enum state { ABSENT, IDLE, CALLING, DEAD };

// Bits of a set of objects: a file's own bit, then the signals and the children of each process.
#define SIGNALS_OF(process) (1ULL << (OBJECTS + (process)))
#define CHILDREN_OF(process) (1ULL << (OBJECTS + TASKS + (process)))
#define FILES ((1ULL << OBJECTS) - 1)

struct step {
    int task; // -1: the ruler
    int call;
    int count;
    long long args[ARGUMENTS];
};

struct player {
    volatile int state;
    volatile uint32_t turn; // the futex that it waits for its turn at
    volatile int step;      // what it does, or does next
    int tid, pid, process;  // process: the player that began it
    uint64_t blocked, waiting_with;        // the signal mask, and that in force in a call
    volatile uint64_t waits_for;           // the objects of the call it is in
    volatile uint64_t takes;               // those of them that it takes something from
    bool has_timers, has_children;         // of the process
    volatile int said_length, heard_length;
    char said[2000], heard[2000]; // results of calls, and runs of handlers, since the ruler last wrote
};

struct stage {
    struct player players[TASKS];
    uint32_t words[WORDS]; // futexes
    volatile int objects;  // numbered so far
    uint64_t watched[OBJECTS]; // by an epoll: the objects of its interests
    uint64_t sockets;          // objects that are sockets
    long long unit_ns;
    volatile long long begun_ns; // when the first unit began; 0: not yet
    struct step steps[STEPS];
    int step_count;
};

extern struct stage *stage;

// A call as the kernel answers it: threads here share one errno.
static inline long sys(long number, long a, long b, long c, long d, long e, long f) {
#ifdef __x86_64__
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
#else
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
#endif
}
#define SYS(number, ...) SYS_(number, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_(number, a, b, c, d, e, f, ...) \
    sys(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

void say(struct player *player, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct player *myself(void);
const char *name_of(int pid); // of who sent a signal, or of a child
void play(struct player *me) __attribute__((noreturn));

// In calls.h and its like: files, waits, signals, time, tasks.
struct variable {
    int fd;           // or -errno
    uint64_t objects; // what it stands for
    int clock;        // of a timerfd
};
extern struct variable variables[VARIABLES]; // of this process
uint64_t closure(uint64_t objects);
bool may_wait(struct player *me, uint64_t waits_for, uint64_t takes);
void start_clock(void); // the first unit begins with the first step that needs time
long long timeout_ns(long long units);
struct timespec *timeout_of(struct timespec *span, long long units); // NULL for ever
long long whole_units(long long span_ns);
void say_result(struct player *me, long result);
void hear(int signo, siginfo_t *info, void *context); // the handler of all signals
void say_siginfo(struct player *me, const siginfo_t *info);

typedef void performer(struct player *me, const long long *args, int count);
extern const struct call {
    const char *name;
    performer *perform;
} CALLS[];

#define NUMBER_OF(player) ((int)((player) - stage->players))
performer do_eventfd2, do_timerfd_create, do_timerfd_settime, do_timerfd_gettime, do_signalfd4, do_epoll_create1, do_pipe2,
    do_socketpair, do_dup, do_dup2, do_close, do_fcntl, do_read, do_write, do_read8, do_write8, do_read_siginfo;
performer do_poll, do_ppoll, do_select, do_pselect6, do_epoll_ctl, do_epoll_wait, do_epoll_pwait, do_epoll_pwait2;
performer do_rt_sigprocmask, do_rt_sigpending, do_rt_sigaction, do_rt_sigsuspend, do_rt_sigtimedwait, do_pause, do_kill,
    do_tgkill, do_rt_sigqueueinfo;
performer do_timer_create, do_timer_settime, do_timer_gettime, do_timer_getoverrun, do_timer_delete, do_setitimer,
    do_getitimer, do_nanosleep, do_clock_nanosleep;
performer do_store, do_futex_wait, do_futex_wake, do_futex_requeue, do_futex_wait_bitset, do_futex_wake_bitset;
performer do_thread, do_fork, do_exit, do_waitid;

#endif
