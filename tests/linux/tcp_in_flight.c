/* tcp(7): a small write may wait for the answer to the one before, 40 ms of real time. Nobody's time-out passes meanwhile. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HALF 30
#define EXCHANGES 20

static struct sockaddr_in address = {.sin_family = AF_INET};

/* Answers each pair of writes with one. */
static void serve(int listener)
{
    char half[HALF];
    int connection = accept(listener, NULL, NULL);
    for (int exchange = 0; exchange < EXCHANGES; exchange++) {
        for (int number = 0; number < 2; number++)
            if (read(connection, half, HALF) != HALF)
                err(1, "read");
        if (write(connection, "answer", 6) != 6)
            err(1, "write");
    }
}

static int exchange(int connection)
{
    char bytes[HALF] = "";
    struct pollfd pollfd = {.fd = connection, .events = POLLIN};
    for (int half = 0; half < 2; half++)
        if (write(connection, bytes, HALF) != HALF)
            err(1, "write");
    return poll(&pollfd, 1, 5000) == 1 && read(connection, bytes, 6) == 6;
}

int main(void)
{
    setbuf(stdout, NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), answered = 0;
    if (bind(listener, (void *)&address, size) || getsockname(listener, (void *)&address, &size))
        err(1, "bind");

    int connection = socket(AF_INET, SOCK_STREAM, 0);
    printf("before listen: %s\n", connect(connection, (void *)&address, size) ? strerrorname_np(errno) : "connected");
    printf("write: %s\n", send(connection, "x", 1, MSG_NOSIGNAL) < 0 ? strerrorname_np(errno) : "ok");
    struct timespec before, after, nap = {0, 1000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&nap, NULL);
    listen(listener, 1);
    printf("after listen: %s\n", connect(connection, (void *)&address, size) ? strerrorname_np(errno) : "connected");
    if (fork() == 0) {
        serve(listener);
        return 0;
    }
    for (int number = 0; number < EXCHANGES; number++)
        answered += exchange(connection);
    clock_gettime(CLOCK_MONOTONIC, &after);
    printf("answered: %d, in %s\n", answered, after.tv_sec - before.tv_sec < 5 ? "time" : "vain");
    wait(NULL);
    return 0;
}
