/* Processes made by clone(2) in all the ways that nobody uses. */
#include "stress.h"
#include <linux/sched.h>

static char stacks[8][65536] __attribute__((aligned(16)));
static volatile int touched;

static int raw_clone(unsigned long flags) { return syscall(SYS_clone, flags, NULL, NULL, NULL, NULL); }

static int body(void *argument) {
    nap(5 * MS);
    touched++;
    if (argument)
        close(100);
    _exit(21);
}

static void tell(const char *what, pid_t pid, int options) {
    int status = -1;
    pid_t got = waitpid(pid, &status, options);
    printf("%s: %s %x\n", what, got > 0 ? "reaped" : strerror(errno), got > 0 ? status : 0);
}

static void untraced(void) {
    pid_t pid = raw_clone(CLONE_UNTRACED | SIGCHLD);
    if (pid == 0) {
        nap(10 * MS);
        _exit(20);
    }
    tell("untraced", pid, 0);
    pid = raw_clone(CLONE_UNTRACED | SIGCHLD);
    if (pid == 0)
        _exit(22); /* without a call that is served */
    tell("untraced and quiet", pid, 0);
}

static void shared_memory(void) {
    tell("memory", clone(body, stacks[1] + 65536, CLONE_VM | SIGCHLD, NULL), 0);
    tell("memory and files", clone(body, stacks[2] + 65536, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL), 0);
    tell("memory and signals", clone(body, stacks[3] + 65536, CLONE_VM | CLONE_SIGHAND | SIGCHLD, NULL), 0);
    tell("memory, no signal", clone(body, stacks[4] + 65536, CLONE_VM, NULL), __WCLONE);
    printf("touched %d\n", touched);
}

static void shared_files(void) {
    int ends[2];
    pipe(ends);
    dup2(ends[0], 100);
    pid_t pid = raw_clone(CLONE_FILES | SIGCHLD);
    if (pid == 0)
        body((void *)1);
    tell("files", pid, 0);
    printf("closed by the child: %d\n", fcntl(100, F_GETFD) < 0 && errno == EBADF);
    close(ends[0]);
    close(ends[1]);
}

static void siblings(void) {
    pid_t child = fork();
    if (child == 0) {
        pid_t sibling = raw_clone(CLONE_PARENT | SIGCHLD);
        if (sibling == 0) {
            nap(10 * MS);
            _exit(23);
        }
        _exit(waitpid(sibling, NULL, 0) < 0 && errno == ECHILD ? 24 : 25);
    }
    tell("its maker", child, 0);
    tell("a sibling", -1, 0);
}

static void with_pidfd(void) {
    int pidfd = -1;
    struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
    pid_t pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(26);
    siginfo_t info;
    waitid(P_PIDFD, pidfd, &info, WEXITED);
    printf("pidfd: %d\n", info.si_status);
    close(pidfd);
}

static void failures(void) {
    printf("thread without memory: %d\n", raw_clone(CLONE_THREAD) < 0 ? errno : 0);
    printf("signals without memory: %d\n", raw_clone(CLONE_SIGHAND) < 0 ? errno : 0);
    printf("new pids: %d\n", raw_clone(CLONE_NEWPID | CLONE_THREAD | CLONE_VM | CLONE_SIGHAND) < 0 ? errno : 0);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    untraced();
    shared_memory();
    shared_files();
    siblings();
    with_pidfd();
    failures();
    printf("left: %d\n", reap_all());
    return 0;
}
