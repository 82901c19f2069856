/* epoll_ctl(2), epoll_wait(2): order of checks, triggers, one-shot, nesting, a buffer that does not hold all. */
#define _GNU_SOURCE
#include "since.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FACT(call)                                                            \
    do {                                                                      \
        errno = 0;                                                            \
        long result = (long)(call);                                           \
        printf("%s: %ld %s\n", #call, result, result < 0 ? strerrorname_np(errno) : ""); \
    } while (0)

static struct epoll_event out[8];

static int control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = {.events = events, .data.u64 = data};
    return epoll_ctl(epfd, op, fd, &event);
}

static int ready(int epfd)
{
    return epoll_wait(epfd, out, 8, 0);
}

static void add(int eventfd, uint64_t count)
{
    if (write(eventfd, &count, 8) != 8)
        perror("write");
}

static void order_of_checks(void)
{
    int event = eventfd(0, 0), epoll = epoll_create1(0), plain = open("/etc/passwd", O_RDONLY);
    long nowhere = 16, in_kernel = -1;
    struct timespec bad = {0, 1000000000};

    if (linux_since(6, 15))
        FACT(syscall(SYS_epoll_wait, 99, out, 0, 0));
    FACT(syscall(SYS_epoll_wait, epoll, out, 0, 0));
    FACT(syscall(SYS_epoll_wait, event, out, 1, 0));
    FACT(syscall(SYS_epoll_wait, event, in_kernel, 1, 0));
    FACT(syscall(SYS_epoll_wait, epoll, in_kernel, 1, 0));
    FACT(syscall(SYS_epoll_wait, epoll, nowhere, 1, 0));
    FACT(syscall(SYS_epoll_wait, epoll, out, 0x7fffffff / sizeof *out + 1, 0));
    FACT(syscall(SYS_epoll_pwait, 99, out, 1, 0, nowhere, 4));
    FACT(syscall(SYS_epoll_pwait, 99, out, 1, 0, nowhere, 8));
    FACT(syscall(SYS_epoll_pwait, 99, out, 1, 0, 0, 4));
    FACT(syscall(SYS_epoll_pwait2, 99, out, 1, &bad, nowhere, 4));
    FACT(syscall(SYS_epoll_pwait2, 99, out, 1, nowhere, nowhere, 4));
    FACT(epoll_create(0));
    FACT(epoll_create1(1));
    FACT(control(epoll, 9, event, EPOLLIN, 0));
    FACT(syscall(SYS_epoll_ctl, epoll, 9, event, nowhere));
    FACT(syscall(SYS_epoll_ctl, 99, EPOLL_CTL_ADD, 98, nowhere));
    FACT(syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, event, nowhere));
    FACT(control(epoll, EPOLL_CTL_MOD, event, EPOLLIN, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, epoll, EPOLLIN, 0));
    FACT(control(event, EPOLL_CTL_ADD, epoll, EPOLLIN, 0));
    FACT(control(event, EPOLL_CTL_ADD, plain, EPOLLIN, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, plain, EPOLLIN, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 0));
}

static void exclusive(void)
{
    int event = eventfd(0, 0), epoll = epoll_create1(0), inner = epoll_create1(0);

    FACT(control(epoll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLEXCLUSIVE, 0));
    FACT(control(epoll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 0));
    FACT(control(epoll, EPOLL_CTL_MOD, event, EPOLLIN | EPOLLEXCLUSIVE, 0));
    FACT(control(epoll, EPOLL_CTL_MOD, event, EPOLLIN, 0));
    FACT(control(epoll, EPOLL_CTL_DEL, event, 0, 0));
}

