/* open(2), O_PATH: such a number of a pipe or an event file may be looked at, and that is all. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("  %s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

static sigset_t none;

/* A number of O_PATH for the file that `fd` names. */
static int path_of(int fd)
{
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int path = open(link, O_PATH);
    if (path < 0) {
        perror("open");
        exit(1);
    }
    return path;
}

static void moves_nothing(int path)
{
    char byte[8] = {1};
    struct iovec vector = {byte, 8};
    int zero = 0;
    FACT(read(path, byte, 8));
    FACT(write(path, byte, 8));
    FACT(readv(path, &vector, 1));
    FACT(lseek(path, 0, SEEK_SET));
    FACT(splice(path, NULL, path, NULL, 1, 0));
    FACT(ioctl(path, FIONREAD, byte));
    FACT(ioctl(path, FIONBIO, &zero));
    FACT(fcntl(path, F_SETFL, O_NONBLOCK));
    FACT(fcntl(path, F_GETPIPE_SZ));
    FACT(fcntl(path, F_GETFL) == O_PATH);
}

static void is_never_ready(int path)
{
    int epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {0}};
    struct itimerspec time = {{0, 0}, {1, 0}};
    struct pollfd asked = {path, POLLIN | POLLOUT, 0};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(path, &set);
    FACT(poll(&asked, 1, -1));
    printf("  %x\n", asked.revents);
    FACT(select(path + 1, &set, NULL, NULL, NULL));
    FACT(epoll_ctl(epoll, EPOLL_CTL_ADD, path, &event));
    FACT(epoll_ctl(path, EPOLL_CTL_ADD, epoll, &event));
    FACT(epoll_wait(path, &event, 1, 0));
    FACT(timerfd_settime(path, 0, &time, NULL));
    FACT(timerfd_gettime(path, &time));
    FACT(signalfd(path, &none, 0));
    close(epoll);
}

/* fdinfo has what is the number's own, and nothing of the file's. */
static void count_fields(int path)
{
    char name[40], line[200];
    int fields = 0;
    snprintf(name, sizeof name, "/proc/self/fdinfo/%d", path);
    FILE *file = fopen(name, "r");
    if (file == NULL)
        return;
    while (fgets(line, sizeof line, file))
        fields += strncmp(line, "scm_fds", 7) != 0;
    fclose(file);
    printf("  %d fields in fdinfo\n", fields);
}

static void shows_the_file(int fd, int path)
{
    struct stat of_fd, of_path;
    int again = dup(path);
    fstat(fd, &of_fd);
    FACT(fstat(path, &of_path));
    FACT(of_fd.st_mode == of_path.st_mode && of_fd.st_ino == of_path.st_ino);
    FACT(read(again, &of_fd, 8));
    FACT(fcntl(path, F_GETFD));
    FACT(close(again));
    count_fields(path);
}

static void facts(const char *name, int fd)
{
    int path = path_of(fd);
    printf("%s\n", name);
    moves_nothing(path);
    is_never_ready(path);
    shows_the_file(fd, path);
    close(path);
}

int main(void)
{
    int pipes[2], sockets[2];
    sigemptyset(&none);
    if (pipe(pipes) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) < 0)
        return 1;
    facts("a pipe to read", pipes[0]);
    facts("a pipe to write", pipes[1]);
    facts("an eventfd", eventfd(1, 0));
    facts("a timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
    facts("a signalfd", signalfd(-1, &none, 0));
    facts("an epoll", epoll_create1(0));
    facts("a socket", sockets[0]);
    facts("a file on disk", open("/etc/passwd", O_RDONLY));
    return 0;
}
