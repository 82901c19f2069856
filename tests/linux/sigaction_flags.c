/* sigaction(2), execve(2): SA_NODEFER, SA_RESETHAND, sa_mask; what ignoring drops; what fork and exec keep. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char story[2000];
static int runs;

/* The first run sends its own signal again, and another. */
static void nest(int signo)
{
    strcat(story, " [");
    if (++runs == 1) {
        raise(signo);
        raise(SIGUSR2);
    }
    strcat(story, "]");
}

static void plain(int signo)
{
    strcat(story, signo == SIGUSR1 ? " 1" : signo == SIGUSR2 ? " 2" : " ?");
}

static void on(int signo, void (*handler)(int), int flags, int masked)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    if (masked)
        sigaddset(&action.sa_mask, masked);
    sigaction(signo, &action, NULL);
}

static void tell(const char *what)
{
    printf("%s:%s\n", what, story);
    story[0] = 0;
    runs = 0;
}

static int is_pending(int signo)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signo);
}

static void block(int how, int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    if (second)
        sigaddset(&set, second);
    sigprocmask(how, &set, NULL);
}

static void handlers(void)
{
    on(SIGUSR1, nest, 0, 0);
    on(SIGUSR2, plain, 0, 0);
    raise(SIGUSR1);
    tell("blocked in its own handler");
    on(SIGUSR1, nest, SA_NODEFER, 0);
    raise(SIGUSR1);
    tell("SA_NODEFER");
    on(SIGUSR1, nest, 0, SIGUSR2);
    raise(SIGUSR1);
    tell("sa_mask");
    on(SIGUSR1, plain, 0, 0);
    block(SIG_BLOCK, SIGUSR1, SIGUSR2);
    raise(SIGUSR1);
    raise(SIGUSR2);
    block(SIG_UNBLOCK, SIGUSR1, SIGUSR2);
    tell("two at once");
    on(SIGURG, plain, SA_RESETHAND, 0);
    raise(SIGURG);
    raise(SIGURG);
    tell("SA_RESETHAND");
}

static void dropping(void)
{
    block(SIG_BLOCK, SIGCHLD, SIGUSR1);
    raise(SIGCHLD);
    kill(getpid(), SIGUSR1);
    printf("blocked and ignored by default: %d\n", is_pending(SIGCHLD));
    signal(SIGCHLD, SIG_DFL);
    printf("after SIG_DFL: %d\n", is_pending(SIGCHLD));
    printf("blocked and caught: %d\n", is_pending(SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    printf("after SIG_IGN: %d\n", is_pending(SIGUSR1));
    kill(getpid(), SIGUSR1);
    printf("blocked and ignored: %d\n", is_pending(SIGUSR1));
    signal(SIGUSR1, SIG_DFL);
    printf("after SIG_DFL, which ends the process: %d\n", is_pending(SIGUSR1));
}

static void opposites(void)
{
    block(SIG_BLOCK, SIGCONT, SIGTSTP);
    raise(SIGCONT);
    printf("SIGCONT %d, SIGTSTP %d\n", is_pending(SIGCONT), is_pending(SIGTSTP));
    raise(SIGTSTP);
    printf("SIGCONT %d, SIGTSTP %d\n", is_pending(SIGCONT), is_pending(SIGTSTP));
    kill(getpid(), SIGCONT);
    printf("SIGCONT %d, SIGTSTP %d\n", is_pending(SIGCONT), is_pending(SIGTSTP));
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
    block(SIG_BLOCK, SIGCHLD, 0);
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
    handlers();
    dropping();
    opposites();
    on(SIGHUP, SIG_IGN, SA_RESTART, 0);
    on(SIGCHLD, SIG_DFL, SA_NOCLDSTOP, 0);
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
