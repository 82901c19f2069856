/* splice(2), tee(2), vmsplice(2), sendfile(2), connect(2) on files that are not ready yet. */
#define _GNU_SOURCE
#include "waiting.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int fifo(const char *name)
{
    mkfifo(name, 0600);
    return open(name, O_RDWR);
}

static void fill(int fd)
{
    static char bytes[4096];
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    fcntl(fd, F_SETFL, flags);
}

static void drain(int fd)
{
    static char bytes[4096];
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (read(fd, bytes, sizeof bytes) > 0)
        ;
    fcntl(fd, F_SETFL, flags);
}

/* A child that writes to `fd` after a unit; another that makes room in `full`, if that is a file, after two. */
static void soon(int fd, int full)
{
    restart_clock();
    if (fork() == 0) {
        nap(1);
        write(fd, "some", 4);
        _exit(0);
    }
    if (full >= 0 && fork() == 0) {
        nap(2);
        drain(full);
        _exit(0);
    }
}

static void pipes(void)
{
    int first = fifo("first"), second = fifo("second"), pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    soon(pair[1], -1);
    tell("from a socket", splice(pair[0], NULL, first, NULL, 100, 0));
    reap();
    printf("moved %zd\n", splice(first, NULL, pair[0], NULL, 100, 0));
    fill(second);
    soon(first, second);
    tell("to a full FIFO", splice(first, NULL, second, NULL, 100, 0));
    reap();
    drain(second);
    soon(first, -1);
    tell("copied", tee(first, second, 100, 0));
    reap();
    tell("not without waiting", (drain(first), tee(first, second, 100, SPLICE_F_NONBLOCK)));
    fill(second);
    int writer = open("second", O_WRONLY), reader = open("first", O_RDONLY);
    char bytes[8] = "given";
    struct iovec vector = {bytes, 5};
    soon(first, second);
    tell("from memory", vmsplice(writer, &vector, 1, 0));
    reap();
    drain(first);
    soon(first, -1);
    tell("to memory", vmsplice(reader, &vector, 1, 0));
    printf("%.5s\n", bytes);
    reap();
}

static void send_file(void)
{
    int pair[2], file = open("file", O_RDWR | O_CREAT, 0600);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(file, "content", 7);
    lseek(file, 0, SEEK_SET);
    fill(pair[0]);
    soon(file, pair[1]);
    tell("a file to a full socket", sendfile(pair[0], file, NULL, 7));
    reap();
    drain(pair[1]);
}

static struct sockaddr_in address = {.sin_family = AF_INET};

static int connected(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = port;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    long result = connect(fd, (struct sockaddr *)&address, sizeof address);
    tell("connect", result);
    tell("connect again", connect(fd, (struct sockaddr *)&address, sizeof address));
    printf("flags %o\n", fcntl(fd, F_GETFL));
    return fd;
}

static void connections(void)
{
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (struct sockaddr *)&address, size);
    getsockname(listener, (struct sockaddr *)&address, &size);
    int port = address.sin_port;
    restart_clock();
    tell("nobody listens", connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&address, size));
    listen(listener, 5);
    int fd = connected(port);
    int other = accept(listener, NULL, NULL);
    printf("written %zd, ", write(fd, "hello", 5));
    char bytes[8];
    printf("read %zd\n", read(other, bytes, sizeof bytes));
    tell("no address", connect(fd, NULL, 0));
    tell("a bad one", connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)1, size));
    tell("no socket", connect(99, (struct sockaddr *)&address, size));
}

int main(void)
{
    pipes();
    send_file();
    connections();
    return 0;
}
