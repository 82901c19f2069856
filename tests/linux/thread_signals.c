/* signal(7): a signal of the process goes to one thread that does not block it, the main thread if it can. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static __thread const char *name = "main";
static char taken_by[100];
static int wakes_worker, wakes_other;
static pid_t worker_tid;

static void handler(int signo, siginfo_t *info, void *context)
{
    (void)context;
    sprintf(taken_by + strlen(taken_by), " %s took %d (%s)", name, signo == SIGUSR1 ? 1 : 2,
            info->si_code == SI_USER ? "user" : info->si_code == SI_TKILL ? "tkill" : "other");
}

static void block(int how, int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    pthread_sigmask(how, &set, NULL);
}

static const char *read_one(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof count) < 0 ? strerrorname_np(errno) : "ok";
}

static void *worker(void *takes)
{
    name = "worker";
    worker_tid = gettid();
    block(takes ? SIG_UNBLOCK : SIG_BLOCK, SIGUSR2);
    return (void *)read_one(wakes_worker);
}

static void *other(void *unused)
{
    (void)unused;
    name = "other";
    block(SIG_BLOCK, SIGUSR2);
    return (void *)read_one(wakes_other);
}

/* Another process sends `signo` to this one while three threads wait. */
static void send_from_outside(int signo, pid_t tid)
{
    struct timespec moment = {0, 20000000};
    pid_t me = getpid();
    if (fork() == 0) {
        nanosleep(&moment, NULL);
        if (tid)
            syscall(SYS_tgkill, me, tid, signo);
        else
            kill(me, signo);
        _exit(0);
    }
}

static void round_of(const char *what, int signo, int to_worker, int worker_takes_2)
{
    struct timespec moment = {0, 20000000};
    pthread_t threads[2];
    void *results[2];
    uint64_t one = 1;
    taken_by[0] = 0;
    pthread_create(&threads[0], NULL, worker, worker_takes_2 ? &threads : NULL);
    pthread_create(&threads[1], NULL, other, NULL);
    nanosleep(&moment, NULL);
    send_from_outside(signo, to_worker ? worker_tid : 0);
    struct timespec left = {0, 180000000};
    int result = nanosleep(&left, NULL);
    const char *mine = result ? strerrorname_np(errno) : "ok";
    while (wait(NULL) > 0)
        continue;
    if (write(wakes_worker, &one, 8) < 0 || write(wakes_other, &one, 8) < 0)
        perror("write");
    pthread_join(threads[0], &results[0]);
    pthread_join(threads[1], &results[1]);
    printf("%s:%s; main %s, worker %s, other %s\n", what, taken_by, mine, (char *)results[0], (char *)results[1]);
    for (int i = 0; i < 2; i++)
        if (strcmp(results[i], "ok"))
            read_one(i ? wakes_other : wakes_worker);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    wakes_worker = eventfd(0, 0);
    wakes_other = eventfd(0, 0);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    block(SIG_BLOCK, SIGUSR2);
    round_of("nobody blocks it", SIGUSR1, 0, 0);
    round_of("to the worker", SIGUSR1, 1, 0);
    round_of("the worker alone lets it through", SIGUSR2, 0, 1);
    round_of("everybody blocks it", SIGUSR2, 0, 0);
    round_of("pending, and the worker lets it through", SIGUSR1, 0, 1);
}
