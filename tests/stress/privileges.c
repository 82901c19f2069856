/* Programs that change who they are, what they may do and what they see, and go on as before. usage: privileges WAY */
#include "stress.h"
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ptrace.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif
#define NOBODY 65534

static atomic_int handled;

static void handler(int signo) { handled++; }

static void *nap_a_little(void *argument) {
    nap(5 * MS);
    return argument;
}

static void use_files(const char *who) {
    int event = eventfd(0, 0), ends[2], sockets[2], epoll = epoll_create1(0);
    struct epoll_event ready = {.events = EPOLLIN};
    eventfd_t count = 0;
    char byte = 0;
    eventfd_write(event, 3);
    eventfd_read(event, &count);
    pipe(ends);
    write(ends[1], "x", 1);
    read(ends[0], &byte, 1);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[0], &ready);
    int early = epoll_wait(epoll, &ready, 1, 5);
    write(sockets[1], "y", 1);
    printf("%s: files %d %c %d %d\n", who, (int)count, byte, early, epoll_wait(epoll, &ready, 1, 5));
}

static void use_signals(const char *who) {
    struct signalfd_siginfo info = {0};
    sigset_t set;
    signal(SIGUSR1, handler);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR1);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR2);
    int fd = signalfd(-1, &set, 0);
    read(fd, &info, sizeof info);
    sigpending(&set);
    printf("%s: signals %d %d %d\n", who, handled, info.ssi_signo == SIGUSR2, sigismember(&set, SIGUSR2));
}

static void use_tasks(const char *who) {
    pthread_t thread;
    void *result = NULL;
    int status[2];
    pid_t pid = fork();
    if (pid == 0) {
        nap(5 * MS);
        _exit(3);
    }
    waitpid(pid, &status[0], 0);
    pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "sleep 0.01; exit 4", NULL);
        _exit(9);
    }
    waitpid(pid, &status[1], 0);
    pthread_create(&thread, NULL, nap_a_little, (void *)7);
    pthread_join(thread, &result);
    printf("%s: tasks %x %x %ld\n", who, status[0], status[1], (long)result);
}

/* All for which tickless has to look into the process. */
static void work(const char *who) {
    struct timespec before = {0}, after = {0};
    clock_gettime(CLOCK_MONOTONIC, &before);
    nap(20 * MS);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long slept = (after.tv_sec - before.tv_sec) * SECOND + after.tv_nsec - before.tv_nsec;
    printf("%s: slept %d\n", who, slept >= 20 * MS && slept < 10 * SECOND);
    use_files(who);
    use_signals(who);
    use_tasks(who);
}

static int filter(int number, unsigned action, unsigned flags) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void tell_status(const char *what, pid_t pid) {
    int status = 0;
    waitpid(pid, &status, 0);
    printf("%s: %x\n", what, status & ~0x80);
}

static void *get_parent(void *argument) { return (void *)(long)getppid(); }

static void own_filters(const char *way) {
    if (!strcmp(way, "no-clock")) {
        struct timespec time;
        printf("filter: %d\n", filter(SYS_clock_gettime, SECCOMP_RET_ERRNO | EPERM, 0));
        printf("as a call: %d %d\n", (int)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &time), errno);
        work(way);
    } else if (!strcmp(way, "no-sigtimedwait")) {
        printf("filter: %d\n", filter(SYS_rt_sigtimedwait, SECCOMP_RET_KILL_PROCESS, 0));
        work(way);
    } else if (!strcmp(way, "no-futex")) {
        int word = 0;
        printf("filter: %d\n", filter(SYS_futex, SECCOMP_RET_ERRNO | ENOSYS, 0));
        printf("futex: %d %d\n", (int)syscall(SYS_futex, &word, 1, 1, 0, 0, 0), errno);
        nap(MS);
        use_files(way);
    } else if (!strcmp(way, "trap")) {
        signal(SIGSYS, handler);
        filter(SYS_getppid, SECCOMP_RET_TRAP, 0);
        filter(SYS_sched_yield, SECCOMP_RET_TRAP, 0);
        getppid();
        sched_yield();
        printf("trapped: %d\n", handled);
    } else if (!strcmp(way, "kill")) {
        pid_t pid = fork();
        if (pid == 0) {
            filter(SYS_getppid, SECCOMP_RET_KILL_PROCESS, 0);
            get_parent(NULL);
        }
        tell_status("process", pid);
        pid = fork();
        if (pid == 0) {
            filter(SYS_getppid, SECCOMP_RET_KILL_THREAD, 0);
            start_thread(get_parent, NULL);
            nap(20 * MS);
            _exit(5);
        }
        tell_status("thread", pid);
    } else if (!strcmp(way, "strict")) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
            write(1, "strict\n", 7);
            syscall(SYS_exit, 6);
        }
        tell_status("strict", pid);
    }
}

