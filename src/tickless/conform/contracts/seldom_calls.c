/* times(2), time(2), sysinfo(2), adjtimex(2), getrandom(2), accept4(2), pidfd_getfd(2): calls that are seldom made. */
#include "contract.h"
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/un.h>

static char bytes[64];

RULE(times_result, "times(2)", "the result counts ticks of 10 ms that go on in a sleep, with or without a structure; EFAULT")
{
    struct tms now;
    long before = syscall(SYS_times, &now);
    nap(50);
    long passed = syscall(SYS_times, &now) - before;
    SEE_WHETHER(passed >= 4);
    SEE_WHETHER(syscall(SYS_times, NULL) >= before + 4);
    SEE(syscall(SYS_times, 16));
    SEE(sysconf(_SC_CLK_TCK));
}

RULE(time_is_realtime, "time(2)", "whole seconds of CLOCK_REALTIME, also stored; EFAULT")
{
#ifdef SYS_time
    long stored = 0, told = syscall(SYS_time, &stored), now = now_ns(CLOCK_REALTIME) / SECOND;
    SEE_WHETHER(told == stored);
    SEE_WHETHER(told == now || told == now - 1);
    SEE(syscall(SYS_time, 16));
#else
    not_here("time: x86");
#endif
}

RULE(uptime, "sysinfo(2)", "the uptime is CLOCK_BOOTTIME, rounded up; EFAULT")
{
    struct sysinfo info;
    long before = now_ns(CLOCK_BOOTTIME) / SECOND;
    SEE(sysinfo(&info));
    long after = now_ns(CLOCK_BOOTTIME) / SECOND + 1;
    SEE_WHETHER(before <= (long)info.uptime && (long)info.uptime <= after);
    SEE(syscall(SYS_sysinfo, 16));
}

RULE(reading_adjtimex, "adjtimex(2)", "without modes anybody may read it: the clock's time is in it; EFAULT")
{
    struct timex state = {0};
    SEE_WHETHER(syscall(SYS_adjtimex, &state) >= 0);
    long now = now_ns(CLOCK_REALTIME) / SECOND;
    SEE_WHETHER(state.time.tv_sec == now || state.time.tv_sec == now - 1);
    SEE(syscall(SYS_adjtimex, 16));
}

RULE(adjusting_clocks, "clock_adjtime(2)", "EINVAL for no clock, EOPNOTSUPP for one that cannot be adjusted, after the structure was read")
{
    struct timex state = {0};
    SEE_WHETHER(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &state) >= 0);
    SEE(syscall(SYS_clock_adjtime, CLOCK_MONOTONIC, &state));
    SEE(syscall(SYS_clock_adjtime, 99, &state));
    SEE(syscall(SYS_clock_adjtime, 99, 16));
    SEE(syscall(SYS_clock_adjtime, CLOCK_REALTIME, 16));
}

RULE(random_flags, "getrandom(2)", "EINVAL for unknown flags and for GRND_RANDOM with GRND_INSECURE, before the buffer; EFAULT")
{
    SEE(syscall(SYS_getrandom, bytes, 8, 0));
    SEE(syscall(SYS_getrandom, bytes, 8, 1)); /* GRND_NONBLOCK */
    SEE(syscall(SYS_getrandom, bytes, 8, 4)); /* GRND_INSECURE */
    SEE(syscall(SYS_getrandom, bytes, 8, 6));
    SEE(syscall(SYS_getrandom, bytes, 8, 8));
    SEE(syscall(SYS_getrandom, bytes, 0, 0));
    SEE(syscall(SYS_getrandom, 16, 8, 0));
    SEE(syscall(SYS_getrandom, 16, 8, 8));
}

static int listening(void)
{
    struct sockaddr_un address = {AF_UNIX, "here"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4) < 0)
        cannot_start("listen");
    for (int i = 0; i < 3; i++)
        connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address);
    return listener;
}

RULE(flags_of_accept4, "accept4(2)", "SOCK_CLOEXEC and SOCK_NONBLOCK are the new socket's; EINVAL for others; EBADF, ENOTSOCK")
{
    int listener = listening();
    SEE(accept4(99, NULL, NULL, 0));
    SEE(accept4(eventfd(0, 0), NULL, NULL, 0));
    SEE(accept4(listener, NULL, NULL, 1));
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    SEE(fcntl(fd, F_GETFD));
    SEE_WHETHER(fcntl(fd, F_GETFL) & O_NONBLOCK);
    fcntl(listener, F_SETFL, O_NONBLOCK);
    fd = accept4(listener, NULL, NULL, 0);
    SEE(fcntl(fd, F_GETFD));
    SEE_WHETHER(fcntl(fd, F_GETFL) & O_NONBLOCK);
    SEE_WHETHER(accept4(listener, NULL, NULL, 0) >= 0);
    SEE(accept4(listener, NULL, NULL, 0));
}

RULE(accept_waits, "accept4(2)", "it waits for a connection, and ends with EINTR")
{
    struct sockaddr_un address = {AF_UNIX, "here"};
    int listener = listening();
    for (int i = 0; i < 3; i++)
        close(accept(listener, NULL, NULL));
    SEE_BLOCKED(accept4(listener, NULL, NULL, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(accept4(listener, NULL, NULL, 0) < 0);
    until_asleep(child);
    SEE(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, sizeof address));
    int status;
    waitpid(child, &status, 0);
    observed("child", "%s", status_name(status));
}

RULE(files_of_another, "pidfd_getfd(2)", "a parent gets its child's eventfd under a new number, close-on-exec; EBADF, EINVAL for flags")
{
    int ends[2], event = eventfd(0, 0);
    char byte;
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        int own = eventfd(7, 0);
        dup2(own, 50);
        write(ends[1], "", 1);
        for (;;)
            pause();
    }
    read(ends[0], &byte, 1);
    int pidfd = syscall(434, child, 0);
    int fd = syscall(438, pidfd, 50, 0);
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        not_here("pidfd_getfd: Linux 5.6, and only where a child may be traced");
    SEE(fcntl(fd, F_GETFD));
    SEE(read(fd, bytes, 8));
    SEE(bytes[0]);
    SEE(syscall(438, pidfd, 51, 0));
    SEE(syscall(438, pidfd, 50, 1));
    SEE(syscall(438, event, 50, 0));
    SEE(syscall(438, 99, 50, 0));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    SEE(syscall(438, pidfd, 50, 0));
}

RULE(old_calls, "signalfd(2)", "the calls without flags of old are there on x86-64: signalfd, pipe, open, fork")
{
#ifdef SYS_signalfd
    sigset_t none;
    int ends[2];
    sigemptyset(&none);
    SEE(syscall(SYS_signalfd, -1, &none, 8));
    SEE(syscall(SYS_signalfd, -1, &none, 4));
    SEE(fcntl(3, F_GETFD));
    SEE(syscall(SYS_pipe, ends));
    SEE(syscall(SYS_pipe, 16));
    SEE(syscall(SYS_open, "/dev/null", O_RDONLY | O_CLOEXEC));
    pid_t child = syscall(SYS_fork);
    if (child == 0)
        _exit(6);
    int status;
    waitpid(child, &status, 0);
    observed("child", "%s", status_name(status));
#else
    not_here("signalfd without flags: x86");
#endif
}
