/* send(2), write(2), recv(2): what is more than a socket or a FIFO has room for, and reads that wait for all of it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LONG = 6 << 20, HALF = LONG / 2, MS = 1000000 };

static char data[LONG], seen[LONG];
static volatile int signals;

static void note(int signo)
{
    signals += signo == SIGPIPE ? 100 : 1;
}

static long ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / MS;
}

static void rest(long span_ms)
{
    nanosleep(&(struct timespec){0, span_ms * MS}, NULL);
}

static void tcp_pair(int *pair)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    bind(listener, (void *)&address, sizeof address);
    listen(listener, 1);
    getsockname(listener, (void *)&address, &length);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(pair[0], (void *)&address, sizeof address);
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
}

static void make_pair(const char *kind, int *pair)
{
    if (!strcmp(kind, "tcp"))
        tcp_pair(pair);
    else if (!strcmp(kind, "unix"))
        socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    else {
        char name[] = "fifo";
        mkfifo(name, 0600);
        int both = open(name, O_RDWR);
        pair[0] = open(name, O_WRONLY);
        pair[1] = open(name, O_RDONLY);
        close(both);
        unlink(name);
    }
}

/* A child that reads all of it after a while, and says whether that is what was sent. */
static pid_t reader(int *pair, long wait_ms)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    ssize_t got, all = 0;
    close(pair[0]);
    rest(wait_ms);
    while (all < LONG && (got = read(pair[1], seen + all, LONG - all)) > 0)
        all += got;
    _exit(all != LONG || memcmp(seen, data, LONG) != 0);
}

static ssize_t put(const char *call, int fd)
{
    struct iovec pieces[] = {{data, 100}, {data + 100, HALF}, {data + 100 + HALF, LONG - HALF - 100}};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 3};
    if (!strcmp(call, "send"))
        return send(fd, data, LONG, 0);
    if (!strcmp(call, "write"))
        return write(fd, data, LONG);
    if (!strcmp(call, "writev"))
        return writev(fd, pieces, 3);
    return sendmsg(fd, &message, 0);
}

static void whole(const char *kind, const char *call)
{
    int pair[2], status;
    make_pair(kind, pair);
    pid_t pid = reader(pair, 200);
    close(pair[1]);
    long start = ms();
    ssize_t sent = put(call, pair[0]);
    long took = ms() - start;
    waitpid(pid, &status, 0);
    printf("%s of a long text to %s: %s, after the reader began %d, the reader %d\n", call, kind,
           sent == LONG ? "all of it" : "a part", took >= 190 && took < 2000, status);
    close(pair[0]);
}

static const char *how_much(ssize_t moved)
{
    return moved == LONG ? "all of it" : moved > 0 ? "a part" : moved == 0 ? "nothing" : strerrorname_np(errno);
}

static void timed_out(const char *kind)
{
    int pair[2];
    make_pair(kind, pair);
    struct timeval limit = {0, 50000};
    setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    long start = ms();
    printf("send with a time-out to %s: %s", kind, how_much(send(pair[0], data, LONG, 0)));
    printf(", in time %d\n", ms() - start >= 45);
    if (strcmp(kind, "tcp")) /* which finds room for more as it goes */
        printf("and again: %s\n", how_much(send(pair[0], data, LONG, 0)));
    write(pair[1], data, 1000);
    printf("receive with a time-out: %zd", recv(pair[0], seen, LONG, MSG_WAITALL));
    printf(", then %s\n", how_much(recv(pair[0], seen, LONG, MSG_WAITALL)));
    close(pair[0]);
    close(pair[1]);
}

static void interrupted(const char *kind, int flags)
{
    int pair[2];
    make_pair(kind, pair);
    struct sigaction act = {.sa_handler = note, .sa_flags = flags};
    sigaction(SIGALRM, &act, NULL);
    signals = 0;
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, NULL);
    ssize_t sent = write(pair[0], data, LONG);
    printf("a signal while %s is written to, flags %d: %s, signals %d\n", kind, !!flags, how_much(sent), signals);
    if (!flags && strcmp(kind, "tcp")) {
        setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, NULL);
        printf("and again: %s\n", how_much(write(pair[0], data, LONG)));
    }
    close(pair[0]);
    close(pair[1]);
}

