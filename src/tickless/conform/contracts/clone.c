/* clone(2), clone3(2), vfork(2), unshare(2): which flags go together, what is shared, who is told of the end. */
#include "contract.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NOWHERE 16L
#define CLEAR_HANDLERS 0x100000000 /* CLONE_CLEAR_SIGHAND: Linux 5.5 */
#ifndef CLONE_DETACHED
#define CLONE_DETACHED 0x00400000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

/* A child without a stack of its own goes on here, as after fork. */
static pid_t start(unsigned long flags, int *parent_tid, int *child_tid)
{
#ifdef __aarch64__
    return syscall(SYS_clone, flags, 0, parent_tid, 0, child_tid);
#else
    return syscall(SYS_clone, flags, 0, parent_tid, child_tid, 0);
#endif
}

static long attempt(unsigned long flags)
{
    pid_t child = start(flags, NULL, NULL);
    if (child == 0)
        _exit(0);
    if (child > 0 && waitpid(child, NULL, __WALL) == child)
        return 0;
    return child;
}

struct clone_arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

static long attempt3(struct clone_arguments arguments, size_t size)
{
    pid_t child = syscall(SYS_clone3, &arguments, size);
    if (child == 0)
        _exit(0);
    if (child > 0 && waitpid(child, NULL, __WALL) == child)
        return 0;
    return child;
}

static int *shared_ints(void)
{
    int *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        cannot_start("mmap");
    return page;
}

static const char *end_of(pid_t child, int options)
{
    int status;
    return waitpid(child, &status, options) < 0 ? errno_name(errno) : status_name(status);
}

RULE(flags_together, "clone(2)", "EINVAL for CLONE_SIGHAND without CLONE_VM, for CLONE_THREAD without CLONE_SIGHAND")
{
    SEE(attempt(CLONE_SIGHAND | SIGCHLD));
    SEE(attempt(CLONE_THREAD));
    SEE(attempt(CLONE_THREAD | CLONE_VM));
    SEE(attempt(CLONE_THREAD | CLONE_SIGHAND));
}

RULE(flags_against_each_other, "clone(2)", "EINVAL for a new mount namespace with CLONE_FS, and others that contradict")
{
    SEE(attempt(CLONE_FS | CLONE_NEWNS | SIGCHLD));
    SEE(attempt(CLONE_NEWUSER | CLONE_FS | SIGCHLD));
    SEE(attempt(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD));
    SEE(attempt(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD));
}


RULE(old_flags, "clone(2)", "CLONE_DETACHED and unknown exit signals are taken for nothing")
{
    SEE(attempt(CLONE_DETACHED | SIGCHLD));
    SEE(attempt(0));
    SEE(attempt(65));
    SEE(attempt(255));
}

RULE(no_exit_signal, "clone(2)", "a child without SIGCHLD at its end is seen by __WCLONE or __WALL alone")
{
    pid_t child = start(0, NULL, NULL);
    if (child == 0)
        _exit(4);
    observed("plain", "%s", end_of(child, 0));
    observed("__WCLONE", "%s", end_of(child, __WCLONE));
    signal(SIGUSR1, SIG_IGN);
    child = start(SIGUSR1, NULL, NULL);
    if (child == 0)
        _exit(5);
    observed("__WALL, a signal that is ignored", "%s", end_of(child, __WALL));
}

RULE(wclone_and_fork, "clone(2)", "__WCLONE does not see a child of fork")
{
    pid_t child = fork();
    if (child == 0)
        _exit(6);
    observed("__WCLONE", "%s", end_of(child, __WCLONE));
    observed("plain", "%s", end_of(child, 0));
}

RULE(exit_signal, "clone(2)", "the end of a child sends the signal that was asked for, with the child's siginfo")
{
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t child = start(SIGUSR2, NULL, NULL);
    if (child == 0)
        _exit(9);
    observed("signal", "%s", signal_name(sigwaitinfo(&set, &info)));
    observed("code", "%s", code_name(SIGCHLD, info.si_code));
    SEE(info.si_status);
    SEE_WHETHER(info.si_pid == child);
    observed("end", "%s", end_of(child, __WALL));
}

RULE(exec_makes_it_sigchld, "clone(2)", "after execve the end sends SIGCHLD, whatever was asked for")
{
    pid_t child = start(SIGUSR2, NULL, NULL);
    if (child == 0) {
        if (access("/bin/true", X_OK) == 0)
            execl("/bin/true", "true", (char *)NULL);
        _exit(9);
    }
    siginfo_t info;
    SEE(waitid(P_PID, child, &info, WEXITED | WNOWAIT | __WALL));
    observed("plain", "%s", end_of(child, 0));
}

