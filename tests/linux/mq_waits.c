/* mq_send(3), mq_receive(3): what ends the waits at a POSIX message queue. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <mqueue.h>

static mqd_t queue;

static void receive(const char *what, const struct timespec *until)
{
    char text[16];
    unsigned priority = 0;
    ssize_t length = tell(what, until ? mq_timedreceive(queue, text, sizeof text, &priority, until)
                                      : mq_receive(queue, text, sizeof text, &priority));
    if (length >= 0)
        printf("priority %u: %.*s\n", priority, (int)length, text);
}

static struct timespec in_a_unit(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += UNIT_MS * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void on_message(int signo, siginfo_t *info, void *context)
{
    printf("signal: code %d, value %d\n", info->si_code, info->si_value.sival_int);
}

/* A child that sends a message after a unit, and ends after two. */
static void send_soon(void)
{
    fflush(stdout);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        mq_send(queue, "x", 1, 0);
        nap(1);
        _exit(0);
    }
}

static void notifications(void)
{
    struct sigaction action = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
    struct timespec long_time = {60, 0};
    siginfo_t info;
    sigset_t set;
    sigaction(SIGUSR1, &action, NULL);
    mq_notify(queue, &event);
    send_soon();
    tell("a notification interrupts", nanosleep(&long_time, NULL));
    reap();
    receive("what it was for", NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    mq_notify(queue, &event);
    send_soon();
    tell("a notification is waited for", sigtimedwait(&set, &info, &long_time));
    printf("code %d, value %d\n", info.si_code, info.si_value.sival_int);
    reap();
    receive("what it was for", NULL);
}

int main(void)
{
    char name[32];
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
    sprintf(name, "/mq_waits-%d", getpid());
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    mq_unlink(name);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        mq_send(queue, "hello", 5, 3);
        _exit(0);
    }
    receive("a message", NULL);
    reap();
    struct timespec until = in_a_unit(), wrong = {0, -1};
    restart_clock();
    receive("a time-out", &until);
    receive("one that has passed", &until);
    receive("a wrong one", &wrong);
    mq_send(queue, "low", 3, 1);
    mq_send(queue, "high", 4, 2);
    receive("a wrong one though there is a message", &wrong);
    restart_clock();
    until = in_a_unit();
    tell("a full queue", mq_timedsend(queue, "x", 1, 0, &until));
    restart_clock();
    if (fork() == 0) {
        nap(1);
        receive("the most urgent", NULL);
        _exit(0);
    }
    long sent = mq_send(queue, "late", 4, 9);
    reap(); /* it tells at the same time, or it did */
    tell("there is room again", sent);
    receive("urgent", &until);
    receive("the last", &until);
    alarm_soon(0);
    receive("a handler", NULL);
    alarm_soon(SA_RESTART);
    if (fork() == 0) {
        nap(2);
        mq_send(queue, "on", 2, 0);
        _exit(0);
    }
    receive("with SA_RESTART it goes on", NULL);
    reap();
    notifications();
    attributes.mq_flags = O_NONBLOCK;
    mq_setattr(queue, &attributes, NULL);
    restart_clock();
    receive("without waiting", NULL);
    tell("no queue", mq_send(0, "x", 1, 0));
    return 0;
}
