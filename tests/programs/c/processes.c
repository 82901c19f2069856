/* Processes: fork, vfork, posix_spawn, exec (also from a thread that isn't the leader), orphans, deaths of parents. */
#define _GNU_SOURCE
#include "facts.h"
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

enum { UNIT = 40 };
extern char **environ;
static char *self;

static void *park_in_read(void *fd) {
    char byte;
    return (void *)read(*(int *)fd, &byte, 1);
}

static void forks(void) {
    pid_t slow = fork();
    if (slow == 0) nap_ms(2 * UNIT), _exit(3);
    pid_t quick = fork();
    if (quick == 0) nap_ms(UNIT), _exit(4);
    pid_t killed = fork();
    if (killed == 0) pause();
    show("a living child", waitpid(quick, NULL, WNOHANG));
    int status;
    pid_t first = wait(&status);
    printf("first: %s\n", first == quick ? "quick" : "another");
    show_status("quick", status);
    kill(killed, SIGTERM);
    wait_and_show("a killed child", killed);
    wait_and_show("slow", slow);
    show("no child left", wait(NULL));
}

static void vforks(void) {
    volatile int written_by_child = 0;
    pid_t child = vfork();
    if (child == 0) {
        written_by_child = 1;
        _exit(5);
    }
    printf("a vfork child shares memory: %d\n", written_by_child);
    wait_and_show("the vfork child", child);
    child = vfork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 7", NULL);
        _exit(127);
    }
    wait_and_show("vfork and exec", child);
}

static void after_spawn(void) {
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    printf("USR1 blocked %d, USR2 blocked %d\n", sigismember(&set, SIGUSR1), sigismember(&set, SIGUSR2));
    exit(0);
}

static void spawns(void) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t only_usr1;
    int fds[2];
    pid_t child;
    char text[64] = "";
    char *show_mask[] = {self, "show-mask", NULL};
    check(pipe(fds) == 0, "make a pipe");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
    posix_spawn_file_actions_addclose(&actions, fds[0]);
    posix_spawnattr_init(&attributes);
    sigemptyset(&only_usr1);
    sigaddset(&only_usr1, SIGUSR1);
    posix_spawnattr_setsigmask(&attributes, &only_usr1);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    show_error("posix_spawn", posix_spawn(&child, self, &actions, &attributes, show_mask, environ));
    close(fds[1]);
    check(read(fds[0], text, sizeof text - 1) >= 0, "read");
    printf("spawned: %s", text);
    close(fds[0]);
    wait_and_show("spawned", child);
    show_error("posix_spawn of nothing", posix_spawn(&child, "/nonexistent", NULL, NULL, show_mask, environ));
}

/* What survives exec: the mask, pending signals, an alarm; a descriptor with close-on-exec does not. */
static void after_exec(const char *open_fd, const char *cloexec_fd) {
    sigset_t set, pending;
    struct itimerval left;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    sigpending(&pending);
    getitimer(ITIMER_REAL, &left);
    printf("after exec: USR1 blocked %d, pending %d, alarm %d, an open fd %d, close-on-exec %d\n",
           sigismember(&set, SIGUSR1), sigismember(&pending, SIGUSR1), left.it_value.tv_sec > 3000,
           fcntl(atoi(open_fd), F_GETFD) != -1, fcntl(atoi(cloexec_fd), F_GETFD) != -1);
    exit(6);
}

static void exec_keeps(void) {
    char open_fd[16], cloexec_fd[16];
    int kept[2], closed[2];
    check(pipe(kept) == 0 && pipe2(closed, O_CLOEXEC) == 0, "make pipes");
    pid_t child = fork();
    if (child == 0) {
        block_signals(SIGUSR1, 0);
        raise(SIGUSR1);
        alarm(4000);
        snprintf(open_fd, sizeof open_fd, "%d", kept[0]);
        snprintf(cloexec_fd, sizeof cloexec_fd, "%d", closed[0]);
        execl(self, self, "after-exec", open_fd, cloexec_fd, NULL);
        _exit(127);
    }
    wait_and_show("exec", child);
    close(kept[0]), close(kept[1]), close(closed[0]), close(closed[1]);
}

