/* execve(2): which actions, flags of actions and pending signals a new program finds. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void on(int signo, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signo, &action, NULL);
}

static void nothing(int signo)
{
    (void)signo;
}

static int is_pending(int signo)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signo);
}

static void block(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void show_inherited(const char *who)
{
    struct sigaction action;
    sigset_t mask;
    sigprocmask(SIG_BLOCK, NULL, &mask);
    printf("%s: USR1 pending %d, blocked %d;", who, is_pending(SIGUSR1), sigismember(&mask, SIGUSR1));
    sigaction(SIGUSR2, NULL, &action);
    printf(" USR2 %s;", action.sa_handler == SIG_DFL ? "default" : action.sa_handler == SIG_IGN ? "ignored" : "caught");
    sigaction(SIGHUP, NULL, &action);
    printf(" HUP %s, flags %d\n", action.sa_handler == SIG_IGN ? "ignored" : "other", action.sa_flags & SA_RESTART);
    fflush(stdout);
}

/* exec forgets SA_NOCLDSTOP. */
static void show_stop_of_a_child(void)
{
    struct timespec moment = {0, 50000000};
    sigset_t set;
    block(SIGCHLD);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    kill(child, SIGSTOP);
    printf("SIGCHLD for a stop: %d\n", sigtimedwait(&set, NULL, &moment) == SIGCHLD);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        show_inherited("after exec");
        show_stop_of_a_child();
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    block(SIGUSR1);
    on(SIGUSR2, nothing, 0);
    on(SIGHUP, SIG_IGN, SA_RESTART);
    on(SIGCHLD, SIG_DFL, SA_NOCLDSTOP);
    show_stop_of_a_child();
    show_inherited("parent");
    if (fork() == 0) {
        show_inherited("child");
        kill(getpid(), SIGUSR1);
        execl("/proc/self/exe", argv[0], "again", NULL);
        _exit(1);
    }
    wait(NULL);
}
