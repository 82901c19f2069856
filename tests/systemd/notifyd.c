/* notifyd N: a service that says READY=1, feeds its watchdog N times at half of WATCHDOG_USEC, then hangs. sd_notify(3) */
#define _GNU_SOURCE
#include <err.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void notify(const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path || strlen(path) >= sizeof address.sun_path)
        errx(1, "no NOTIFY_SOCKET");
    strcpy(address.sun_path, path);
    if (address.sun_path[0] == '@')
        address.sun_path[0] = 0; /* an abstract name */
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + strlen(path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (void *)&address, size) < 0)
        err(1, "sendto");
    close(fd);
}

int main(int argc, char **argv)
{
    const char *limit = getenv("WATCHDOG_USEC");
    if (argc != 2 || !limit)
        errx(2, "usage: notifyd N, as a service with WatchdogSec=");
    long long half_us = atoll(limit) / 2;
    struct timespec half = {half_us / 1000000, half_us % 1000000 * 1000};
    notify("READY=1");
    for (int fed = 0; fed < atoi(argv[1]); fed++) {
        nanosleep(&half, NULL);
        notify("WATCHDOG=1");
    }
    for (;;)
        pause();
}