static void namespaces(void) {
    static const struct {
        const char *name;
        int flag;
    } kinds[] = {{"mounts", CLONE_NEWNS}, {"names", CLONE_NEWUTS},  {"network", CLONE_NEWNET}, {"users", CLONE_NEWUSER},
                 {"cgroups", CLONE_NEWCGROUP}, {"cwd", CLONE_FS}, {"files", CLONE_FILES}, {"semaphores", CLONE_SYSVSEM}};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            int failed = unshare(kinds[i].flag);
            printf("unshare %s: %d\n", kinds[i].name, failed ? errno : 0);
            if (!failed)
                work(kinds[i].name);
            _exit(0);
        }
        tell_status(kinds[i].name, pid);
    }
}

static void close_everything(void) {
    pid_t pid = fork();
    if (pid == 0) {
        eventfd_t count = 1;
        close_range(0, ~0U, 0);
        nap(MS);
        int fd = eventfd(0, 0);
        if (eventfd_write(fd, 1) || eventfd_read(fd, &count))
            _exit(9);
        _exit(10 + fd);
    }
    tell_status("closed", pid);
    dup2(1, 100);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    printf("on exec: %d\n", fcntl(100, F_GETFD));
    close_range(3, ~0U, CLOSE_RANGE_UNSHARE);
    printf("unshared: %d\n", fcntl(100, F_GETFD));
    work("closed");
}

static void be_refused(const char *way) {
    if (!strcmp(way, "ptrace"))
        printf("ptrace: %d\n", ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0);
    else if (!strcmp(way, "listener"))
        printf("listener: %d\n", filter(-1, SECCOMP_RET_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0 ? errno : 0);
    else if (!strcmp(way, "pids"))
        printf("pids: %d\n", unshare(CLONE_NEWPID) < 0 ? errno : 0);
}

int main(int argc, char **argv) {
    const char *way = argv[1];
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(way, "drop")) {
        int failed = setgroups(0, NULL);
        failed |= setgid(NOBODY);
        failed |= setuid(NOBODY);
        printf("dropped: %d\n", failed);
        prctl(PR_SET_DUMPABLE, argc > 2 ? 0 : 1);
        work(way);
    } else if (!strcmp(way, "drop-and-back")) {
        printf("dropped: %d\n", seteuid(NOBODY));
        work(way);
        printf("back: %d\n", seteuid(0));
        use_tasks(way);
    } else if (!strcmp(way, "set-uid")) {
        printf("dropped: %d\n", setuid(NOBODY));
        execl(argv[2], argv[2], "who", NULL);
    } else if (!strcmp(way, "who")) {
        printf("user %d, as %d\n", getuid(), geteuid());
        work(way);
    } else if (!strcmp(way, "undumpable")) {
        printf("set: %d\n", prctl(PR_SET_DUMPABLE, 0));
        work(way);
        printf("dumpable: %d\n", prctl(PR_GET_DUMPABLE));
    } else if (!strcmp(way, "mdwe")) {
        prctl(PR_SET_MDWE, 1, 0, 0, 0);
        work(way);
    } else if (!strcmp(way, "chroot")) {
        printf("chroot: %d\n", chroot("/usr") ? errno : 0);
        work(way);
    } else if (!strcmp(way, "namespaces"))
        namespaces();
    else if (!strcmp(way, "close-all"))
        close_everything();
    else {
        own_filters(way);
        be_refused(way);
    }
    return 0;
}
