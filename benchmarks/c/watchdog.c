// A daemon that does something every second and keeps its watchdog quiet: `watchdog SECONDS`. Four calls a second.
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void check(int holds, const char *what) {
    if (!holds)
        err(1, "%s", what);
}

int main(int argc, char **argv) {
    long left = argc == 2 ? atol(argv[1]) : -1;
    struct itimerspec second = {.it_value.tv_sec = 1};
    struct epoll_event event = {.events = EPOLLIN};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0), epoll = epoll_create1(0), watchdog = open("/dev/null", O_WRONLY);
    if (left < 0)
        errx(2, "usage: watchdog SECONDS");
    check(epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event) == 0, "epoll_ctl");
    for (uint64_t expirations; left > 0; left--) {
        check(timerfd_settime(timer, 0, &second, NULL) == 0, "timerfd_settime");
        check(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
        check(read(timer, &expirations, sizeof expirations) == sizeof expirations, "read");
        check(write(watchdog, "x", 1) == 1, "write");
    }
    return 0;
}