static void *exec_in_this_thread(void *unused) {
    (void)unused;
    nap_ms(UNIT);
    execl(self, self, "after-thread-exec", NULL);
    return NULL;
}

/* Exec ends all other threads, wherever they wait; the caller becomes the leader. */
static void exec_from_a_thread(void) {
    pid_t child = fork();
    if (child == 0) {
        pthread_t reader, execer;
        int fds[2];
        struct epoll_event event;
        check(pipe2(fds, O_CLOEXEC) == 0, "make a pipe");
        pthread_create(&reader, NULL, park_in_read, &fds[0]);
        pthread_create(&execer, NULL, exec_in_this_thread, NULL);
        epoll_wait(epoll_create1(EPOLL_CLOEXEC), &event, 1, -1);
        _exit(1);
    }
    wait_and_show("exec from a thread", child);
}

static void *exit_after_a_unit(void *unused) {
    (void)unused;
    nap_ms(UNIT);
    exit(9);
}

static void leader_leaves_first(void) {
    pid_t child = fork();
    if (child == 0) {
        pthread_t last;
        pthread_create(&last, NULL, exit_after_a_unit, NULL);
        pthread_exit(NULL);
    }
    nap_ms(UNIT / 2);
    show("the leader has left, its group lives", waitpid(child, NULL, WNOHANG));
    wait_and_show("the group", child);
}

static void *fork_here(void *unused) {
    (void)unused;
    pid_t child = fork();
    if (child == 0) _exit(getpid() == syscall(SYS_gettid) ? 8 : 1);
    wait_and_show("forked in a thread", child);
    return NULL;
}

static void orphans(void) {
    int fds[2], status;
    char byte;
    check(pipe(fds) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "become a subreaper");
    pid_t parent = fork();
    if (parent == 0) {
        if (fork() == 0) {
            close(fds[1]);
            check(read(fds[0], &byte, 1) == 0, "see the end of the pipe");
            _exit(11);
        }
        _exit(10);
    }
    wait_and_show("the parent", parent);
    close(fds[0]), close(fds[1]);
    pid_t orphan = wait(&status);
    printf("the orphan is ours: %d\n", orphan > 0);
    show_status("the orphan", status);
}

static void death_of_a_parent(void) {
    int status;
    pid_t parent = fork();
    if (parent == 0) {
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGUSR2);
            pause();
        }
        nap_ms(UNIT);
        _exit(0);
    }
    wait_and_show("the parent", parent);
    check(wait(&status) > 0, "reap the child");
    show_status("told of its parent's death", status);
}

static void exit_with_parked_threads(void) {
    pid_t child = fork();
    if (child == 0) {
        pthread_t threads[3];
        int fds[2];
        check(pipe(fds) == 0, "make a pipe");
        for (size_t i = 0; i < COUNT_OF(threads); i++) pthread_create(&threads[i], NULL, park_in_read, &fds[0]);
        nap_ms(UNIT / 2);
        _exit(12);
    }
    wait_and_show("with parked threads", child);
}

int main(int argc, char **argv) {
    self = argv[0];
    if (argc == 4) after_exec(argv[2], argv[3]);
    if (argc == 2 && strcmp(argv[1], "show-mask") == 0) after_spawn();
    if (argc == 2) {
        printf("after exec in a thread: leader %d\n", getpid() == syscall(SYS_gettid));
        return 13;
    }
    forks();
    vforks();
    spawns();
    exec_keeps();
    exec_from_a_thread();
    leader_leaves_first();
    pthread_t forker;
    pthread_create(&forker, NULL, fork_here, NULL);
    pthread_join(forker, NULL);
    orphans();
    death_of_a_parent();
    exit_with_parked_threads();
}
