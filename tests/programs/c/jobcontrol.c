/* Job control: stops, continues, what wait and SIGCHLD say of them, and what a stopped task misses. */
#define _GNU_SOURCE
#include "facts.h"

enum {
    UNIT = 40,
    SETTLE = 4 * UNIT,  /* who said that it is about to block does so in this time, on a loaded machine too */
    SLEEP = 16 * UNIT,
    IN_TIME = 10 * UNIT, /* after SETTLE: before the sleep is over */
    LATE = 14 * UNIT,    /* after it */
    REST = 10 * UNIT,    /* more than what is left when the sleep goes on, less than SLEEP - SETTLE */
};

static int pipe_fds[2];

static void *nap_for_a_unit(void *unused) {
    (void)unused;
    nap_ms(UNIT);
    return NULL;
}

/* In a group of its own, as a shell starts a job: a terminal's stop signals leave orphaned groups alone. */
static pid_t start(void (*body)(void)) {
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        body();
        _exit(0);
    }
    setpgid(child, child);
    return child;
}

static void say_ready(void) { check(write(pipe_fds[1], "x", 1) == 1, "say ready"); }

/* As start, but returns when the child has begun to block. */
static pid_t start_and_settle(void (*body)(void)) {
    char byte;
    check(pipe(pipe_fds) == 0, "make a pipe");
    pid_t child = start(body);
    check(read(pipe_fds[0], &byte, 1) == 1, "hear that it is ready");
    nap_ms(SETTLE);
    close(pipe_fds[0]), close(pipe_fds[1]);
    return child;
}

static void pause_for_ever(void) { for (;;) pause(); }

static void sleep_once(void) {
    say_ready();
    nap_ms(SLEEP);
}

static void stop_and_continue(void) {
    pid_t child = start(pause_for_ever);
    int status;
    show("nothing to tell", waitpid(child, &status, WNOHANG | WUNTRACED | WCONTINUED));
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    show_status("a stop", status);
    show("told once", waitpid(child, &status, WNOHANG | WUNTRACED));
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    show_status("a continue", status);
    kill(child, SIGTSTP);
    waitpid(child, &status, WUNTRACED);
    show_status("a terminal stop", status);
    kill(child, SIGTERM);
    show("a stopped child keeps SIGTERM", waitpid(child, &status, WNOHANG));
    kill(child, SIGCONT);
    wait_and_show("continued", child);
    child = start(pause_for_ever);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGKILL);
    wait_and_show("killed while stopped", child);
}

/* With SIGCHLD blocked, sigwaitinfo tells of every change of a child. */
static void show_next_sigchld(const char *label) {
    sigset_t only_chld;
    siginfo_t info;
    sigemptyset(&only_chld);
    sigaddset(&only_chld, SIGCHLD);
    sigwaitinfo(&only_chld, &info);
    const char *code = info.si_code == CLD_STOPPED ? "CLD_STOPPED" : info.si_code == CLD_CONTINUED ? "CLD_CONTINUED"
        : info.si_code == CLD_EXITED ? "CLD_EXITED" : info.si_code == CLD_KILLED ? "CLD_KILLED" : "another code";
    printf("%s: %s, status %d\n", label, code, info.si_status);
}

static void sigchld(void) {
    block_signals(SIGCHLD, 0);
    on_signal(SIGCHLD, SIG_DFL, 0);
    pid_t child = start(pause_for_ever);
    kill(child, SIGSTOP);
    show_next_sigchld("SIGCHLD of a stop");
    kill(child, SIGCONT);
    show_next_sigchld("SIGCHLD of a continue");
    siginfo_t info;
    waitid(P_PID, child, &info, WCONTINUED | WNOWAIT);
    printf("waitid peeks: %d\n", info.si_code == CLD_CONTINUED);
    waitid(P_PID, child, &info, WCONTINUED);
    kill(child, SIGTERM);
    show_next_sigchld("SIGCHLD of a death");
    wait_and_show("the child", child);
}

static void continued(int number) {
    (void)number;
    if (write(1, "a handler for SIGCONT runs\n", 27) < 0) _exit(1);
}

static void exit_when_continued(void) {
    on_signal(SIGCONT, continued, 0);
    say_ready();
    pause();
    _exit(3);
}

