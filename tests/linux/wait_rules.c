/* wait4(2), waitid(2): the order of argument checks, what is written where, and which news a wait takes. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNTOUCHED 0x55555555

static pid_t first, second;

static const char *who(pid_t pid)
{
    return pid == 0 ? "nobody" : pid == first ? "first" : pid == second ? "second" : "a number";
}

static void wait4_fact(const char *what, pid_t pid, int options)
{
    int status = UNTOUCHED;
    long got = syscall(SYS_wait4, pid, &status, options, NULL);
    if (got < 0)
        printf("wait4 %s: %s, status %#x\n", what, strerrorname_np(errno), status);
    else
        printf("wait4 %s: %s, status %#x\n", what, who(got), status);
}

static void waitid_fact(const char *what, int idtype, int id, int options)
{
    int words[32];
    memset(words, 0x55, sizeof words);
    long got = syscall(SYS_waitid, idtype, id, words, options, NULL);
    printf("waitid %s: %s, signo %d errno %d code %d, 3rd %#x, %s uid %s status %d, next %#x\n", what,
           got < 0 ? strerrorname_np(errno) : "0", words[0], words[1], words[2], words[3], who(words[4]),
           words[5] == (int)getuid() && words[4] ? "own" : words[5] ? "a number" : "0", words[6], words[7]);
}

static pid_t child(int code)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    siginfo_t info;
    waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
    return pid;
}

static pid_t sleeper(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

static void arguments(void)
{
    wait4_fact("without children", -1, 0);
    wait4_fact("unknown option", -1, 0x100);
    wait4_fact("WNOWAIT", -1, WNOWAIT);
    wait4_fact("WEXITED", -1, WEXITED);
    wait4_fact("INT_MIN", INT_MIN, 0);
    wait4_fact("INT_MIN and unknown option", INT_MIN, 0x100);
    waitid_fact("without children", P_ALL, 0, WEXITED);
    waitid_fact("no news asked for", P_ALL, 0, WNOHANG);
    waitid_fact("unknown option", P_ALL, 0, WEXITED | 0x100);
    waitid_fact("unknown kind", 9, 1, WEXITED);
    waitid_fact("P_PID 0", P_PID, 0, WEXITED);
    waitid_fact("P_PGID -1", P_PGID, -1, WEXITED);
    waitid_fact("P_PIDFD -1", P_PIDFD, -1, WEXITED);
    waitid_fact("P_PIDFD of no pidfd", P_PIDFD, 0, WEXITED);
}

static void zombies(void)
{
    first = child(1);
    second = child(2);
    waitid_fact("WSTOPPED with zombies only", P_ALL, 0, WSTOPPED | WNOHANG);
    waitid_fact("WNOWAIT", P_ALL, 0, WEXITED | WNOWAIT);
    waitid_fact("WNOWAIT again", P_ALL, 0, WEXITED | WNOWAIT);
    waitid_fact("__WCLONE", P_ALL, 0, WEXITED | WNOHANG | __WCLONE);
    waitid_fact("own process group", P_PGID, 0, WEXITED | WNOWAIT);
    wait4_fact("the second first", second, 0);
    wait4_fact("the second again", second, 0);
    wait4_fact("own process group", 0, __WALL);
    wait4_fact("none left", -1, WNOHANG);

    first = child(3);
    long got = syscall(SYS_wait4, -1, (int *)16, 0, NULL);
    printf("bad status pointer: %ld %s\n", got, strerrorname_np(errno));
    wait4_fact("after a fault", -1, WNOHANG);
    first = child(4);
    got = syscall(SYS_waitid, P_ALL, 0, (void *)16, WEXITED, NULL);
    printf("bad siginfo pointer: %ld %s\n", got, strerrorname_np(errno));
    waitid_fact("after a fault", P_ALL, 0, WEXITED | WNOHANG);
    got = syscall(SYS_waitid, P_ALL, 0, (void *)16, WEXITED, NULL);
    printf("bad siginfo pointer without children: %ld %s\n", got, strerrorname_np(errno));
    first = child(5);
    got = syscall(SYS_waitid, P_ALL, 0, NULL, WEXITED, NULL);
    printf("no siginfo: %ld\n", got);
}

static void stops(void)
{
    first = sleeper();
    wait4_fact("WNOHANG without news", -1, WNOHANG);
    waitid_fact("WNOHANG without news", P_ALL, 0, WEXITED | WNOHANG);
    kill(first, SIGSTOP);
    waitid_fact("stopped, WNOWAIT", P_ALL, 0, WSTOPPED | WNOWAIT);
    waitid_fact("stopped", P_PID, first, WSTOPPED);
    waitid_fact("stopped, told already", P_PID, first, WSTOPPED | WNOHANG);
    kill(first, SIGCONT);
    wait4_fact("continued, not asked for", -1, WUNTRACED | WNOHANG);
    waitid_fact("continued, WNOWAIT", P_ALL, 0, WCONTINUED | WNOWAIT);
    wait4_fact("continued", -1, WCONTINUED);
    wait4_fact("continued, told already", -1, WCONTINUED | WNOHANG);

    second = child(9);
    kill(first, SIGSTOP);
    waitid_fact("first stopped, WNOWAIT", P_PID, first, WSTOPPED | WNOWAIT);
    struct rusage usage;
    memset(&usage, 0x55, sizeof usage);
    int status;
    pid_t got = wait4(-1, &status, WUNTRACED, &usage);
    printf("the older one's news first: %s, status %#x, max rss %s\n", who(got), status,
           usage.ru_maxrss == 0x5555555555555555 ? "untouched" : "written");
    wait4_fact("the zombie then", -1, WUNTRACED);
    kill(first, SIGCONT);
    waitid_fact("continued, WNOWAIT", P_ALL, 0, WCONTINUED | WNOWAIT);
    kill(first, SIGSTOP);
    waitid_fact("a new stop, WNOWAIT", P_ALL, 0, WSTOPPED | WNOWAIT);
    waitid_fact("the continue before it", P_ALL, 0, WCONTINUED | WNOHANG);
    kill(first, SIGKILL);
    wait4_fact("killed while stopped", -1, WUNTRACED | WCONTINUED);
}

static void clones(void)
{
    first = syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (first == 0)
        _exit(6);
    wait4_fact("a clone child, __WALL missing", -1, 0);
    wait4_fact("a clone child, __WCLONE", -1, __WCLONE);
    first = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
    if (first == 0)
        _exit(7);
    wait4_fact("a clone child, __WALL", -1, __WALL);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGUSR1, SIG_IGN);
    arguments();
    zombies();
    stops();
    clones();
    return 0;
}
