/* signalfd(2): order of checks, records, whose signals a read gives, masks in place, epoll across fork. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("%s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

static struct signalfd_siginfo records[8];
static int fd, epoll;

static sigset_t set_of(int first, int second)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, first);
    sigaddset(&set, second);
    return set;
}

static void show(void)
{
    long got = read(fd, records, sizeof records);
    if (got < 0)
        printf("read: %s\n", strerrorname_np(errno));
    for (int i = 0; i < got / 128; i++)
        printf("signal %d code %d from %s uid %s value %d\n", records[i].ssi_signo, records[i].ssi_code,
               records[i].ssi_pid == (unsigned)getpid() ? "me" : records[i].ssi_pid ? "another" : "nobody",
               records[i].ssi_uid == getuid() ? "mine" : "another", records[i].ssi_int);
}

static void order_of_checks(void)
{
    sigset_t set = set_of(SIGUSR1, SIGKILL);
    long nowhere = 16;
    FACT(syscall(SYS_signalfd4, 99, nowhere, 4, 1));
    FACT(syscall(SYS_signalfd4, 99, nowhere, 8, 1));
    FACT(syscall(SYS_signalfd4, 99, &set, 8, 1));
    FACT(syscall(SYS_signalfd4, 99, &set, 8, 0));
    FACT(syscall(SYS_signalfd4, -2, &set, 8, 0));
    FACT(syscall(SYS_signalfd4, 1, &set, 8, 0));
    FACT(signalfd(fd, &set, 0) == fd);
    FACT(read(fd, records, 127));
    FACT(read(fd, records, 128));
    FACT(write(fd, records, 128));
}

static void records_of_all_kinds(void)
{
    sigset_t set = set_of(SIGUSR1, SIGRTMIN);
    signalfd(fd, &set, 0);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7});
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 8});
    FACT(read(fd, records, 255));
    printf("signal %d code %d\n", records[0].ssi_signo, records[0].ssi_code);
    show();
    show();
}

static void *other_thread(void *argument)
{
    (void)argument;
    struct pollfd fds = {fd, POLLIN, 0};
    printf("in another thread: %d\n", poll(&fds, 1, 0));
    show();
    return NULL;
}

static void threads(void)
{
    pthread_t thread;
    pthread_kill(pthread_self(), SIGUSR1);
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
    show();
    kill(getpid(), SIGUSR1);
    pthread_create(&thread, NULL, other_thread, NULL);
    pthread_join(thread, NULL);
}

static void across_fork(void)
{
    struct epoll_event event = {EPOLLIN, {0}};
    kill(getpid(), SIGUSR1);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    if (fork() == 0) {
        printf("child: epoll %d\n", epoll_wait(epoll, &event, 1, 0));
        kill(getpid(), SIGUSR1);
        printf("child with a signal of its own: epoll %d\n", epoll_wait(epoll, &event, 1, 0));
        show();
        kill(getppid(), SIGUSR1);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    FACT(epoll_wait(epoll, &event, 1, 0));
    show();
}

static void child_status(void)
{
    sigset_t set = set_of(SIGCHLD, SIGCHLD);
    signalfd(fd, &set, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    struct pollfd fds = {fd, POLLIN, 0};
    FACT(poll(&fds, 1, 5000));
    FACT(read(fd, records, 128));
    printf("signal %d code %d status %d of my child: %d\n", records[0].ssi_signo, records[0].ssi_code,
           records[0].ssi_status, records[0].ssi_pid == (unsigned)pid);
    wait(NULL);
}

static void *changer(void *argument)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2);
    usleep(20000);
    signalfd(fd, &set, 0);
    return argument;
}

static void a_mask_that_changes_under_a_read(void)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR1);
    pthread_t thread;
    fd = signalfd(-1, &set, 0);
    kill(getpid(), SIGUSR2);
    pthread_create(&thread, NULL, changer, NULL);
    FACT(read(fd, records, 128));
    printf("signal %d\n", records[0].ssi_signo);
    pthread_join(thread, NULL);
}

int main(void)
{
    sigset_t all = set_of(SIGUSR1, SIGRTMIN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaddset(&all, SIGUSR2);
    sigaddset(&all, SIGCHLD);
    sigprocmask(SIG_BLOCK, &all, NULL);
    fd = signalfd(-1, &all, SFD_NONBLOCK);
    epoll = epoll_create1(0);
    order_of_checks();
    records_of_all_kinds();
    threads();
    across_fork();
    child_status();
    a_mask_that_changes_under_a_read();
    return 0;
}
