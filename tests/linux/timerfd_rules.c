/* timerfd_create(2): order of checks, every clock, expirations, what gettime shows. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("%s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

#define MS 1000000L

static uint64_t count;

static int arm(int fd, int flags, long value_ns, long interval_ns)
{
    struct itimerspec new = {{interval_ns / (1000 * MS), interval_ns % (1000 * MS)},
                             {value_ns / (1000 * MS), value_ns % (1000 * MS)}};
    return timerfd_settime(fd, flags, &new, NULL);
}

static void order_of_checks(void)
{
    struct itimerspec good = {{0, 0}, {1, 0}}, bad = {{0, 0}, {0, 1000000000}}, minus = {{-1, 0}, {0, 0}};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    long nowhere = 16;

    FACT(timerfd_create(CLOCK_MONOTONIC, 1));
    FACT(timerfd_create(CLOCK_MONOTONIC_RAW, 0));
    FACT(timerfd_create(CLOCK_TAI, 0));
    FACT(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    FACT(timerfd_create(-1, 0));
    FACT(syscall(SYS_timerfd_settime, 99, 4, nowhere, 0));
    FACT(timerfd_settime(99, 4, &bad, NULL));
    FACT(timerfd_settime(99, 0, &bad, NULL));
    FACT(timerfd_settime(99, 0, &minus, NULL));
    FACT(timerfd_settime(99, 0, &good, NULL));
    FACT(timerfd_settime(1, 0, &good, NULL));
    FACT(syscall(SYS_timerfd_settime, timer, 0, &good, nowhere));
    FACT(syscall(SYS_timerfd_gettime, timer, nowhere));
    FACT(syscall(SYS_timerfd_gettime, 99, nowhere));
    FACT(syscall(SYS_timerfd_gettime, 1, nowhere));
    FACT(read(timer, &count, 8));
    FACT(read(timer, &count, 7));
    FACT(write(timer, &count, 8));
}

static void clocks(void)
{
    static const int ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
    for (int i = 0; i < 3; i++) {
        int timer = timerfd_create(ids[i], 0);
        struct timespec now;
        clock_gettime(ids[i], &now);
        long now_ns = now.tv_sec * 1000 * MS + now.tv_nsec;
        arm(timer, TFD_TIMER_ABSTIME, now_ns - 25 * MS, 10 * MS);
        long got = read(timer, &count, 8);
        printf("clock %d: %ld, at least 3 expirations: %d\n", ids[i], got, count >= 3);
        clock_gettime(ids[i], &now);
        arm(timer, TFD_TIMER_ABSTIME, now.tv_sec * 1000 * MS + now.tv_nsec + 20 * MS, 0);
        got = read(timer, &count, 8);
        struct timespec then;
        clock_gettime(ids[i], &then);
        long passed = (then.tv_sec - now.tv_sec) * 1000 * MS + then.tv_nsec - now.tv_nsec;
        printf("clock %d: %ld, %lu expiration after 20 ms: %d\n", ids[i], got, count, passed >= 20 * MS && passed < 300 * MS);
    }
}

static void periodic(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLET, {0}};
    struct itimerspec now;

    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    arm(timer, 0, 10 * MS, 10 * MS);
    FACT(epoll_wait(epoll, &event, 1, 1000));
    usleep(35000);
    FACT(epoll_wait(epoll, &event, 1, 0));
    FACT(timerfd_gettime(timer, &now));
    /* 0 is what it shows when the next one comes between its looks at the clock and at the timer. */
    printf("next within the interval: %d\n", now.it_value.tv_sec == 0 && now.it_value.tv_nsec <= 10 * MS);
    FACT(epoll_wait(epoll, &event, 1, 1000));
    FACT(read(timer, &count, 8));
    printf("at least 4: %d\n", count >= 4);
    FACT(epoll_wait(epoll, &event, 1, 1000));
    FACT(arm(timer, 0, 0, 10 * MS));
    FACT(read(timer, &count, 8));
    FACT(timerfd_gettime(timer, &now));
    printf("%ld %ld, every %ld ns\n", (long)now.it_value.tv_sec, now.it_value.tv_nsec, now.it_interval.tv_nsec);
}

static void once(void)
{
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec now, old, new = {{0, 0}, {100, 0}};
    struct pollfd fds = {timer, POLLIN, 0};

    arm(timer, 0, 10 * MS, 0);
    FACT(poll(&fds, 1, 1000));
    FACT(timerfd_gettime(timer, &now));
    printf("%ld %ld\n", (long)now.it_value.tv_sec, now.it_value.tv_nsec);
    FACT(poll(&fds, 1, 0));
    FACT(timerfd_settime(timer, 0, &new, &old));
    printf("old %ld %ld\n", (long)old.it_value.tv_sec, old.it_value.tv_nsec);
    FACT(poll(&fds, 1, 0));
    FACT(timerfd_settime(timer, 0, &new, &old));
    printf("old about 100 s: %d\n", old.it_value.tv_sec == 99 || old.it_value.tv_sec == 100);
}

static void for_ever(void)
{
    struct itimerspec longest = {{INT64_MAX, 999999999}, {INT64_MAX, 999999999}}, now;
    int timer = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);

    FACT(timerfd_settime(timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &longest, NULL));
    FACT(timerfd_gettime(timer, &now));
    printf("every %ld s %ld ns, in more than 200 years: %d\n", (long)now.it_interval.tv_sec, now.it_interval.tv_nsec,
           now.it_value.tv_sec > 200L * 365 * 86400);
    FACT(read(timer, &count, 8));
}

int main(void)
{
    order_of_checks();
    clocks();
    periodic();
    once();
    for_ever();
    return 0;
}