static void triggers(void)
{
    int level = eventfd(1, 0), edge = eventfd(1, EFD_NONBLOCK), once = eventfd(1, 0), epoll = epoll_create1(0);
    uint64_t count;

    control(epoll, EPOLL_CTL_ADD, level, EPOLLIN, 1);
    control(epoll, EPOLL_CTL_ADD, edge, EPOLLIN | EPOLLET, 2);
    control(epoll, EPOLL_CTL_ADD, once, EPOLLIN | EPOLLONESHOT, 3);
    FACT(ready(epoll));
    for (int i = 0; i < 3; i++)
        printf("%x of %d\n", out[i].events, (int)out[i].data.u64);
    FACT(ready(epoll));
    add(edge, 0);
    add(once, 1);
    FACT(ready(epoll));
    printf("%d then %d\n", (int)out[0].data.u64, (int)out[1].data.u64);
    FACT(read(edge, &count, 8));
    FACT(ready(epoll));
    FACT(control(epoll, EPOLL_CTL_MOD, once, EPOLLIN, 4));
    FACT(ready(epoll));
    FACT(control(epoll, EPOLL_CTL_MOD, edge, EPOLLOUT | EPOLLET, 5));
    FACT(ready(epoll));
    printf("%x of %d\n", out[2].events, (int)out[2].data.u64);
}

static void rotation(void)
{
    int epoll = epoll_create1(0);
    for (int i = 0; i < 3; i++)
        control(epoll, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN, i);
    printf("one at a time:");
    for (int i = 0; i < 7; i++) {
        epoll_wait(epoll, out, 1, 0);
        printf(" %d", (int)out[0].data.u64);
    }
    printf("\ntwo at a time:");
    for (int i = 0; i < 3; i++) {
        epoll_wait(epoll, out, 2, 0);
        printf(" %d %d", (int)out[0].data.u64, (int)out[1].data.u64);
    }
    printf("\n");
}

static void hang_up_after_one_shot(void)
{
    int ends[2], epoll = epoll_create1(0);
    if (pipe(ends) < 0)
        perror("pipe");
    control(epoll, EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLONESHOT, 1);
    FACT(write(ends[1], "a", 1));
    FACT(ready(epoll));
    close(ends[1]);
    FACT(ready(epoll));
    FACT(control(epoll, EPOLL_CTL_MOD, ends[0], 0, 2));
    FACT(ready(epoll));
    printf("%x\n", out[0].events);
}

static void nesting(void)
{
    int chain[8], up[8], event = eventfd(0, 0);
    for (int i = 0; i < 8; i++) {
        chain[i] = epoll_create1(0);
        up[i] = epoll_create1(0);
    }
    for (int i = 0; i < 6; i++)
        FACT(control(chain[i + 1], EPOLL_CTL_ADD, chain[i], EPOLLIN, i));
    FACT(control(chain[0], EPOLL_CTL_ADD, chain[2], EPOLLIN, 0));
    FACT(control(chain[1], EPOLL_CTL_ADD, chain[0], EPOLLIN, 0));
    for (int i = 5; i >= 0; i--)
        FACT(control(up[i + 1], EPOLL_CTL_ADD, up[i], EPOLLIN, i));
    control(chain[0], EPOLL_CTL_ADD, event, EPOLLIN, 0);
    FACT(ready(chain[4]));
    add(event, 1);
    FACT(ready(chain[4]));
    printf("%x of %d\n", out[0].events, (int)out[0].data.u64);
    FACT(ready(chain[4]));
}

static void a_small_memory(void)
{
    char *end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) + 4096;
    munmap(end, 4096);
    int epoll = epoll_create1(0);
    for (int i = 0; i < 3; i++)
        control(epoll, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN | EPOLLET, i);
    FACT(syscall(SYS_epoll_wait, epoll, end, 3, 0) == -1 && errno == EFAULT);
    FACT(syscall(SYS_epoll_wait, epoll, end - sizeof *out, 3, 0));
    FACT(ready(epoll));
    printf("%d then %d\n", (int)out[0].data.u64, (int)out[1].data.u64);
}

static void lifetimes(void)
{
    int event = eventfd(1, 0), epoll = epoll_create1(0), copy;
    control(epoll, EPOLL_CTL_ADD, event, EPOLLIN, 1);
    copy = dup(event);
    close(event);
    FACT(ready(epoll));
    FACT(dup2(epoll_create1(0), event) == event);
    FACT(control(epoll, EPOLL_CTL_DEL, event, 0, 0));
    FACT(control(epoll, EPOLL_CTL_DEL, copy, 0, 0));
    close(copy);
    FACT(ready(epoll));
}

int main(void)
{
    order_of_checks();
    exclusive();
    triggers();
    rotation();
    hang_up_after_one_shot();
    nesting();
    a_small_memory();
    lifetimes();
    return 0;
}