static void broken(const char *kind)
{
    int pair[2];
    make_pair(kind, pair);
    signal(SIGPIPE, note);
    signals = 0;
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        rest(50);
        _exit(0);
    }
    close(pair[1]);
    ssize_t sent = write(pair[0], data, LONG);
    printf("%s breaks while it is written to: %s, SIGPIPE %d\n", kind, how_much(sent), signals / 100);
    if (strcmp(kind, "tcp")) { /* ECONNRESET or EPIPE: how far the reset has come is TCP's affair */
        signals = 0;
        sent = write(pair[0], data, LONG);
        printf("and then: %s, SIGPIPE %d\n", how_much(sent), signals / 100);
    }
    waitpid(pid, NULL, 0);
    close(pair[0]);
}

static void *three_parts(void *fd)
{
    for (int part = 0; part < 3; part++) {
        rest(20);
        send((long)fd, data + part * (LONG / 3), LONG / 3, 0);
    }
    return NULL;
}

static void waits_for_all(const char *kind)
{
    int pair[2];
    pthread_t thread;
    make_pair(kind, pair);
    memset(seen, 0, LONG);
    pthread_create(&thread, NULL, three_parts, (void *)(long)pair[1]);
    ssize_t got = recv(pair[0], seen, LONG, MSG_WAITALL);
    pthread_join(thread, NULL);
    printf("receive with MSG_WAITALL from %s: %s, right %d\n", kind, how_much(got), !memcmp(seen, data, LONG));
    send(pair[1], data, 5000, 0);
    shutdown(pair[1], SHUT_WR);
    printf("until the end: %zd", recv(pair[0], seen, LONG, MSG_WAITALL));
    printf(", then %zd\n", recv(pair[0], seen, LONG, MSG_WAITALL));
    close(pair[0]);
    close(pair[1]);
}

static void *close_later(void *fd)
{
    rest(10);
    close((long)fd);
    return NULL;
}

static void closed_by_another(void)
{
    int pair[2], status;
    make_pair("unix", pair);
    pid_t pid = reader(pair, 50);
    close(pair[1]);
    pthread_t thread;
    pthread_create(&thread, NULL, close_later, (void *)(long)pair[0]);
    ssize_t sent = write(pair[0], data, LONG);
    pthread_join(thread, NULL);
    waitpid(pid, &status, 0);
    printf("a thread closes what is written to: %s, the reader %d\n", how_much(sent), status);
}

static void credentials(void)
{
    int pair[2], on = 1, wrong = 0;
    make_pair("unix", pair);
    setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    pid_t pid = fork();
    if (pid == 0) {
        write(pair[0], data, LONG);
        _exit(0);
    }
    for (ssize_t all = 0, got; all < LONG; all += got) {
        struct iovec piece = {seen, LONG};
        union {
            char bytes[CMSG_SPACE(sizeof(struct ucred))];
            struct cmsghdr align;
        } control;
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        got = recvmsg(pair[1], &message, 0);
        struct ucred sender;
        memcpy(&sender, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof sender);
        wrong += sender.pid != pid || sender.uid != getuid() || sender.gid != getgid();
    }
    waitpid(pid, NULL, 0);
    printf("parts that are not from their sender: %d\n", wrong);
}

int main(void)
{
    static const char *kinds[] = {"unix", "tcp"}, *calls[] = {"send", "write", "writev", "sendmsg"};
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < LONG; i++)
        data[i] = i * 2654435761u >> 24;
    for (int kind = 0; kind < 2; kind++) {
        for (int call = 0; call < 4; call++)
            whole(kinds[kind], calls[call]);
        timed_out(kinds[kind]);
        interrupted(kinds[kind], 0);
        interrupted(kinds[kind], SA_RESTART);
        broken(kinds[kind]);
        waits_for_all(kinds[kind]);
    }
    whole("fifo", "write");
    whole("fifo", "writev");
    interrupted("fifo", 0);
    broken("fifo");
    closed_by_another();
    credentials();
    return 0;
}
