/* Rules of manual pages, each shown by what the kernel that runs it does. docs/contracts.md says how to write one. */
#ifndef CONTRACT_H
#define CONTRACT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000L      /* ns */
#define SECOND 1000000000L /* ns */

struct rule {
    const char *name, *page, *claim;
    void (*run)(void);
    int line;
    struct rule *next;
};

void add_rule(struct rule *rule);

/* RULE(overflow, "eventfd(2)", "a write that would overflow blocks") { … } runs in a process of its own. */
#define RULE(id, manual_page, one_line_claim)                                                          \
    static void rule_##id(void);                                                                        \
    __attribute__((constructor)) static void add_##id(void)                                             \
    {                                                                                                   \
        static struct rule rule = {#id, manual_page, one_line_claim, rule_##id, __LINE__, NULL};        \
        add_rule(&rule);                                                                                \
    }                                                                                                   \
    static void rule_##id(void)

/* Print `what: …`, one line. */
__attribute__((format(printf, 2, 3))) void observed(const char *what, const char *format, ...);
long see(const char *what, long result);
long see_blocked(const char *what, long result);
int see_error(const char *what, int error);
int see_whether(const char *what, int holds);
void interrupt_soon(void);

/* Print the call as it stands here, and its result: a number, or the name of errno. The value is the result. */
#define SEE(call) (errno = 0, see(#call, (long)(call)))
/* The same for a function that returns an error number: pthread_…, clock_nanosleep, posix_…. */
#define SEE_ERROR(call) see_error(#call, (call))
/* Print the condition, and yes or no. */
#define SEE_WHETHER(condition) see_whether(#condition, (condition) != 0)
/* Print `blocks` if the call sleeps (a signal interrupts it then, every 10 ms), or its result. For a single thread. */
#define SEE_BLOCKED(call) (interrupt_soon(), errno = 0, see_blocked(#call, (long)(call)))

/* End this rule: the kernel has no such thing, as `why` says ("F_DUPFD_QUERY: Linux 6.10"). */
_Noreturn void not_here(const char *why);
/* End this rule where Linux is older than that and does it another way. */
void since(int major, int minor);
/* End this rule: what it needs to begin with has failed. */
_Noreturn void cannot_start(const char *why);

/* Names: EAGAIN; SIGUSR1, SIGRTMIN+2; IN|HUP for poll and epoll; `exited 3`, `killed by SIGKILL`; SI_USER, CLD_EXITED. */
const char *errno_name(int error);
const char *signal_name(int signo);
const char *events_name(unsigned events);
const char *status_name(int wait_status);
const char *code_name(int signo, int si_code);

/* Time. */
int64_t now_ns(clockid_t clock);
void nap(int ms);

/* Return when the task (a child's pid, or a thread's tid of this process) sleeps in the kernel. */
void until_asleep(pid_t task);
/* Start a signal's counting handler without SA_RESTART or with other flags; how often it ran so far. */
void count_signal(int signo, int flags);
extern volatile sig_atomic_t signals_counted;

#endif
