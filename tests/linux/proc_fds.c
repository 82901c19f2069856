/* proc(5): what /proc/PID/fd and fdinfo show of files without a name, and what opening them again gives. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

static char path[64];

static const char *path_of(const char *directory, int fd)
{
    sprintf(path, "%s/%d", directory, fd);
    return path;
}

static void tell(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

static void show_link(const char *directory, int fd)
{
    char text[64], expected[64];
    struct stat status;
    ssize_t length = readlink(path_of(directory, fd), text, sizeof text - 1);
    text[length < 0 ? 0 : length] = 0;
    fstat(fd, &status);
    sprintf(expected, "pipe:[%lu]", (unsigned long)status.st_ino);
    printf("link: %s\n", strcmp(text, expected) ? text : "pipe and its inode");
}

/* The lines that are the same on every system. */
static void show_fdinfo(int fd)
{
    static const char *known[] = {"pos", "flags", "eventfd-count", "clockid", "ticks", "settime", "it_", "sigmask", "tfd"};
    char line[128];
    FILE *file = fopen(path_of("/proc/self/fdinfo", fd), "r");
    while (file && fgets(line, sizeof line, file))
        for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
            if (!strncmp(line, known[i], strlen(known[i])))
                printf("  %.60s%s", line, strlen(line) > 60 ? "\n" : "");
    fclose(file);
}

static void show(const char *what, int fd)
{
    printf("%s\n", what);
    show_link("/proc/self/fd", fd);
    show_link("/proc/thread-self/fd", fd);
    show_link("/dev/fd", fd);
    show_fdinfo(fd);
    char bytes[64];
    printf("a short link: %zd\n", readlink(path_of("/proc/self/fd", fd), bytes, 4));
    tell("a link without room", readlink(path, bytes, 0));
    int directory = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    char name[16];
    sprintf(name, "%d", fd);
    printf("relative: %zd\n", readlinkat(directory, name, bytes, 4));
    close(directory);
    directory = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY);
    int info = openat(directory, name, O_RDONLY);
    printf("fdinfo: %zd %.3s\n", read(info, bytes, 4), bytes);
    tell("written", write(info, "x", 1));
    close(info);
    close(directory);
}

static void refuse(const char *what, int fd)
{
    show(what, fd);
    tell("opened again", open(path_of("/proc/self/fd", fd), O_RDONLY));
    tell("opened again without waiting", open(path, O_RDWR | O_NONBLOCK));
    close(fd);
}

static void files_without_an_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    refuse("eventfd", eventfd(3, EFD_CLOEXEC));
    refuse("timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    refuse("signalfd", signalfd(-1, &set, 0));
    refuse("epoll", epoll_create1(0));
}

static void pipes(void)
{
    int ends[2];
    char byte = 0;
    pipe2(ends, O_CLOEXEC);
    show("read end", ends[0]);
    show("write end", ends[1]);
    int reader = open(path_of("/proc/self/fd", ends[0]), O_RDONLY | O_NONBLOCK);
    printf("flags of the first %o, of the second %o\n", fcntl(ends[0], F_GETFL), fcntl(reader, F_GETFL));
    tell("the second does not wait", read(reader, &byte, 1));
    int writer = open(path_of("/dev/fd", ends[0]), O_WRONLY | O_TRUNC);
    printf("the other end: flags %o, written %zd", fcntl(writer, F_GETFL), write(writer, "x", 1));
    printf(", read %zd %c\n", read(reader, &byte, 1), byte);
    close(ends[1]);
    tell("one writer is left", read(reader, &byte, 1));
    close(writer);
    printf("none is left: %zd\n", read(ends[0], &byte, 1));
    tell("not through a link", open(path_of("/proc/self/fd", ends[0]), O_RDONLY | O_NOFOLLOW));
    struct {
        unsigned long flags, mode, resolve;
    } how = {O_RDONLY | O_NONBLOCK, 0, 0};
    tell("openat2", syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how));
    close(reader);
    close(ends[0]);
}

static void of_another_process(void)
{
    int ends[2];
    pipe(ends);
    if (fork() == 0) {
        char directory[32], byte;
        close(ends[0]);
        sprintf(directory, "/proc/%d/fd", getppid());
        int reader = open(path_of(directory, ends[0]), O_RDONLY);
        write(ends[1], "y", 1);
        printf("of another process: %zd", read(reader, &byte, 1));
        printf(" %c\n", byte);
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    files_without_an_open();
    pipes();
    of_another_process();
    tell("no such number", open("/proc/self/fd/99", O_RDONLY));
    tell("no such number's fdinfo", open("/proc/self/fdinfo/99", O_RDONLY));
    tell("no such path", open("", O_RDONLY));
    tell("no path at all", open((char *)1, O_RDONLY));
    tell("the link of no path", readlink((char *)1, path, sizeof path));
    return 0;
}
