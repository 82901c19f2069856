/* epoll(7), proc(5): some files of the host look like files on disk, and tell of changes all the same. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void show_wait(const char *what, int epfd)
{
    struct epoll_event out[4];
    int count = epoll_wait(epfd, out, 4, 0);
    printf("%s: %d", what, count);
    for (int i = 0; i < count; i++)
        printf(" %d=%x", out[i].data.fd, out[i].events);
    printf("\n");
}

static void add(int epfd, const char *path, uint32_t events)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct epoll_event event = {.events = events, .data.fd = fd};
    int result = epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event);
    printf("%s: %s\n", path, fd < 0 ? "not here" : result < 0 ? strerrorname_np(errno) : "added");
}

/* What libmount does: an epoll in the program's own, with the table of mounts in it. */
static void watch_mounts(void)
{
    int inner = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = inner};
    add(inner, "/proc/self/mountinfo", EPOLLIN | EPOLLET);
    epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
    show_wait("outer, first edge", outer);
    show_wait("inner, first edge", inner);
    show_wait("outer", outer);
    show_wait("inner", inner);
    int mounted = unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
    printf("mount namespace: %s\n", mounted ? strerrorname_np(errno) : "ok");
    close(inner);
    close(outer);
    if (mounted)
        return;
    inner = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(EPOLL_CLOEXEC);
    add(inner, "/proc/self/mountinfo", EPOLLIN | EPOLLET);
    event.data.fd = inner;
    epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event);
    show_wait("inner, first edge", inner);
    show_wait("outer", outer);
    mount("none", "/mnt", "tmpfs", 0, NULL);
    show_wait("outer, mounted", outer);
    show_wait("inner, mounted", inner);
    show_wait("outer", outer);
}

int main(void)
{
    int epfd = epoll_create1(EPOLL_CLOEXEC);
    const char *paths[] = {"/proc/self/mountinfo", "/proc/mounts", "/proc/swaps", "/proc/version", "/proc/self/status",
                           "/proc/self/stat", "/proc/self/fdinfo/0", "/etc/passwd", "/proc/self", "/dev/null"};
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
        add(epfd, paths[i], EPOLLIN);
    show_wait("level", epfd);
    show_wait("level, again", epfd);

    char text[8];
    int fd = open("/proc/self/mountinfo", O_RDONLY);
    printf("read: %zd\n", read(fd, text, sizeof text));
    struct pollfd pollfd = {.fd = fd, .events = POLLIN | POLLPRI};
    printf("poll: %d, %x\n", poll(&pollfd, 1, 0), pollfd.revents);
    struct stat status;
    int path_only = open("/proc/version", O_PATH);
    printf("fstat of a path: %d\n", fstat(path_only, &status));
    struct epoll_event event = {.events = EPOLLIN};
    int watched = epoll_ctl(epfd, EPOLL_CTL_ADD, path_only, &event);
    printf("watch a path: %d %d\n", watched, errno);
    watch_mounts();
    return 0;
}
