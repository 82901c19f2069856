/* cgroups(7): inotify on cgroup.events tells, a little later, that the last process of a group has gone. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>

static char group[PATH_MAX];

static const char *in_group(const char *name)
{
    static char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", group, name);
    return path;
}

/* A group below our own, in whatever place cgroup2 is mounted. */
static int make_group(void)
{
    char line[4096], mount_point[1024] = "", own[1024] = "";
    FILE *mounts = fopen("/proc/self/mounts", "r"), *groups = fopen("/proc/self/cgroup", "r");
    while (mounts && fgets(line, sizeof line, mounts))
        sscanf(line, "cgroup2 %1023s", mount_point);
    while (groups && fgets(line, sizeof line, groups))
        sscanf(line, "0::%1023s", own);
    snprintf(group, sizeof group, "%s%s/facts-%d", mount_point, own, getpid());
    return mount_point[0] ? mkdir(group, 0755) : -1;
}

static void enter(void)
{
    int fd = open(in_group("cgroup.procs"), O_WRONLY);
    if (write(fd, "0", 1) != 1)
        perror("enter");
    close(fd);
}

static void show_populated(const char *what, int inotify, int timeout_units)
{
    struct pollfd pollfd = {.fd = inotify, .events = POLLIN};
    char events[4096], text[64] = "";
    int ready = poll(&pollfd, 1, timeout_units * UNIT_MS);
    if (ready && read(inotify, events, sizeof events) < 0)
        perror("read");
    int fd = open(in_group("cgroup.events"), O_RDONLY);
    if (read(fd, text, sizeof text - 1) < 0)
        perror("cgroup.events");
    close(fd);
    *strchrnul(text, '\n') = 0;
    printf("%s: told %d, %s after %ld\n", what, ready, text, units());
    fflush(stdout);
}

int main(void)
{
    if (make_group()) {
        printf("no cgroup2 that is ours\n");
        return 0;
    }
    int inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    inotify_add_watch(inotify, in_group("cgroup.events"), IN_MODIFY);
    for (int round = 0; round < 2; round++) {
        restart_clock();
        pid_t child = fork();
        if (child == 0) {
            enter();
            nap(5);
            _exit(0);
        }
        show_populated("entered", inotify, 30);
        show_populated("left", inotify, 30);
        show_populated("nothing more", inotify, 2);
        waitpid(child, NULL, 0);
    }
    rmdir(group);
    return 0;
}
