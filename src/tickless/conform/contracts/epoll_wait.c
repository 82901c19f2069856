/* epoll_wait(2), epoll_pwait(2), epoll_pwait2(2): arguments, time-outs, masks, interruption, several waiters. */
#include "contract.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static struct epoll_event got[8];

static int epoll_of(int fd, uint32_t events)
{
    struct epoll_event event = {events, {.fd = fd}};
    int epoll = epoll_create1(0);
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        cannot_start("epoll");
    return epoll;
}

static long wait_for(int epoll, const void *events, long room, int timeout)
{
    return syscall(SYS_epoll_pwait, epoll, events, room, timeout, NULL, 8);
}

RULE(closed, "epoll_wait(2)", "EBADF before EINVAL for the room")
{
    since(6, 15);
    SEE(wait_for(99, got, 0, 0));
}

RULE(arguments, "epoll_wait(2)", "EBADF; EINVAL for the room before EFAULT, and last EINVAL for another file")
{
    int fd = eventfd(0, 0), epoll = epoll_of(fd, EPOLLIN);
    SEE(wait_for(99, got, 1, 0));
    SEE(wait_for(fd, got, 0, 0));
    SEE(wait_for(fd, got, 1, 0));
    SEE(wait_for(epoll, got, 0, 0));
    SEE(wait_for(epoll, got, -1, 0));
    SEE(wait_for(epoll, got, INT32_MAX, 0));
    SEE(wait_for(epoll, (void *)(1UL << 62), 1, 0));
    SEE(wait_for(fd, (void *)(1UL << 62), 1, 0));
}

RULE(bad_buffer, "epoll_wait(2)", "EFAULT for events that cannot be written, which stay ready; nothing ready, nothing wrong")
{
    int fd = eventfd(0, 0), epoll = epoll_of(fd, EPOLLIN | EPOLLET);
    SEE(wait_for(epoll, (void *)16, 1, 0));
    eventfd_write(fd, 1);
    SEE(wait_for(epoll, (void *)16, 1, 0));
    SEE(wait_for(epoll, got, 1, 0));
    SEE(wait_for(epoll, got, 1, 0));
}

RULE(timeout, "epoll_wait(2)", "a time-out is waited for in full; 0 does not wait")
{
    int epoll = epoll_of(eventfd(0, 0), EPOLLIN);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(wait_for(epoll, got, 1, 0));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start < SECOND);
    SEE(wait_for(epoll, got, 1, 20));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
}

RULE(for_ever, "epoll_wait(2)", "any negative time-out waits for ever")
{
    int fd = eventfd(0, 0), epoll = epoll_of(fd, EPOLLIN);
    pid_t main_process = getpid(), child = fork();
    if (child == 0) {
        until_asleep(main_process);
        eventfd_write(fd, 1);
        _exit(0);
    }
    SEE(wait_for(epoll, got, 1, -77));
    waitpid(child, NULL, 0);
}

RULE(pwait2_timeout, "epoll_pwait2(2)", "the time-out is a timespec: NULL for ever, EINVAL if it is no time")
{
#ifdef SYS_epoll_pwait2
    struct timespec zero = {0, 0}, bad = {0, SECOND}, negative = {-1, 0}, moment = {0, 10 * MS};
    int fd = eventfd(0, 0), epoll = epoll_of(fd, EPOLLIN);
    int64_t start = now_ns(CLOCK_MONOTONIC);
    SEE(syscall(SYS_epoll_pwait2, epoll, got, 1, &zero, NULL, 8));
    SEE(syscall(SYS_epoll_pwait2, epoll, got, 1, &bad, NULL, 8));
    SEE(syscall(SYS_epoll_pwait2, epoll, got, 1, &negative, NULL, 8));
    SEE(syscall(SYS_epoll_pwait2, epoll, got, 1, 16L, NULL, 8));
    SEE(syscall(SYS_epoll_pwait2, 99, got, 1, &bad, NULL, 8));
    SEE(syscall(SYS_epoll_pwait2, epoll, got, 1, &moment, NULL, 8));
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 10 * MS);
    eventfd_write(fd, 1);
    SEE(syscall(SYS_epoll_pwait2, epoll, got, 1, NULL, NULL, 8));
#else
    not_here("epoll_pwait2: Linux 5.11");
#endif
}

