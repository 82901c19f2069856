/* sigsuspend(2), sigtimedwait(2), pause(2): what ends them, under which mask the handler runs, and what comes after. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char story[2000];

static void note(const char *what)
{
    strcat(strcat(story, " "), what);
}

static void handler(int signo)
{
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    note(signo == SIGUSR1 ? "USR1" : signo == SIGUSR2 ? "USR2" : "other");
    for (int i = 1; i < 32; i++)
        if (sigismember(&now, i))
            note(i == SIGUSR1 ? "-usr1" : i == SIGUSR2 ? "-usr2" : i == SIGALRM ? "-alrm" : "-other");
}

static void tell(const char *what, long result)
{
    note(result < 0 ? strerrorname_np(errno) : "ok");
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    printf("%s:%s; blocked %d %d\n", what, story, sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2));
    story[0] = 0;
}

static sigset_t set_of(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    if (first)
        sigaddset(&set, first);
    if (second)
        sigaddset(&set, second);
    return set;
}

static void on(int signo, int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signo, &action, NULL);
}

static void send_soon(int signo, int ms)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo};
    struct itimerspec at = {.it_value = {0, ms * 1000000L}};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &at, NULL);
}

int main(void)
{
    sigset_t none = set_of(0, 0), both = set_of(SIGUSR1, SIGUSR2), first = set_of(SIGUSR1, 0);
    struct timespec soon = {0, 50000000}, at_once = {0, 0};
    siginfo_t info;

    on(SIGUSR1, SA_RESTART);
    on(SIGUSR2, 0);
    pthread_sigmask(SIG_BLOCK, &first, NULL);
    kill(getpid(), SIGUSR1);
    tell("sigsuspend with one pending", sigsuspend(&none));
    pthread_sigmask(SIG_BLOCK, &both, NULL);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    tell("sigsuspend with two pending", sigsuspend(&none));
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    sigset_t second = set_of(SIGUSR2, 0);
    tell("sigsuspend that lets one through", sigsuspend(&second));
    tell("the other", sigtimedwait(&both, NULL, &at_once));
    send_soon(SIGUSR1, 30);
    tell("sigsuspend that has to wait", sigsuspend(&none));
    send_soon(SIGUSR2, 30);
    tell("sigsuspend that has to wait, no SA_RESTART", sigsuspend(&none));

    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    tell("sigtimedwait with one pending", sigtimedwait(&both, &info, NULL));
    printf("signo %d, code %d, from us %d\n", info.si_signo == SIGUSR1, info.si_code == SI_USER, info.si_pid == getpid());
    tell("sigtimedwait with none", sigtimedwait(&both, &info, &at_once));
    tell("sigtimedwait until its deadline", sigtimedwait(&both, &info, &soon));
    send_soon(SIGUSR2, 30);
    tell("sigtimedwait that has to wait", sigtimedwait(&both, &info, NULL));
    on(SIGALRM, SA_RESTART);
    send_soon(SIGALRM, 30);
    tell("sigtimedwait with a handler for another", sigtimedwait(&both, &info, NULL));
    signal(SIGURG, SIG_IGN);
    send_soon(SIGURG, 10);
    send_soon(SIGUSR1, 30);
    tell("sigtimedwait with another ignored", sigtimedwait(&both, &info, NULL));
    send_soon(SIGURG, 10);
    send_soon(SIGALRM, 30);
    tell("pause with another ignored", pause());
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 7});
    tell("a bad address", syscall(SYS_rt_sigtimedwait, &first, 8, NULL, 8));
    tell("has lost the signal", sigtimedwait(&both, NULL, &at_once));
}
