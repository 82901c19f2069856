/* credentials(7), PR_SET_CHILD_SUBREAPER(2const), PR_SET_PDEATHSIG(2const), setpgid(2): what becomes of children of the dead. */
#include "contract.h"
#include <pthread.h>
#include <sys/prctl.h>

static volatile sig_atomic_t hangups, continues;

static void handler(int signo)
{
    if (signo == SIGHUP)
        hangups++;
    if (signo == SIGCONT)
        continues++;
}

static void adopt_orphans(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        cannot_start("PR_SET_CHILD_SUBREAPER");
}

static void reap(const char *what)
{
    int status = 0;
    pid_t got = waitpid(-1, &status, 0);
    observed(what, "%s", got > 0 ? status_name(status) : errno_name(errno));
}

RULE(adopted, "PR_SET_CHILD_SUBREAPER(2const)", "a grandchild whose parent has ended is a child of the subreaper, and getppid says so")
{
    pid_t reaper = getpid();
    int go[2];
    char byte;
    adopt_orphans();
    if (pipe(go) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0) {
            close(go[1]);
            read(go[0], &byte, 1);
            _exit(getppid() == reaper ? 42 : 43);
        }
        _exit(1);
    }
    reap("the child");
    close(go[0]), close(go[1]);
    reap("its orphan");
    reap("nobody");
}

RULE(adopted_zombie, "PR_SET_CHILD_SUBREAPER(2const)", "an orphan that was a zombie already is adopted, and waited for")
{
    adopt_orphans();
    pid_t child = fork();
    if (child == 0) {
        pid_t dead = fork();
        if (dead == 0)
            _exit(5);
        waitid(P_PID, dead, &(siginfo_t){0}, WEXITED | WNOWAIT);
        _exit(1);
    }
    SEE(waitpid(child, NULL, 0) == child);
    reap("the zombie");
}

RULE(adopted_by_the_nearest, "PR_SET_CHILD_SUBREAPER(2const)", "the nearest ancestor that is a subreaper adopts, not the first one")
{
    adopt_orphans();
    pid_t middle = fork();
    if (middle == 0) {
        adopt_orphans();
        pid_t child = fork();
        if (child == 0) {
            if (fork() == 0)
                _exit(6);
            _exit(1);
        }
        waitpid(child, NULL, 0);
        reap("by the nearest");
        _exit(0);
    }
    reap("the nearest");
    reap("here");
}

RULE(sigchld_of_an_orphan, "PR_SET_CHILD_SUBREAPER(2const)", "the end of an orphan sends SIGCHLD to the subreaper, whatever it was to send to its parent")
{
    sigset_t set;
    siginfo_t info;
    int go[2];
    char byte;
    sigemptyset(&set), sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    adopt_orphans();
    if (pipe(go) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        if (syscall(SYS_clone, SIGUSR1, NULL, NULL, NULL, NULL) == 0) {
            close(go[1]);
            read(go[0], &byte, 1);
            _exit(4);
        }
        _exit(0);
    }
    waitpid(child, NULL, 0);
    sigtimedwait(&set, &info, &(struct timespec){0, 0});
    close(go[0]), close(go[1]);
    SEE(sigwaitinfo(&set, &info));
    observed("info", "%s, status %d", code_name(SIGCHLD, info.si_code), info.si_status);
    reap("the orphan");
}

static volatile sig_atomic_t sender, code;

static void note_sender(int signo, siginfo_t *info, void *context)
{
    (void)signo, (void)context;
    sender = info->si_pid;
    code = info->si_code;
}

static int report[2];

RULE(who_sends_it, "PR_SET_PDEATHSIG(2const)", "the siginfo of a death signal names the parent that has ended, as kill would")
{
    if (pipe(report) < 0)
        cannot_start("pipe");
    pid_t middle = fork();
    if (middle == 0) {
        int go[2];
        char byte;
        if (pipe(go) < 0)
            cannot_start("pipe");
        if (fork() == 0) {
            struct sigaction action = {.sa_sigaction = note_sender, .sa_flags = SA_SIGINFO};
            pid_t parent = getppid();
            sigaction(SIGHUP, &action, NULL);
            prctl(PR_SET_PDEATHSIG, SIGHUP);
            write(go[1], "", 1);
            while (!sender)
                pause();
            SEE_WHETHER(sender == parent);
            observed("code", "%s", code_name(SIGHUP, code));
            _exit(0);
        }
        read(go[0], &byte, 1);
        _exit(0);
    }
    waitpid(middle, NULL, 0);
    char byte;
    close(report[1]);
    SEE(read(report[0], &byte, 1));
}

static void *forking_thread(void *unused)
{
    int go[2];
    char byte;
    (void)unused;
    if (pipe(go) < 0)
        return NULL;
    if (fork() == 0) {
        struct sigaction action = {.sa_handler = handler};
        sigaction(SIGHUP, &action, NULL);
        prctl(PR_SET_PDEATHSIG, SIGHUP);
        write(go[1], "", 1);
        while (!hangups)
            pause();
        write(report[1], "h", 1);
        _exit(0);
    }
    read(go[0], &byte, 1);
    return NULL;
}

RULE(thread_that_forked, "PR_SET_PDEATHSIG(2const)", "the signal comes when the thread that forked ends, though its process lives on")
{
    pthread_t thread;
    char byte = 0;
    if (pipe(report) < 0)
        cannot_start("pipe");
    pthread_create(&thread, NULL, forking_thread, NULL);
    SEE(read(report[0], &byte, 1));
    pthread_join(thread, NULL);
    reap("the child");
}

/* A stopped job whose parent, a shell with a session of its own, ends. */
static void orphaned_job(int catches)
{
    char text[2] = "";
    adopt_orphans();
    if (pipe(report) < 0)
        cannot_start("pipe");
    pid_t shell = fork();
    if (shell == 0) {
        setsid();
        pid_t job = fork();
        if (job == 0) {
            struct sigaction action = {.sa_handler = handler};
            setpgid(0, 0);
            if (catches)
                sigaction(SIGHUP, &action, NULL), sigaction(SIGCONT, &action, NULL);
            raise(SIGSTOP);
            text[0] = hangups, text[1] = continues;
            write(report[1], text, 2);
            _exit(9);
        }
        waitid(P_PID, job, &(siginfo_t){0}, WSTOPPED);
        _exit(0);
    }
    close(report[1]);
    observed("report", "%ld", (long)read(report[0], text, 2));
    observed("signals", "SIGHUP %d, SIGCONT %d", text[0], text[1]);
    SEE(waitpid(shell, NULL, 0) == shell);
    reap("the job");
}

RULE(orphaned_group, "setpgid(2)", "a stopped process group that loses its last connection to its session gets SIGHUP, then SIGCONT")
{
    orphaned_job(1);
}

RULE(orphaned_group_ends, "setpgid(2)", "without handlers the SIGHUP ends it")
{
    orphaned_job(0);
}

RULE(no_stop_without_a_shell, "setpgid(2)", "in an orphaned process group SIGTSTP does nothing, SIGSTOP stops")
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        setsid();
        if (fork() == 0) {
            raise(SIGTSTP);
            raise(SIGTTIN);
            _exit(3);
        }
        wait(&status);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    SEE(waitpid(child, &status, WUNTRACED) == child);
    observed("the session", "%s", status_name(status));
}
