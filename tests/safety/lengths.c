/* Absurd lengths and counts: what each call makes of them. How much memory the parent has then goes to stderr. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define HUGE (1UL << 62)
#define PAGES (1 << 20)

static char page[4096];

static void gives(const char *call, long result)
{
    printf("%s: %ld %s\n", call, result < 0 ? -1 : result, result < 0 ? strerrorname_np(errno) : "");
}
#define GIVES(call) gives(#call, (errno = 0, (long)(call)))

static void files(void)
{
    int event = eventfd(1, EFD_NONBLOCK), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ends[2];
    sigset_t usr1;
    struct signalfd_siginfo info;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    int signals = signalfd(-1, &usr1, SFD_NONBLOCK);
    if (pipe2(ends, O_NONBLOCK) != 0)
        return;
    GIVES(syscall(SYS_read, event, page, HUGE));
    GIVES(syscall(SYS_write, event, page, HUGE));
    GIVES(syscall(SYS_read, timer, page, HUGE));
    raise(SIGUSR1);
    GIVES(syscall(SYS_read, signals, &info, sizeof info + HUGE));
    GIVES(syscall(SYS_read, ends[0], page, HUGE));
    GIVES(syscall(SYS_write, ends[1], page, sizeof page));
    GIVES(syscall(SYS_read, ends[0], page, HUGE));
    /* Far more than is mapped, but within what an address can be: the read ends where the bytes do. */
    GIVES(syscall(SYS_read, ends[0], page, 1L << 40));
    GIVES(syscall(SYS_read, event, page, 1L << 40));
}

static void vectors(void)
{
    int event = eventfd(1, EFD_NONBLOCK), ends[2];
    struct iovec huge[2] = {{page, HUGE}, {page, HUGE}}, negative = {page, -1UL};
    if (pipe2(ends, O_NONBLOCK) != 0)
        return;
    GIVES(readv(event, huge, 2));
    GIVES(readv(event, &negative, 1));
    GIVES(syscall(SYS_readv, event, huge, HUGE));
    GIVES(syscall(SYS_readv, event, huge, 1025));
    GIVES(syscall(SYS_writev, ends[1], huge, -1L));
}

static void waits(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event events[1];
    struct pollfd *many = mmap(NULL, PAGES * sizeof *many, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct timespec zero = {0};
    struct rlimit files = {64, 64};
    setrlimit(RLIMIT_NOFILE, &files);
    GIVES(syscall(SYS_epoll_wait, epoll, events, 1 << 30, 0));
    GIVES(syscall(SYS_epoll_wait, epoll, events, INT32_MAX, 0));
    GIVES(syscall(SYS_epoll_wait, epoll, events, -1, 0));
    GIVES(syscall(SYS_poll, many, PAGES, 0));
    GIVES(syscall(SYS_poll, many, -1L, 0));
    GIVES(syscall(SYS_ppoll, many, 1L << 31, &zero, NULL, 8));
    GIVES(syscall(SYS_ppoll, page, 0, &zero, page, HUGE));
    GIVES(syscall(SYS_select, -1, page, NULL, NULL, &zero));
    /* Past the table of open files select looks at nothing. */
    GIVES(syscall(SYS_select, INT32_MAX, NULL, NULL, NULL, &zero));
}

static void others(void)
{
    struct timespec zero = {0};
    GIVES(syscall(SYS_rt_sigtimedwait, page, NULL, &zero, HUGE));
    GIVES(syscall(SYS_rt_sigpending, page, HUGE));
    GIVES(syscall(SYS_rt_sigsuspend, page, HUGE));
    GIVES(syscall(SYS_signalfd4, -1, page, HUGE, 0));
#ifdef SYS_futex_waitv
    GIVES(syscall(SYS_futex_waitv, page, 1L << 31, 0, NULL, 0));
    GIVES(syscall(SYS_futex_waitv, page, 129, 0, NULL, 0));
#endif
    GIVES(syscall(SYS_getrandom, NULL, HUGE, 0));
    GIVES(syscall(SYS_getrandom, page, sizeof page, 0));
    GIVES(syscall(SYS_close_range, 4000000000U, UINT32_MAX, 0));
}

static void tell_peak(void)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", getppid());
    FILE *status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmHWM:", 6) == 0)
            fputs(line, stderr);
}

int main(void)
{
    tell_peak();
    files();
    vectors();
    waits();
    others();
    tell_peak();
}
