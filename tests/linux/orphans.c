/* PR_SET_CHILD_SUBREAPER(2const), PR_SET_PDEATHSIG(2const), setpgid(2): what becomes of the children of the dead. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t hangups, continues, sender_is_parent;
static pid_t parent;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    if (signo == SIGHUP)
        hangups++;
    if (signo == SIGCONT)
        continues++;
    sender_is_parent = info->si_pid == parent && info->si_code == SI_USER;
}

static void catch(int signo)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(signo, &action, NULL);
}

static void fact(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
    fflush(stdout);
}

static void reap(const char *what, pid_t expected)
{
    int status = 0;
    pid_t got = waitpid(-1, &status, 0);
    printf("%s: %s, status %#x\n", what, got == expected ? "the child" : got > 0 ? "another" : strerrorname_np(errno), status);
    fflush(stdout);
}

/* A child whose own child outlives it. */
static void grandchild(void)
{
    int go[2];
    pipe(go);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            char byte;
            close(go[1]);
            read(go[0], &byte, 1);
            _exit(getppid() == parent ? 42 : 43);
        }
        _exit(1);
    }
    reap("the child", pid);
    close(go[0]);
    close(go[1]);
    reap("its orphan", pid);
}

static void zombie_orphan(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pid_t dead = fork();
        if (dead == 0)
            _exit(5);
        siginfo_t info;
        waitid(P_PID, dead, &info, WEXITED | WNOWAIT);
        _exit(1);
    }
    int status, other;
    waitpid(pid, &status, 0);
    pid_t got = waitpid(-1, &other, 0);
    printf("an orphan that was a zombie: %s, status %#x\n", got > 0 ? "adopted" : strerrorname_np(errno), other);
    fflush(stdout);
}

static void death_signal(void)
{
    int report[2];
    pipe(report);
    pid_t middle = fork();
    if (middle == 0) {
        int go[2];
        pipe(go);
        if (fork() == 0) {
            parent = getppid();
            catch(SIGHUP);
            prctl(PR_SET_PDEATHSIG, SIGHUP);
            write(go[1], "", 1);
            while (!hangups)
                pause();
            char text[] = {'0' + hangups, sender_is_parent ? 'p' : 'o'};
            write(report[1], text, 2);
            _exit(0);
        }
        char byte;
        read(go[0], &byte, 1);
        _exit(0);
    }
    char text[3] = "";
    read(report[0], text, 2);
    printf("death signal: %c, sent by %s\n", text[0], text[1] == 'p' ? "the parent" : "another");
    fflush(stdout);
    waitpid(-1, NULL, 0);
    waitpid(-1, NULL, 0);
}

static int thread_report[2];

static void *forking_thread(void *argument)
{
    (void)argument;
    int go[2];
    pipe(go);
    if (fork() == 0) {
        catch(SIGHUP);
        prctl(PR_SET_PDEATHSIG, SIGHUP);
        write(go[1], "", 1);
        while (!hangups)
            pause();
        write(thread_report[1], "h", 1);
        _exit(0);
    }
    char byte;
    read(go[0], &byte, 1);
    return NULL;
}

static void thread_death_signal(void)
{
    pipe(thread_report);
    pthread_t thread;
    pthread_create(&thread, NULL, forking_thread, NULL);
    char byte = 0;
    read(thread_report[0], &byte, 1);
    printf("the thread that forked has ended: %c\n", byte);
    fflush(stdout);
    pthread_join(thread, NULL);
    waitpid(-1, NULL, 0);
}

/* A stopped job whose parent, a shell with a session of its own, ends. */
static void orphaned_process_group(const char *what, int catches)
{
    int report[2];
    pipe(report);
    pid_t middle = fork();
    if (middle == 0) {
        setsid();
        pid_t job = fork();
        if (job == 0) {
            setpgid(0, 0);
            if (catches)
                catch(SIGHUP), catch(SIGCONT);
            raise(SIGSTOP);
            char text[] = {'0' + hangups, '0' + continues};
            write(report[1], text, 2);
            _exit(9);
        }
        siginfo_t info;
        waitid(P_PID, job, &info, WSTOPPED);
        _exit(0);
    }
    close(report[1]);
    char text[3] = "--";
    long got = read(report[0], text, 2);
    int status;
    waitpid(middle, &status, 0);
    waitpid(-1, &status, 0);
    printf("%s: %ld bytes, SIGHUP %c, SIGCONT %c, status %#x\n", what, got, text[0], text[1], status);
    fflush(stdout);
}

int main(void)
{
    parent = getpid();
    int value = 7;
    fact("subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1));
    fact("get subreaper", prctl(PR_GET_CHILD_SUBREAPER, &value));
    printf("subreaper is %d\n", value);
    fflush(stdout);
    fact("death signal 65", prctl(PR_SET_PDEATHSIG, 65));
    fact("death signal -1", prctl(PR_SET_PDEATHSIG, -1));
    fact("death signal 64", prctl(PR_SET_PDEATHSIG, 64));
    prctl(PR_GET_PDEATHSIG, &value);
    printf("death signal is %d\n", value);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_GET_PDEATHSIG, &value);
        int subreaper = 7;
        prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
        printf("in a child the death signal is %d, subreaper %d\n", value, subreaper);
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    grandchild();
    zombie_orphan();
    death_signal();
    thread_death_signal();
    orphaned_process_group("a stopped job is orphaned", 1);
    orphaned_process_group("without handlers", 0);
    return 0;
}