RULE(parent_tid, "clone(2)", "CLONE_PARENT_SETTID writes the child's id before clone returns; a bad address is no error")
{
    int tid = 0;
    pid_t child = start(CLONE_PARENT_SETTID | SIGCHLD, &tid, NULL);
    if (child == 0)
        _exit(tid == getpid() ? 0 : 1);
    SEE_WHETHER(tid == child);
    observed("and in the child", "%s", end_of(child, 0));
    child = start(CLONE_PARENT_SETTID | SIGCHLD, (int *)NOWHERE, NULL);
    if (child == 0)
        _exit(3);
    observed("with a bad address", "%s", child < 0 ? errno_name(errno) : end_of(child, 0));
}

RULE(child_tid, "clone(2)", "CLONE_CHILD_SETTID writes in the child only; a bad address does not end it")
{
    int tid = 0;
    pid_t child = start(CLONE_CHILD_SETTID | SIGCHLD, NULL, &tid);
    if (child == 0)
        _exit(tid == getpid() ? 0 : 1);
    observed("in the child", "%s", end_of(child, 0));
    SEE(tid);
    child = start(CLONE_CHILD_SETTID | SIGCHLD, NULL, (int *)NOWHERE);
    if (child == 0)
        _exit(3);
    observed("with a bad address", "%s", end_of(child, 0));
}

RULE(shared_files, "clone(2)", "CLONE_FILES shares the descriptors, till unshare; fork copies them")
{
    for (int flags = 0; flags <= CLONE_FILES; flags += CLONE_FILES) {
        pid_t child = start(flags | SIGCHLD, NULL, NULL);
        if (child == 0)
            _exit(dup2(1, 9) == 9 ? 0 : 1);
        end_of(child, 0);
        observed(flags ? "shared" : "copied", "%s", fcntl(9, F_GETFD) < 0 ? errno_name(errno) : "open");
    }
    pid_t child = start(CLONE_FILES | SIGCHLD, NULL, NULL);
    if (child == 0)
        _exit(unshare(CLONE_FILES) == 0 && close(9) == 0 ? 0 : 1);
    observed("unshared", "%s", end_of(child, 0));
    SEE(fcntl(9, F_GETFD));
}

RULE(shared_folder, "clone(2)", "CLONE_FS shares the working folder and the umask; fork copies them")
{
    for (int flags = 0; flags <= CLONE_FS; flags += CLONE_FS) {
        pid_t child = start(flags | SIGCHLD, NULL, NULL);
        if (child == 0)
            _exit(umask(077) == 022 ? 0 : 1);
        end_of(child, 0);
        observed(flags ? "shared" : "copied", "%03o", umask(022));
    }
}

RULE(brother, "clone(2)", "CLONE_PARENT makes a brother: the parent's parent waits for it")
{
    int *shared = shared_ints();
    pid_t child = fork();
    if (child == 0) {
        pid_t brother = start(CLONE_PARENT | SIGCHLD, NULL, NULL);
        if (brother == 0)
            _exit(8);
        shared[0] = brother;
        shared[1] = waitpid(brother, NULL, 0) < 0 ? errno : 0;
        _exit(0);
    }
    observed("child", "%s", end_of(child, 0));
    observed("it waits for its brother", "%s", errno_name(shared[1]));
    observed("brother", "%s", end_of(shared[0], 0));
}

RULE(pidfd_of_clone, "clone(2)", "CLONE_PIDFD gives a close-on-exec pidfd; WNOWAIT leaves the child")
{
    int fd = -1;
    siginfo_t info;
    pid_t child = start(CLONE_PIDFD | SIGCHLD, &fd, NULL);
    if (child == 0)
        _exit(2);
    SEE(fd);
    SEE(fcntl(fd, F_GETFD));
    SEE(waitid(3, fd, &info, WEXITED | WNOWAIT));
    SEE(info.si_status);
    observed("end", "%s", end_of(child, 0));
}

