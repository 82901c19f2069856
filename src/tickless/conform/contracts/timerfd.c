/* timerfd_create(2): clocks and flags, the order of checks, expirations, what gettime tells, and readiness. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>

static uint64_t count;

static int new_timer(int flags)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, flags);
    if (fd < 0)
        cannot_start("timerfd_create");
    return fd;
}

static struct itimerspec spec(int64_t value_ns, int64_t interval_ns)
{
    struct itimerspec it = {{interval_ns / SECOND, interval_ns % SECOND}, {value_ns / SECOND, value_ns % SECOND}};
    return it;
}

static long arm(int fd, int flags, int64_t value_ns, int64_t interval_ns)
{
    struct itimerspec it = spec(value_ns, interval_ns);
    return syscall(SYS_timerfd_settime, fd, flags, &it, NULL);
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents);
}

RULE(clocks, "timerfd_create(2)", "REALTIME, MONOTONIC and BOOTTIME can be timed; RAW, COARSE, TAI and CPU clocks cannot")
{
    SEE_WHETHER(timerfd_create(CLOCK_REALTIME, 0) >= 0);
    SEE_WHETHER(timerfd_create(CLOCK_MONOTONIC, 0) >= 0);
    SEE_WHETHER(timerfd_create(CLOCK_BOOTTIME, 0) >= 0);
    SEE(timerfd_create(CLOCK_MONOTONIC_RAW, 0));
    SEE(timerfd_create(CLOCK_REALTIME_COARSE, 0));
    SEE(timerfd_create(CLOCK_TAI, 0));
    SEE(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
    SEE(timerfd_create(-1, 0));
    SEE(timerfd_create(99, 0));
}

RULE(create_flags, "timerfd_create(2)", "EINVAL for flags other than TFD_CLOEXEC and TFD_NONBLOCK")
{
    SEE(timerfd_create(CLOCK_MONOTONIC, 1));
    SEE(timerfd_create(CLOCK_MONOTONIC, O_APPEND));
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    SEE(fcntl(fd, F_GETFD));
    SEE(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
}

RULE(settime_order, "timerfd_settime(2)", "the new value is read first, then flags and its range are checked, then the fd")
{
    struct itimerspec good = spec(SECOND, 0), nsec = {{0, 0}, {0, SECOND}}, negative = {{-1, 0}, {1, 0}};
    SEE(syscall(SYS_timerfd_settime, 99, 8, 16L, NULL));
    SEE(timerfd_settime(99, 8, &good, NULL));
    SEE(timerfd_settime(99, 0, &nsec, NULL));
    SEE(timerfd_settime(99, 0, &negative, NULL));
    SEE(timerfd_settime(99, 0, &good, NULL));
    SEE(timerfd_settime(0, 0, &good, NULL));
    SEE(timerfd_settime(0, 0, &nsec, NULL));
}

RULE(bad_old_value, "timerfd_settime(2)", "EFAULT for an old value that cannot be written, but the timer is armed")
{
    struct itimerspec good = spec(1000 * SECOND, 0), now;
    int fd = new_timer(0);
    SEE(syscall(SYS_timerfd_settime, fd, 0, &good, 16L));
    timerfd_gettime(fd, &now);
    SEE_WHETHER(now.it_value.tv_sec > 900);
}

RULE(gettime_errors, "timerfd_gettime(2)", "EBADF, EINVAL for another file, EFAULT")
{
    struct itimerspec now;
    SEE(timerfd_gettime(99, &now));
    SEE(timerfd_gettime(0, &now));
    SEE(syscall(SYS_timerfd_gettime, new_timer(0), 16L));
    SEE(syscall(SYS_timerfd_gettime, 99, 16L));
}

RULE(unarmed, "timerfd_create(2)", "a timer that is not armed reads EAGAIN, tells 0 and is not ready")
{
    int fd = new_timer(TFD_NONBLOCK);
    struct itimerspec now = spec(1, 1);
    SEE(read(fd, &count, 8));
    SEE(timerfd_gettime(fd, &now));
    SEE(now.it_value.tv_sec + now.it_value.tv_nsec + now.it_interval.tv_nsec);
    observed("readiness", "%s", readiness(fd));
}

RULE(small_read, "timerfd_create(2)", "EINVAL for a read of fewer than 8 bytes, before anything else; a longer one gives 8")
{
    char bytes[16];
    int fd = new_timer(TFD_NONBLOCK);
    SEE(read(fd, &count, 7));
    arm(fd, 0, 1, 0);
    nap(2);
    SEE(read(fd, &count, 4));
    SEE(read(fd, bytes, 16));
    SEE(read(fd, bytes, 16));
}

RULE(no_write, "timerfd_create(2)", "a timer cannot be written to, nor seek")
{
    int fd = new_timer(0);
    SEE(write(fd, &count, 8));
    SEE(lseek(fd, 0, SEEK_SET));
    SEE(pread(fd, &count, 8, 0));
    SEE(ioctl(fd, FIONREAD, &count));
}

RULE(one_shot, "timerfd_settime(2)", "a timer without an interval expires once, and is disarmed then")
{
    int fd = new_timer(0);
    struct itimerspec now;
    int64_t start = now_ns(CLOCK_MONOTONIC);
    arm(fd, 0, 20 * MS, 0);
    SEE(read(fd, &count, 8));
    SEE(count);
    SEE_WHETHER(now_ns(CLOCK_MONOTONIC) - start >= 20 * MS);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SEE(read(fd, &count, 8));
    timerfd_gettime(fd, &now);
    SEE(now.it_value.tv_sec + now.it_value.tv_nsec);
}

RULE(periodic, "timerfd_settime(2)", "expirations that nobody read are counted")
{
    int fd = new_timer(0);
    arm(fd, 0, 10 * MS, 10 * MS);
    nap(35);
    SEE(read(fd, &count, 8));
    SEE_WHETHER(count >= 3);
    SEE(read(fd, &count, 8));
    SEE_WHETHER(count >= 1);
}

RULE(past, "timerfd_settime(2)", "an absolute time that has passed expires at once, with all periods since")
{
    int fd = new_timer(TFD_NONBLOCK);
    int64_t now = now_ns(CLOCK_MONOTONIC);
    arm(fd, TFD_TIMER_ABSTIME, now - 25 * SECOND, 10 * SECOND);
    SEE(read(fd, &count, 8));
    SEE(count);
    arm(fd, TFD_TIMER_ABSTIME, 1, 0);
    SEE(read(fd, &count, 8));
    SEE(count);
}

RULE(zero_disarms, "timerfd_settime(2)", "a value of 0 disarms, whatever the interval, and forgets expirations")
{
    int fd = new_timer(TFD_NONBLOCK);
    struct itimerspec zero = spec(0, SECOND), now;
    arm(fd, 0, 1, 0);
    nap(2);
    SEE(timerfd_settime(fd, 0, &zero, NULL));
    SEE(read(fd, &count, 8));
    timerfd_gettime(fd, &now);
    SEE(now.it_value.tv_sec);
    SEE(now.it_interval.tv_sec);
}

RULE(rearm_forgets, "timerfd_settime(2)", "arming a timer again forgets what it has counted")
{
    int fd = new_timer(TFD_NONBLOCK);
    arm(fd, 0, 1, 0);
    nap(2);
    observed("before", "%s", readiness(fd));
    arm(fd, 0, 1000 * SECOND, 0);
    observed("after", "%s", readiness(fd));
    SEE(read(fd, &count, 8));
}

RULE(old_value, "timerfd_settime(2)", "the old value is what was left, and the interval")
{
    int fd = new_timer(0);
    struct itimerspec hour = spec(3600 * SECOND, 7 * SECOND), minute = spec(60 * SECOND, 0), old;
    SEE(timerfd_settime(fd, 0, &hour, &old));
    SEE(old.it_value.tv_sec + old.it_value.tv_nsec + old.it_interval.tv_sec);
    SEE(timerfd_settime(fd, 0, &minute, &old));
    SEE_WHETHER(old.it_value.tv_sec >= 3590 && old.it_value.tv_sec <= 3600);
    SEE(old.it_interval.tv_sec);
}

RULE(gettime_keeps, "timerfd_gettime(2)", "gettime of an expired periodic timer tells the time to the next one; reads still count")
{
    int fd = new_timer(0);
    struct itimerspec now;
    arm(fd, 0, 10 * MS, 1000 * SECOND);
    nap(15);
    SEE(timerfd_gettime(fd, &now));
    SEE_WHETHER(now.it_value.tv_sec >= 990 && now.it_value.tv_sec <= 1000);
    SEE(read(fd, &count, 8));
    SEE(count);
}

RULE(edge, "timerfd_create(2)", "an edge-triggered epoll reports an expiration once, and the next one only after a read")
{
    int fd = new_timer(TFD_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN | EPOLLET, {.fd = fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    arm(fd, 0, 5 * MS, 5 * MS);
    SEE(epoll_wait(epoll, &event, 1, 1000));
    nap(20);
    SEE(epoll_wait(epoll, &event, 1, 0));
    read(fd, &count, 8);
    SEE(epoll_wait(epoll, &event, 1, 1000));
}

RULE(shared, "timerfd_create(2)", "a duplicate and a child have the same timer")
{
    int fd = new_timer(TFD_NONBLOCK), copy = dup(fd);
    arm(fd, 0, 1, 0);
    nap(2);
    pid_t child = fork();
    if (child == 0) {
        SEE(read(fd, &count, 8));
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE(read(copy, &count, 8));
}

RULE(huge, "timerfd_settime(2)", "times up to the end of time are taken; the timer does not expire")
{
    struct itimerspec far = {{0, 0}, {INT64_MAX, SECOND - 1}}, both = {{INT64_MAX, 0}, {INT64_MAX, 0}};
    int fd = new_timer(TFD_NONBLOCK);
    SEE(timerfd_settime(fd, 0, &far, NULL));
    SEE(read(fd, &count, 8));
    SEE(timerfd_settime(fd, TFD_TIMER_ABSTIME, &both, NULL));
    SEE(read(fd, &count, 8));
}

RULE(cancel_flag, "timerfd_settime(2)", "TFD_TIMER_CANCEL_ON_SET is taken with any clock, and without TFD_TIMER_ABSTIME")
{
    struct itimerspec far = spec(1000 * SECOND, 0);
    int real = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), monotonic = new_timer(TFD_NONBLOCK);
    SEE(timerfd_settime(real, TFD_TIMER_CANCEL_ON_SET, &far, NULL));
    SEE(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL));
    SEE(timerfd_settime(monotonic, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL));
    SEE(timerfd_settime(monotonic, 4, &far, NULL));
}

RULE(interrupted, "timerfd_create(2)", "a signal handler without SA_RESTART ends a read with EINTR")
{
    int fd = new_timer(0);
    arm(fd, 0, 1000 * SECOND, 0);
    pid_t reader = fork();
    if (reader == 0) {
        count_signal(SIGUSR1, 0);
        SEE(read(fd, &count, 8));
        _exit(0);
    }
    until_asleep(reader);
    kill(reader, SIGUSR1);
    waitpid(reader, NULL, 0);
}
