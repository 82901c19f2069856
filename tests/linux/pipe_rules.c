/* pipe(7): what fits a page, what is written whole, packets, edges, and the end of either end. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("%s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

static char bytes[1 << 21];
static int ends[2];

static void make(int flags)
{
    close(ends[0]);
    close(ends[1]);
    if (pipe2(ends, flags) < 0)
        perror("pipe2");
}

static int fill(int size)
{
    int count = 0;
    while (write(ends[1], bytes, size) == size)
        count++;
    return count;
}

static int unread(void)
{
    int count = -1;
    ioctl(ends[0], FIONREAD, &count);
    return count;
}

static void pages(void)
{
    static const int sizes[] = {1, 511, 512, 1365, 2048, 2049, 4095, 4096};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(O_NONBLOCK);
        printf("%d writes of %d fit\n", fill(sizes[i]), sizes[i]);
    }
    make(O_NONBLOCK);
    FACT(write(ends[1], bytes, 4097));
    FACT(write(ends[1], bytes, 131072));
    FACT(write(ends[1], bytes, 4096));
    FACT(read(ends[0], bytes, 4096));
    FACT(write(ends[1], bytes, 8191));
    FACT(unread());
    make(O_NONBLOCK);
    FACT(write(ends[1], bytes, 4000));
    FACT(read(ends[0], bytes, 3999));
    FACT(write(ends[1], bytes, 96));
    FACT(write(ends[1], bytes, 1));
    FACT(fill(4096));
    FACT(unread());
}

static void sizes(void)
{
    make(O_NONBLOCK);
    FACT(fcntl(ends[0], F_GETPIPE_SZ));
    FACT(fcntl(ends[0], F_SETPIPE_SZ, 0));
    FACT(fcntl(ends[0], F_SETPIPE_SZ, 4097));
    FACT(fill(4096));
    FACT(fcntl(ends[1], F_SETPIPE_SZ, 4096));
    FACT(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20));
    FACT(fill(4096));
    FACT(fcntl(ends[1], F_SETPIPE_SZ, (1U << 31) + 1));
}

static void packets(void)
{
    make(O_NONBLOCK | O_DIRECT);
    FACT(write(ends[1], "one", 3));
    FACT(write(ends[1], "second", 6));
    FACT(write(ends[1], bytes, 5000));
    FACT(read(ends[0], bytes, 100));
    FACT(read(ends[0], bytes, 2));
    FACT(read(ends[0], bytes, 9999));
    FACT(read(ends[0], bytes, 9999));
    FACT(read(ends[0], bytes, 9999));
    FACT(fill(1));
    FACT(fcntl(ends[0], F_GETFL) == O_NONBLOCK);
    FACT(fcntl(ends[1], F_GETFL) == (O_WRONLY | O_NONBLOCK | O_DIRECT));
}

static int edges(int epoll)
{
    struct epoll_event out[4];
    int count = epoll_wait(epoll, out, 4, 0), seen = 0;
    for (int i = 0; i < count; i++)
        seen |= out[i].data.u64;
    return seen;
}

static void readiness(void)
{
    int epoll = epoll_create1(0);
    make(O_NONBLOCK);
    struct epoll_event in = {EPOLLIN | EPOLLET, {.u64 = 1}}, out = {EPOLLOUT | EPOLLET, {.u64 = 2}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &in);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &out);
    FACT(edges(epoll));
    FACT(write(ends[1], "a", 1));
    FACT(edges(epoll));
    FACT(write(ends[1], "b", 1));
    FACT(edges(epoll));
    FACT(read(ends[0], bytes, 1));
    FACT(edges(epoll));
    FACT(write(ends[1], bytes, 65536));
    FACT(write(ends[1], bytes, 65536));
    FACT(edges(epoll));
    FACT(read(ends[0], bytes, 1));
    FACT(edges(epoll));
    FACT(read(ends[0], bytes, 8));
    FACT(edges(epoll));
    FACT(read(ends[0], bytes, 4096));
    FACT(edges(epoll));
    close(ends[0]);
    FACT(edges(epoll));
}

static void faults(void)
{
    char *end = (char *)mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 8192;
    munmap(end, 4096);
    make(O_NONBLOCK);
    FACT(write(ends[1], end - 1, 2) == -1 && errno == EFAULT);
    FACT(write(ends[1], end - 4097, 8192));
    FACT(write(ends[1], bytes, 4096));
    FACT(read(ends[0], end, 1) == -1 && errno == EFAULT);
    FACT(read(ends[0], end - 4097, 8192));
    FACT(unread());
    FACT(syscall(SYS_pipe2, end, 0) == -1 && errno == EFAULT);
    FACT(syscall(SYS_pipe2, end, 1));
}

static int told;

static void handler(int signo)
{
    told = signo;
}

static void broken(void)
{
    struct pollfd fds;
    signal(SIGPIPE, handler);
    make(0);
    close(ends[0]);
    FACT(write(ends[1], "x", 1));
    FACT(told);
    FACT(write(ends[1], "x", 0));
    make(0);
    FACT(write(ends[1], "last", 4));
    close(ends[1]);
    FACT(read(ends[0], bytes, 10));
    FACT(read(ends[0], bytes, 10));
    fds = (struct pollfd){ends[0], POLLIN, 0};
    FACT(poll(&fds, 1, -1));
    FACT(fds.revents);
}

static void *slow_reader(void *argument)
{
    (void)argument;
    usleep(20000);
    // How much one read finds depends on how fast the writer is.
    for (long got = 0; got < 100000;)
        got += read(ends[0], bytes + (1 << 20), 40000);
    close(ends[0]);
    return NULL;
}

static void a_long_write(void)
{
    pthread_t thread;
    make(0);
    told = 0;
    pthread_create(&thread, NULL, slow_reader, NULL);
    long written = write(ends[1], bytes, 1 << 20);
    pthread_join(thread, NULL);
    printf("written %s, signal %d\n", written > 100000 && written < 250000 ? "in part" : "otherwise", told);
}

static void through_a_child(void)
{
    unsigned sum = 0, expected = 0;
    make(0);
    if (fork() == 0) {
        for (int i = 0; i < 1 << 20; i++)
            bytes[i] = i * 7;
        close(ends[0]);
        for (int at = 0, size = 1; at < 1 << 20; at += size, size = size * 3 % 70001 + 1)
            if (write(ends[1], bytes + at, size < (1 << 20) - at ? size : (1 << 20) - at) < 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    long count, all = 0;
    while ((count = read(ends[0], bytes, 10007)) > 0)
        for (int i = 0; i < count; i++)
            sum = sum * 31 + (unsigned char)bytes[i], all++;
    for (int i = 0; i < 1 << 20; i++)
        expected = expected * 31 + (unsigned char)(i * 7);
    wait(NULL);
    printf("%ld bytes, %s\n", all, sum == expected ? "in order" : "out of order");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    pages();
    sizes();
    packets();
    readiness();
    faults();
    broken();
    a_long_write();
    through_a_child();
    return 0;
}
