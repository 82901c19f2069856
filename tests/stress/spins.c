/* Somebody waits by spinning, in one way or another, for what another thread does a little later, or never.
 * usage: spins WAY [never] */
#include "stress.h"
#include <sys/eventfd.h>
#include <sys/socket.h>

static volatile int done;
static int pipes[2], sockets[2], event;
static pid_t child;

static int never;

static void *finish(void *argument) {
    char byte = 1;
    nap(20 * MS);
    done = 1;
    write(pipes[1], &byte, 1);
    send(sockets[1], &byte, 1, 0);
    eventfd_write(event, 1);
    return NULL;
}

static void spin(const char *way) {
    char byte;
    uint64_t count;
    if (!strcmp(way, "compute"))
        while (!done)
            ;
    else if (!strcmp(way, "yield"))
        while (!done)
            sched_yield();
    else if (!strcmp(way, "clock")) {
        struct timespec start, now;
        clock_gettime(CLOCK_MONOTONIC, &start);
        do
            clock_gettime(CLOCK_MONOTONIC, &now);
        while (now.tv_sec - start.tv_sec < 2);
    } else if (!strcmp(way, "flag-and-clock")) {
        struct timespec now;
        while (!done)
            clock_gettime(CLOCK_MONOTONIC, &now);
    } else if (!strcmp(way, "coarse-clock")) {
        struct timespec now;
        while (!done)
            clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    } else if (!strcmp(way, "time"))
        for (time_t start = time(NULL); time(NULL) < start + 2;)
            ;
    else if (!strcmp(way, "cpu-clock"))
        while (clock() < CLOCKS_PER_SEC / 50)
            ;
    else if (!strcmp(way, "pipe"))
        while (read(pipes[0], &byte, 1) < 0)
            ;
    else if (!strcmp(way, "socket"))
        while (recv(sockets[0], &byte, 1, MSG_DONTWAIT) < 0)
            ;
    else if (!strcmp(way, "eventfd"))
        while (read(event, &count, sizeof count) < 0)
            ;
    else if (!strcmp(way, "kill"))
        while (!done && kill(getpid(), 0) == 0)
            ;
    else if (!strcmp(way, "child")) {
        while (kill(child, 0) == 0)
            waitpid(child, NULL, WNOHANG);
    } else if (!strcmp(way, "wait"))
        while (waitpid(child, NULL, WNOHANG) == 0)
            ;
    else if (!strcmp(way, "getpid"))
        while (!done)
            syscall(SYS_getppid);
    else if (!strcmp(way, "stat"))
        while (!done)
            access("/", F_OK);
}

int main(int argc, char **argv) {
    never = argc > 2;
    pipe2(pipes, O_NONBLOCK);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
    event = eventfd(0, EFD_NONBLOCK);
    if (!strcmp(argv[1], "child") || !strcmp(argv[1], "wait")) {
        child = fork();
        if (child == 0) {
            nap(never ? 1000000 * SECOND : 20 * MS);
            _exit(0);
        }
    } else if (!never)
        start_thread(finish, NULL);
    spin(argv[1]);
    printf("%s: over\n", argv[1]);
    return 0;
}