static void handler_for_continue(void) {
    int status;
    pid_t child = start_and_settle(exit_when_continued);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    wait_and_show("its pause ended", child);
}

/* A stopped sleep keeps its deadline: it goes on for the rest, or is over at once. */
static void stop_a_sleep(const char *name, long stopped_ms) {
    int status;
    long long from = now_ms();
    pid_t child = start_and_settle(sleep_once);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    nap_ms(stopped_ms);
    printf("%s, while it is stopped: %d\n", name, waitpid(child, &status, WNOHANG));
    long long on = now_ms();
    kill(child, SIGCONT);
    waitpid(child, &status, 0);
    long long end = now_ms();
    printf("%s: over before its deadline %d, later than the rest %d\n", name, end - from < SLEEP, end - on >= REST);
}

static void stopped_sleeps(void) {
    stop_a_sleep("continued in time", IN_TIME);
    stop_a_sleep("continued late", LATE);
}

static void read_a_byte(void) {
    char byte;
    _exit(read(pipe_fds[0], &byte, 1) == 1 ? 4 : 1);
}

static void stopped_reader(void) {
    int status;
    check(pipe(pipe_fds) == 0, "make a pipe");
    pid_t child = start(read_a_byte);
    nap_ms(UNIT);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    check(write(pipe_fds[1], "x", 1) == 1, "write");
    nap_ms(UNIT);
    show("a stopped reader does not read", waitpid(child, &status, WNOHANG));
    kill(child, SIGCONT);
    wait_and_show("the reader", child);
}

static void group_of_two(void) {
    int status;
    pid_t leader = start(pause_for_ever);
    pid_t member = start(pause_for_ever);
    setpgid(member, leader);
    kill(-leader, SIGTSTP);
    waitpid(leader, &status, WUNTRACED);
    show_status("the leader", status);
    waitpid(member, &status, WUNTRACED);
    show_status("the member", status);
    kill(-leader, SIGTERM);
    kill(-leader, SIGCONT);
    int ended = 0;
    while (waitpid(-leader, &status, 0) > 0) ended += WIFSIGNALED(status);
    printf("of the group ended: %d\n", ended);
}

static void lead_an_orphaned_group(void) {
    int status;
    setsid();
    pid_t member = fork();
    if (member == 0) pause_for_ever();
    kill(member, SIGTSTP);
    nap_ms(UNIT);
    show("a terminal stop in an orphaned group", waitpid(member, &status, WNOHANG | WUNTRACED));
    kill(member, SIGSTOP);
    waitpid(member, &status, WUNTRACED);
    show_status("SIGSTOP there", status);
    kill(member, SIGKILL);
    _exit(0);
}

static void orphaned_group(void) {
    pid_t leader = fork();
    if (leader == 0) lead_an_orphaned_group();
    wait_and_show("the session's leader", leader);
}

static void nap_in_two_threads(void) {
    pthread_t other;
    pthread_create(&other, NULL, nap_for_a_unit, NULL);
    nap_ms(UNIT);
    pthread_join(other, NULL);
    _exit(5);
}

static void stopped_threads(void) {
    int status;
    pid_t child = start(nap_in_two_threads);
    nap_ms(UNIT / 2);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    nap_ms(2 * UNIT);
    show("every thread has stopped", waitpid(child, &status, WNOHANG));
    kill(child, SIGCONT);
    wait_and_show("and goes on", child);
}

static volatile int counted;
static void count(int number) { (void)number, counted++; }

static void no_stop_signals(void) {
    int status;
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    on_signal(SIGCHLD, count, SA_NOCLDSTOP | SA_RESTART);
    pid_t child = start(pause_for_ever);
    kill(child, SIGSTOP);
    waitpid(child, &status, WUNTRACED);
    kill(child, SIGCONT);
    waitpid(child, &status, WCONTINUED);
    int before = counted;
    kill(child, SIGTERM);
    waitpid(child, &status, 0);
    printf("with SA_NOCLDSTOP: %d before the death, %d after\n", before, counted);
}

int main(void) {
    stop_and_continue();
    sigchld();
    handler_for_continue();
    stopped_sleeps();
    stopped_reader();
    group_of_two();
    orphaned_group();
    stopped_threads();
    no_stop_signals();
}
