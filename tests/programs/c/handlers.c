/* Signal handlers: alternate stacks, siglongjmp out of blocking calls, nesting, masks, and what siginfo says. */
#define _GNU_SOURCE
#include "facts.h"
#include <poll.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { UNIT = 30 };
static char alternate[64 * 1024];
static sigjmp_buf out;
static volatile int depth, deepest, runs;

static int on_alternate_stack(void) {
    char here;
    uintptr_t at = (uintptr_t)&here, start = (uintptr_t)alternate;
    return at >= start && at < start + sizeof alternate;
}

static void where_am_i(int number) {
    stack_t now;
    (void)number;
    sigaltstack(NULL, &now);
    printf("in the handler: on the alternate stack %d, SS_ONSTACK %d\n", on_alternate_stack(), now.ss_flags == SS_ONSTACK);
}

static void alternate_stack(void) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    on_signal(SIGUSR1, where_am_i, SA_ONSTACK);
    raise(SIGUSR1);
    on_signal(SIGUSR1, where_am_i, 0);
    raise(SIGUSR1);
    on_signal(SIGALRM, where_am_i, SA_ONSTACK);
    struct itimerval soon = {.it_value.tv_usec = UNIT * 1000};
    setitimer(ITIMER_REAL, &soon, NULL);
    show("a poll ended by a handler on that stack", poll(NULL, 0, -1));
}

static void leave(int number) {
    (void)number;
    siglongjmp(out, 1);
}

static int *volatile nowhere;

static void out_of_a_fault(void) {
    on_signal(SIGSEGV, leave, SA_ONSTACK);
    if (sigsetjmp(out, 1) == 0) *nowhere = 1;
    else printf("out of a fault\n");
    if (sigsetjmp(out, 1) == 0) *nowhere = 1;
    else printf("and out of another\n");
    signal(SIGSEGV, SIG_DFL);
}

static int pipe_fds[2], counter, epoll;
static pid_t sleeper;
static char byte;
static void block_in_read(void) { if (read(pipe_fds[0], &byte, 1) < 0) perror("read"); }
static void block_in_eventfd(void) { uint64_t count; if (read(counter, &count, 8) < 0) perror("read"); }
static void block_in_epoll(void) { struct epoll_event event; epoll_wait(epoll, &event, 1, -1); }
static void block_in_poll(void) { struct pollfd fd = {pipe_fds[0], POLLIN, 0}; poll(&fd, 1, -1); }
static void block_in_nanosleep(void) { nap_ms(10000); }
static void block_in_sigsuspend(void) { sigset_t none; sigemptyset(&none); sigsuspend(&none); }
static void block_in_wait(void) { waitpid(sleeper, NULL, 0); }

static void jump_out_of(const char *name, void (*block)(void)) {
    sigset_t mask;
    struct itimerval soon = {.it_value.tv_usec = UNIT * 1000};
    long long from = now_ms();
    if (sigsetjmp(out, 1) == 0) {
        setitimer(ITIMER_REAL, &soon, NULL);
        block();
        printf("%s returned\n", name);
    }
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    printf("out of %s after %ld, ALRM blocked %d\n", name, units_since(from, UNIT), sigismember(&mask, SIGALRM));
}

static void out_of_calls(void) {
    check(pipe(pipe_fds) == 0, "make a pipe");
    counter = eventfd(0, 0);
    epoll = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    sleeper = fork();
    if (sleeper == 0) pause();
    on_signal(SIGALRM, leave, SA_RESTART);
    jump_out_of("read", block_in_read);
    jump_out_of("eventfd", block_in_eventfd);
    jump_out_of("epoll_wait", block_in_epoll);
    jump_out_of("poll", block_in_poll);
    jump_out_of("nanosleep", block_in_nanosleep);
    jump_out_of("sigsuspend", block_in_sigsuspend);
    jump_out_of("waitpid", block_in_wait);
    eventfd_write(counter, 3);
    struct epoll_event event;
    show("the epoll still works", epoll_wait(epoll, &event, 1, 0));
    kill(sleeper, SIGKILL);
    wait_and_show("the child", sleeper);
}

static void nest(int number) {
    depth++;
    if (depth > deepest) deepest = depth;
    if (++runs < 3) raise(number);
    depth--;
}

static void nesting(void) {
    on_signal(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    printf("with SA_NODEFER: %d runs, %d deep\n", runs, deepest);
    runs = deepest = 0;
    on_signal(SIGUSR1, nest, 0);
    raise(SIGUSR1);
    printf("without: %d runs, %d deep\n", runs, deepest);
    on_signal(SIGUSR1, nest, SA_RESETHAND);
    runs = 10;
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    printf("after SA_RESETHAND: default %d\n", now.sa_handler == SIG_DFL);
}

static void tell(int number, siginfo_t *info, void *context) {
    (void)context;
    const char *code = info->si_code == SI_USER ? "SI_USER" : info->si_code == SI_QUEUE ? "SI_QUEUE"
        : info->si_code == SI_TKILL ? "SI_TKILL" : info->si_code == SI_TIMER ? "SI_TIMER"
        : info->si_code == SI_KERNEL ? "SI_KERNEL" : info->si_code == CLD_EXITED ? "CLD_EXITED" : "another code";
    int by_us = info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
    printf("signal %d: %s, from us %d, value %d\n", number, code, by_us && info->si_pid == getpid(),
           info->si_code == SI_QUEUE || info->si_code == SI_TIMER ? info->si_value.sival_int : 0);
}

static void siginfo(void) {
    struct sigaction action = {.sa_sigaction = tell, .sa_flags = SA_SIGINFO};
    struct itimerval soon = {.it_value.tv_usec = UNIT * 1000};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 42};
    struct itimerspec at = {.it_value = span_of_ms(UNIT)};
    timer_t timer;
    int numbers[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) sigaction(numbers[i], &action, NULL);
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 7});
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    setitimer(ITIMER_REAL, &soon, NULL);
    pause();
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &at, NULL);
    pause();
    timer_delete(timer);
    pid_t child = fork();
    if (child == 0) nap_ms(UNIT), _exit(0);
    pause();
    wait_and_show("the child", child);
}

/* A real-time signal queues, in order of sending; the lowest number comes first. */
static void real_time_signals(void) {
    int first = SIGRTMIN, second = SIGRTMIN + 1;
    block_signals(first, second, SIGUSR1, 0);
    sigqueue(getpid(), second, (union sigval){.sival_int = 1});
    for (int i = 2; i < 5; i++) sigqueue(getpid(), first, (union sigval){.sival_int = i});
    raise(SIGUSR1), raise(SIGUSR1);
    sigset_t set;
    siginfo_t info;
    struct timespec none = {0, 0};
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    int number;
    while ((number = sigtimedwait(&set, &info, &none)) > 0) {
        const char *name = number == first ? "RTMIN" : number == second ? "RTMIN+1" : number == SIGUSR1 ? "USR1" : "another";
        printf("pending %s, value %d\n", name, number == SIGUSR1 ? 0 : info.si_value.sival_int);
    }
    show("then nothing", number);
}

int main(void) {
    alternate_stack();
    out_of_a_fault();
    out_of_calls();
    nesting();
    siginfo();
    real_time_signals();
}