RULE(mask_arguments, "epoll_pwait(2)", "EINVAL for another size of the mask, EFAULT for a bad one, before the epoll is looked at")
{
    sigset_t none;
    sigemptyset(&none);
    int epoll = epoll_of(eventfd(0, 0), EPOLLIN);
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 0, &none, 4));
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 0, &none, 128));
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 0, 16L, 8));
    SEE(syscall(SYS_epoll_pwait, 99, got, 1, 0, &none, 4));
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 0, NULL, 4));
}

RULE(interrupted, "epoll_wait(2)", "a handler ends it with EINTR, also with SA_RESTART")
{
    int epoll = epoll_of(eventfd(0, 0), EPOLLIN);
    for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
        pid_t waiter = fork();
        if (waiter == 0) {
            count_signal(SIGUSR1, flags);
            SEE(wait_for(epoll, got, 1, -1));
            SEE(signals_counted);
            _exit(0);
        }
        until_asleep(waiter);
        kill(waiter, SIGUSR1);
        waitpid(waiter, NULL, 0);
    }
}

RULE(blocked_signal, "epoll_wait(2)", "a signal that is blocked does not end it")
{
    int epoll = epoll_of(eventfd(0, 0), EPOLLIN);
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    raise(SIGUSR1);
    SEE(wait_for(epoll, got, 1, 20));
}

RULE(pending_unblocked, "epoll_pwait(2)", "a signal that is pending and let through by the mask ends it at once, if it waits")
{
    int fd = eventfd(0, EFD_NONBLOCK), epoll = epoll_of(fd, EPOLLIN);
    sigset_t usr1, none;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    count_signal(SIGUSR1, 0);
    raise(SIGUSR1);
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 0, &none, 8));
    observed("handled", "%d", signals_counted);
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 1000, &none, 8));
    observed("handled", "%d", signals_counted);
    sigprocmask(SIG_BLOCK, NULL, &none);
    SEE(sigismember(&none, SIGUSR1));
}

RULE(ready_before_signal, "epoll_pwait(2)", "what is ready comes before a signal, which stays pending")
{
    int fd = eventfd(1, EFD_NONBLOCK), epoll = epoll_of(fd, EPOLLIN);
    sigset_t usr1, none, pending;
    sigemptyset(&none);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    count_signal(SIGUSR1, 0);
    raise(SIGUSR1);
    SEE(syscall(SYS_epoll_pwait, epoll, got, 1, 1000, &none, 8));
    sigpending(&pending);
    observed("handled, pending", "%d %d", signals_counted, sigismember(&pending, SIGUSR1));
}

static int shared_epoll;
static pthread_barrier_t barrier;

static void *wait_in_thread(void *result)
{
    struct epoll_event event;
    pthread_barrier_wait(&barrier);
    *(int *)result = epoll_wait(shared_epoll, &event, 1, 200);
    return NULL;
}

RULE(one_waiter, "epoll_wait(2)", "of several threads that wait for one edge, one is told")
{
    int fd = eventfd(0, EFD_NONBLOCK), results[3] = {0};
    pthread_t threads[3];
    shared_epoll = epoll_of(fd, EPOLLIN | EPOLLET);
    pthread_barrier_init(&barrier, NULL, 4);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, wait_in_thread, &results[i]);
    pthread_barrier_wait(&barrier);
    nap(50);
    eventfd_write(fd, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    observed("told", "%d", results[0] + results[1] + results[2]);
}

RULE(added_while_waiting, "epoll_wait(2)", "what is added while a thread waits counts")
{
    int fd = eventfd(1, 0), result = 0;
    pthread_t thread;
    struct epoll_event event = {EPOLLIN, {.fd = fd}};
    shared_epoll = epoll_create1(0);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, wait_in_thread, &result);
    pthread_barrier_wait(&barrier);
    nap(20);
    epoll_ctl(shared_epoll, EPOLL_CTL_ADD, fd, &event);
    pthread_join(thread, NULL);
    SEE(result);
}

RULE(closed_epoll, "epoll(7)", "closing the number of an epoll that another thread waits in does not end its wait")
{
    int fd = eventfd(0, 0), result = -1;
    pthread_t thread;
    shared_epoll = epoll_of(fd, EPOLLIN);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, wait_in_thread, &result);
    pthread_barrier_wait(&barrier);
    nap(20);
    close(shared_epoll);
    eventfd_write(fd, 1);
    pthread_join(thread, NULL);
    SEE(result);
}

RULE(data, "epoll_wait(2)", "all 64 bits of the data come back")
{
    int fd = eventfd(1, 0), epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.u64 = 0x0123456789abcdef}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    SEE(wait_for(epoll, got, 8, 0));
    observed("data", "%llx", (unsigned long long)got[0].data.u64);
}
