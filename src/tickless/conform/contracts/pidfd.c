/* pidfd_open(2), pidfd_send_signal(2): what they take, when they are ready, whom they still name. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>

static int pidfd_of(pid_t pid)
{
    int fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        cannot_start("pidfd_open");
    return fd;
}

static long send_signal(int fd, int signo, void *info, unsigned flags)
{
    return syscall(SYS_pidfd_send_signal, fd, signo, info, flags);
}

static pid_t waiting(void)
{
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    return child;
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents & ~POLLHUP);
}

RULE(open_errors, "pidfd_open(2)", "EINVAL for no pid and for unknown flags, ESRCH for nobody")
{
    SEE(syscall(SYS_pidfd_open, 0, 0));
    SEE(syscall(SYS_pidfd_open, -1, 0));
    SEE(syscall(SYS_pidfd_open, getpid(), 1));
    SEE(syscall(SYS_pidfd_open, 0x3fffffff, 0));
    SEE(syscall(SYS_pidfd_open, 0x3fffffff, 1));
}

RULE(flags, "pidfd_open(2)", "close-on-exec is set; PIDFD_NONBLOCK is O_NONBLOCK")
{
    int fd = pidfd_of(getpid());
    SEE(fcntl(fd, F_GETFD));
    SEE_WHETHER(fcntl(fd, F_GETFL) & O_NONBLOCK);
    fd = syscall(SYS_pidfd_open, getpid(), O_NONBLOCK);
    SEE_WHETHER(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

RULE(no_data, "pidfd_open(2)", "a pidfd can be neither read nor written")
{
    char byte;
    int fd = pidfd_of(getpid());
    SEE(read(fd, &byte, 1));
    SEE(write(fd, &byte, 1));
}

RULE(readable_at_the_end, "pidfd_open(2)", "it becomes readable when the process ends, before it is awaited")
{
    pid_t child = waiting();
    int fd = pidfd_of(child);
    observed("alive", "%s", readiness(fd));
    kill(child, SIGKILL);
    struct pollfd entry = {fd, POLLIN, 0};
    SEE(poll(&entry, 1, 5000));
    observed("ended", "%s", readiness(fd));
    waitpid(child, NULL, 0);
    observed("awaited", "%s", readiness(fd));
}

RULE(in_epoll, "pidfd_open(2)", "an epoll tells of the end")
{
    pid_t child = waiting();
    int fd = pidfd_of(child), epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.fd = fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    SEE(epoll_wait(epoll, &event, 1, 0));
    kill(child, SIGTERM);
    SEE(epoll_wait(epoll, &event, 1, 5000));
    waitpid(child, NULL, 0);
}

RULE(send_errors, "pidfd_send_signal(2)", "EBADF, EINVAL for no signal and unknown flags, and for a siginfo of another signal")
{
    siginfo_t info = {.si_signo = SIGUSR2, .si_code = SI_QUEUE};
    int fd = pidfd_of(getpid());
    SEE(send_signal(99, 0, NULL, 0));
    SEE(send_signal(0, 0, NULL, 0));
    SEE(send_signal(fd, 65, NULL, 0));
    SEE(send_signal(fd, 0, NULL, 0x100));
    SEE(send_signal(fd, SIGUSR1, &info, 0));
    SEE(send_signal(fd, 0, (void *)16, 0));
    SEE(send_signal(fd, 0, NULL, 0));
}

RULE(send_after_the_end, "pidfd_send_signal(2)", "a zombie can be signalled, one that was awaited is ESRCH")
{
    pid_t child = waiting();
    int fd = pidfd_of(child);
    siginfo_t info;
    SEE(send_signal(fd, SIGTERM, NULL, 0));
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    SEE(send_signal(fd, SIGTERM, NULL, 0));
    waitpid(child, NULL, 0);
    SEE(send_signal(fd, 0, NULL, 0));
}

RULE(wait_for_it, "waitid(2)", "P_PIDFD waits for the process; EAGAIN instead of waiting with PIDFD_NONBLOCK")
{
    pid_t child = waiting();
    siginfo_t info;
    int fd = pidfd_of(child), other = syscall(SYS_pidfd_open, child, O_NONBLOCK);
    SEE(waitid(P_PIDFD, other, &info, WEXITED));
    kill(child, SIGKILL);
    SEE(waitid(P_PIDFD, fd, &info, WEXITED));
    observed("code", "%s, status %d", code_name(SIGCHLD, info.si_code), info.si_status);
    SEE(waitid(P_PIDFD, fd, &info, WEXITED));
}

RULE(awaited_pid, "pidfd_open(2)", "ESRCH once the process was awaited; a zombie has one")
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    waitid(P_PID, child, &info, WEXITED | WNOWAIT);
    SEE_WHETHER(syscall(SYS_pidfd_open, child, 0) >= 0);
    waitpid(child, NULL, 0);
    SEE(syscall(SYS_pidfd_open, child, 0));
}
