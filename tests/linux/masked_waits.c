/* ppoll(2), pselect(2), epoll_pwait(2): under which mask the handler runs, and what the mask is afterwards. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

static int counter, epoll, pipe_fds[2];
static sigset_t during;
static char story[500];
static struct timespec timeout;

static long in_ppoll(void)
{
    struct pollfd fds[] = {{counter, POLLIN, 0}, {pipe_fds[0], POLLIN, 0}};
    return ppoll(fds, 2, &timeout, &during);
}

static long in_pselect(void)
{
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(counter, &fds);
    FD_SET(pipe_fds[0], &fds);
    return pselect((counter > pipe_fds[0] ? counter : pipe_fds[0]) + 1, &fds, NULL, NULL, &timeout, &during);
}

static long in_epoll_pwait(void)
{
    struct epoll_event event;
    return epoll_pwait(epoll, &event, 1, timeout.tv_nsec / 1000000, &during);
}

static long in_epoll_pwait2(void)
{
    struct epoll_event event;
    return epoll_pwait2(epoll, &event, 1, &timeout, &during);
}

static void note_mask(const char *who)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    sprintf(story + strlen(story), " %s%s%s%s", who, sigismember(&now, SIGUSR1) ? "-1" : "",
            sigismember(&now, SIGUSR2) ? "-2" : "", sigismember(&now, SIGALRM) ? "-A" : "");
}

static void handler(int signo) { note_mask(signo == SIGUSR1 ? "USR1" : signo == SIGUSR2 ? "USR2" : "ALRM"); }

static void tell(const char *name, const char *what, long (*call)(void), long timeout_ms)
{
    story[0] = 0;
    timeout.tv_nsec = timeout_ms * 1000000;
    long result = call();
    if (result < 0)
        strcat(strcat(story, " "), strerrorname_np(errno));
    else
        sprintf(story + strlen(story), " %ld", result);
    note_mask("after");
    printf("%s, %s:%s\n", name, what, story);
}

static void send_soon(int signo)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signo};
    struct itimerspec at = {.it_value = {0, 10000000}};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    timer_settime(timer, 0, &at, NULL);
}

static void all(const char *name, long (*call)(void))
{
    kill(getpid(), SIGUSR1);
    tell(name, "one pending", call, 50);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGALRM);
    tell(name, "two pending", call, 50);
    kill(getpid(), SIGUSR2);
    tell(name, "one pending that stays blocked", call, 10);
    kill(getpid(), SIGUSR1);
    tell(name, "both, and no time", call, 0);
    sigset_t second;
    sigemptyset(&second);
    sigaddset(&second, SIGUSR2);
    sigtimedwait(&second, NULL, &(struct timespec){0, 0});
    sigaddset(&second, SIGUSR1);
    sigtimedwait(&second, NULL, &(struct timespec){0, 0});
    send_soon(SIGALRM);
    tell(name, "one that comes", call, 50);
    kill(getpid(), SIGUSR1);
    eventfd_write(counter, 1);
    tell(name, "one pending and something ready", call, 50);
    uint64_t count;
    if (read(counter, &count, sizeof count) < 0)
        perror("read");
    sigtimedwait(&second, NULL, &(struct timespec){0, 0});
}

int main(void)
{
    sigset_t blocked;
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    if (pipe(pipe_fds) < 0)
        return 1;
    counter = eventfd(0, 0);
    epoll = epoll_create1(0);
    struct epoll_event in = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, counter, &in);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGUSR2);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    sigemptyset(&during);
    sigaddset(&during, SIGUSR2);
    all("ppoll", in_ppoll);
    all("pselect", in_pselect);
    all("epoll_pwait", in_epoll_pwait);
    all("epoll_pwait2", in_epoll_pwait2);
}
