// A daemon that a timer wakes every second and that keeps its watchdog quiet: `watchdog SECONDS`. Three calls a second.
#include <err.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int main(int argc, char **argv) {
    long left = argc == 2 ? atol(argv[1]) : -1;
    struct itimerspec every_second = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};
    struct epoll_event event = {.events = EPOLLIN};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), alive = eventfd(0, 0), epoll = epoll_create1(0);
    if (left < 0)
        errx(2, "usage: watchdog SECONDS");
    if (timerfd_settime(timer, 0, &every_second, NULL) || epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event))
        err(1, "timer");
    for (uint64_t ticks, one = 1; left > 0; left -= ticks) {
        if (epoll_wait(epoll, &event, 1, -1) != 1)
            err(1, "epoll_wait");
        if (read(timer, &ticks, sizeof ticks) != sizeof ticks)
            err(1, "read");
        if (write(alive, &one, sizeof one) != sizeof one)
            err(1, "write");
    }
    return 0;
}
