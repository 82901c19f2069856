/* wait(2), sigaction(2): when a child's end is a signal, a zombie, both or neither. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught, code;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    caught++;
    code = info->si_code;
}

static void disposition(void (*function)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = flags | SA_SIGINFO};
    sigaction(SIGCHLD, &action, NULL);
    caught = code = 0;
}

static void end_one(const char *what)
{
    int go[2], status = 0x5555;
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(go[1]);
        read(go[0], &byte, 1);
        _exit(7);
    }
    close(go[0]);
    close(go[1]);
    pid_t got;
    do
        got = waitpid(-1, &status, 0);
    while (got < 0 && errno == EINTR);
    sigset_t pending;
    sigpending(&pending);
    printf("%s: wait %s, status %#x, caught %d code %d, pending %d\n", what, got == pid ? "it" : strerrorname_np(errno),
           status, (int)caught, (int)code, sigismember(&pending, SIGCHLD));
}

static void take_pending(void)
{
    sigset_t set;
    struct timespec now = {0, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    siginfo_t info;
    int got = sigtimedwait(&set, &info, &now);
    if (got == SIGCHLD)
        printf("  taken: code %d status %d utime %s\n", info.si_code, info.si_status, info.si_utime > 100 ? "large" : "small");
    else
        printf("  taken: nothing\n");
}

/* `expected`: how many signals a stop and a continue give. They may come a little after the wait. */
static void stop_one(const char *what, int expected)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    siginfo_t info;
    kill(pid, SIGSTOP);
    waitid(P_PID, pid, &info, WSTOPPED);
    while (caught < expected / 2)
        sched_yield();
    int stopped = caught, code_of_stop = code;
    kill(pid, SIGCONT);
    waitid(P_PID, pid, &info, WCONTINUED);
    while (caught < expected)
        sched_yield();
    printf("%s: caught %d code %d, then %d code %d\n", what, stopped, code_of_stop, (int)caught, (int)code);
    disposition(NULL, 0);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    disposition(handler, SA_RESTART);
    end_one("a handler");
    disposition(handler, SA_RESTART | SA_NOCLDWAIT);
    end_one("a handler, SA_NOCLDWAIT");
    disposition((void *)SIG_IGN, 0);
    end_one("SIG_IGN");
    disposition((void *)SIG_DFL, SA_NOCLDWAIT);
    end_one("SIG_DFL, SA_NOCLDWAIT");
    disposition((void *)SIG_DFL, 0);
    end_one("SIG_DFL");

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    end_one("blocked, SIG_DFL");
    take_pending();
    disposition((void *)SIG_IGN, 0);
    end_one("blocked, SIG_IGN");
    take_pending();
    disposition((void *)SIG_DFL, SA_NOCLDWAIT);
    end_one("blocked, SIG_DFL, SA_NOCLDWAIT");
    take_pending();
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    disposition(handler, SA_RESTART);
    stop_one("stop, a handler", 2);
    disposition(handler, SA_RESTART | SA_NOCLDSTOP);
    stop_one("stop, SA_NOCLDSTOP", 0);
    disposition((void *)SIG_IGN, 0);
    stop_one("stop, SIG_IGN", 0);
    return 0;
}
