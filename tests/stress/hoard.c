/* Takes more than tickless has file descriptors for, then gives all back and goes on. usage: hoard files|processes|waits|memory */
#include "stress.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

static int keep_files(void) {
    int fd, error = 0;
    while ((fd = eventfd(0, 0)) >= 0)
        ;
    error = errno;
    return error;
}

/* Each child takes what it can, and tells by its status whether the limit was its own or that of tickless. */
static void hoard_files(void) {
    int status, own = 0, foreign = 0;
    pid_t pids[8];
    for (int i = 0; i < 8; i++)
        if ((pids[i] = fork()) == 0) {
            int error = keep_files();
            nap(SECOND);
            _exit(error == EMFILE ? 1 : error == ENFILE ? 2 : 3);
        }
    for (int i = 0; i < 8; i++) {
        waitpid(pids[i], &status, 0);
        own += WEXITSTATUS(status) == 1;
        foreign += WEXITSTATUS(status) == 2;
    }
    printf("own limit first: %d, all: %d\n", own > 0, own + foreign);
}

static void hoard_processes(void) {
    int made = 0, refused = 0;
    for (int i = 0; i < 400; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            nap(SECOND);
            _exit(0);
        }
        made += pid > 0;
        refused += pid < 0 && errno == EAGAIN;
    }
    printf("made some: %d, all told: %d, reaped all: %d\n", made > 20, made + refused == 400, reap_all() == made);
}

/* Threads that wait for a host file each: that takes an epoll. */
static int sockets[2];

static void *wait_for_host(void *failed) {
    struct pollfd file = {sockets[0], POLLIN, 0};
    if (poll(&file, 1, 2000) < 0)
        atomic_fetch_add((atomic_int *)failed, 1);
    return NULL;
}

static void hoard_waits(void) {
    pthread_t threads[300];
    atomic_int failed = 0;
    int made = 0;
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    for (int i = 0; i < 300; i++)
        made += pthread_create(&threads[made], NULL, wait_for_host, &failed) == 0;
    nap(SECOND);
    write(sockets[1], "x", 1);
    for (int i = 0; i < made; i++)
        pthread_join(threads[i], NULL);
    printf("some fail: %d\n", failed > 0 || made < 300);
}

/* Pipes that are full: their bytes lie in tickless. */
static void hoard_memory(void) {
    static char megabyte[1 << 20];
    int ends[200][2], made = 0, error = 0;
    while (!error && made < 200 && pipe2(ends[made], O_NONBLOCK) == 0) {
        fcntl(ends[made][1], F_SETPIPE_SZ, sizeof megabyte);
        error = write(ends[made][1], megabyte, sizeof megabyte) < 0 ? errno : 0;
        made++;
    }
    printf("filled some: %d, then error %d\n", made > 3, error);
    while (made-- > 0) {
        close(ends[made][0]);
        close(ends[made][1]);
    }
}

int main(int argc, char **argv) {
    if (!strcmp(argv[1], "files"))
        hoard_files();
    else if (!strcmp(argv[1], "processes"))
        hoard_processes();
    else if (!strcmp(argv[1], "memory"))
        hoard_memory();
    else
        hoard_waits();
    int fd = eventfd(0, 0), status = -1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(5);
    waitpid(pid, &status, 0);
    printf("afterwards: %d %x\n", fd >= 0, status);
    return 0;
}
