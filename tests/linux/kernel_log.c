/* kmsg: poll never says that the kernel's log may be written to, and yet a write does not wait. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static void show(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

int main(void)
{
    static char line[1 << 16]; /* too long, so that nothing is logged */
    int fd = open("/dev/kmsg", O_RDWR | O_CLOEXEC);
    show("open", fd < 0 ? fd : 0);
    if (fd < 0)
        return 0;
    struct pollfd pollfd = {.fd = fd, .events = POLLOUT};
    show("poll", poll(&pollfd, 1, 0));
    show("write", write(fd, line, sizeof line));
    struct iovec vector = {line, sizeof line};
    show("writev", writev(fd, &vector, 1));
    return 0;
}