RULE(clone3_sizes, "clone3(2)", "EINVAL for less than 64 bytes; more than the kernel knows must be 0: E2BIG; a page at most")
{
    struct {
        struct clone_arguments arguments;
        char more[64];
    } larger = {.arguments = {.exit_signal = SIGCHLD}};
    larger.more[40] = 1;
    SEE(syscall(SYS_clone3, &larger, 63));
    SEE(syscall(SYS_clone3, &larger, 0));
    SEE(syscall(SYS_clone3, &larger, sizeof larger));
    SEE(syscall(SYS_clone3, &larger, 4097));
    SEE(syscall(SYS_clone3, NOWHERE, 64));
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD}, 64));
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD}, 88));
}

RULE(clone3_arguments, "clone3(2)", "EINVAL for a signal in the flags or above 64, for a stack without a size or the other way round")
{
    SEE(attempt3((struct clone_arguments){.flags = SIGCHLD}, 64));
    SEE(attempt3((struct clone_arguments){.exit_signal = 65}, 64));
    SEE(attempt3((struct clone_arguments){.exit_signal = 0x100}, 64));
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD, .stack = 4096}, 64));
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD, .stack_size = 4096}, 64));
    SEE(attempt3((struct clone_arguments){.flags = 1ULL << 40, .exit_signal = SIGCHLD}, 64));
    SEE(attempt3((struct clone_arguments){.flags = CLONE_DETACHED, .exit_signal = SIGCHLD}, 64));
    SEE(attempt3((struct clone_arguments){.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD}, 64));
    SEE(attempt3((struct clone_arguments){.flags = CLONE_PARENT, .exit_signal = SIGCHLD}, 64));
}

RULE(clone3_set_tid, "clone3(2)", "EINVAL for a number of ids without ids or the other way round, for more than 32 levels")
{
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD, .set_tid_size = 1}, 80));
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD, .set_tid = NOWHERE}, 80));
    SEE(attempt3((struct clone_arguments){.exit_signal = SIGCHLD, .set_tid = NOWHERE, .set_tid_size = 33}, 80));
}

RULE(clear_handlers, "clone3(2)", "CLONE_CLEAR_SIGHAND: handlers become SIG_DFL, what is ignored stays so; not with CLONE_SIGHAND")
{
    count_signal(SIGUSR1, 0);
    signal(SIGUSR2, SIG_IGN);
    struct clone_arguments arguments = {.flags = CLEAR_HANDLERS, .exit_signal = SIGCHLD};
    pid_t child = syscall(SYS_clone3, &arguments, 64);
    if (child == 0)
        _exit((signal(SIGUSR1, SIG_DFL) == SIG_DFL) | (signal(SIGUSR2, SIG_DFL) == SIG_IGN) << 1);
    observed("end", "%s", end_of(child, 0));
    SEE(attempt3((struct clone_arguments){.flags = CLEAR_HANDLERS | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD}, 64));
}

RULE(vfork_waits, "vfork(2)", "the parent sleeps until the child ends, in the child's memory")
{
    volatile int seen = 0;
    pid_t child = vfork();
    if (child == 0) {
        seen = 5;
        _exit(3);
    }
    SEE(seen);
    observed("end", "%s", end_of(child, 0));
}

RULE(vfork_without_memory, "clone(2)", "CLONE_VFORK without CLONE_VM waits for the end too, in memory of its own")
{
    volatile int seen = 0;
    pid_t child = start(CLONE_VFORK | SIGCHLD, NULL, NULL);
    if (child == 0) {
        seen = 5;
        nap(5);
        _exit(3);
    }
    SEE(seen);
    observed("end", "%s", end_of(child, 0));
}

RULE(unshare_errors, "unshare(2)", "EINVAL for unknown flags and a signal; 0 is fine; one thread may unshare what it shares with none")
{
    SEE(syscall(SYS_unshare, 0x00400000L));
    SEE(syscall(SYS_unshare, SIGCHLD));
    SEE(syscall(SYS_unshare, 0));
    SEE(syscall(SYS_unshare, CLONE_FS | CLONE_FILES));
    SEE(syscall(SYS_unshare, CLONE_THREAD));
    SEE(syscall(SYS_unshare, CLONE_VM | CLONE_SIGHAND));
}

RULE(fork_keeps, "fork(2)", "a child has a new id, its parent's group and session, and no children")
{
    int *shared = shared_ints();
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        shared[0] = getppid() == parent && getpid() != parent;
        shared[1] = getpgrp() == parent;
        shared[2] = wait(NULL) < 0 ? errno : 0;
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE(shared[0]);
    SEE(shared[1]);
    observed("wait", "%s", errno_name(shared[2]));
}
