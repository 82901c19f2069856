/* signalfd(2): masks, what a read takes and gives, whose signals they are, and readiness. */
#include "contract.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static struct signalfd_siginfo infos[4];

static sigset_t set_of(int one, int two)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, one);
    if (two)
        sigaddset(&set, two);
    return set;
}

/* Block two signals and make a signalfd of them that does not wait. */
static int signals(int one, int two, int flags)
{
    sigset_t set = set_of(one, two);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, flags);
    if (fd < 0)
        cannot_start("signalfd");
    return fd;
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents);
}

static void see_info(const struct signalfd_siginfo *info)
{
    observed("signal", "%s, code %s", signal_name(info->ssi_signo), code_name(info->ssi_signo, info->ssi_code));
}

RULE(create_errors, "signalfd(2)", "EINVAL for unknown flags, another size of the mask, and another kind of file")
{
    sigset_t set = set_of(SIGUSR1, 0);
    SEE(signalfd(-1, &set, 1));
    SEE(syscall(SYS_signalfd4, -1, &set, 4, 0));
    SEE(syscall(SYS_signalfd4, -1, &set, 128, 0));
    SEE(signalfd(0, &set, 0));
    SEE(signalfd(99, &set, 0));
    SEE(syscall(SYS_signalfd4, -1, 16L, 8, 0));
    SEE(syscall(SYS_signalfd4, -1, 16L, 8, 1));
    SEE(syscall(SYS_signalfd4, 99, &set, 4, 1));
}

RULE(flags, "signalfd(2)", "SFD_CLOEXEC and SFD_NONBLOCK are set when it is made, and ignored when its mask is changed")
{
    sigset_t set = set_of(SIGUSR1, 0);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    SEE(fcntl(fd, F_GETFD));
    SEE_WHETHER(fcntl(fd, F_GETFL) == (O_RDWR | O_NONBLOCK));
    int plain = signalfd(-1, &set, 0);
    SEE_WHETHER(signalfd(plain, &set, SFD_NONBLOCK | SFD_CLOEXEC) == plain);
    SEE_WHETHER(fcntl(plain, F_GETFL) == O_RDWR);
    SEE(fcntl(plain, F_GETFD));
}

RULE(nothing, "signalfd(2)", "EAGAIN while no signal is pending; EINVAL for room for less than one record")
{
    int fd = signals(SIGUSR1, 0, SFD_NONBLOCK);
    SEE(read(fd, infos, sizeof infos));
    SEE(read(fd, infos, 127));
    raise(SIGUSR1);
    SEE(read(fd, infos, 127));
    SEE(read(fd, infos, 128 + 127));
    SEE(read(fd, infos, 128));
}

RULE(several, "signalfd(2)", "a read gives as many records as are pending and fit, the lowest number first")
{
    int fd = signals(SIGUSR2, SIGUSR1, SFD_NONBLOCK);
    raise(SIGUSR2);
    raise(SIGUSR1);
    SEE(read(fd, infos, sizeof infos));
    see_info(&infos[0]);
    see_info(&infos[1]);
}

RULE(standard_once, "signalfd(2)", "a standard signal is pending once, a real-time one as often as it was sent, in order")
{
    int fd = signals(SIGUSR1, SIGRTMIN + 1, SFD_NONBLOCK);
    for (int i = 1; i <= 3; i++) {
        kill(getpid(), SIGUSR1);
        sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
    }
    SEE(read(fd, infos, sizeof infos));
    see_info(&infos[0]);
    for (int i = 1; i < 4; i++) {
        see_info(&infos[i]);
        observed("value", "%d", infos[i].ssi_int);
    }
    SEE(read(fd, infos, sizeof infos));
}

RULE(sender, "signalfd(2)", "a record tells who sent the signal and how")
{
    int fd = signals(SIGUSR1, SIGUSR2, 0);
    kill(getpid(), SIGUSR1);
    raise(SIGUSR2);
    SEE(read(fd, infos, sizeof infos));
    see_info(&infos[0]);
    SEE_WHETHER(infos[0].ssi_pid == (uint32_t)getpid() && infos[0].ssi_uid == getuid());
    see_info(&infos[1]);
    SEE_WHETHER(infos[1].ssi_pid == (uint32_t)getpid());
}

RULE(child, "signalfd(2)", "SIGCHLD's record tells which child, and how it ended")
{
    int fd = signals(SIGCHLD, 0, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    SEE(read(fd, infos, 128));
    see_info(&infos[0]);
    SEE_WHETHER(infos[0].ssi_pid == (uint32_t)child);
    SEE(infos[0].ssi_status);
    child = fork();
    if (child == 0)
        raise(SIGKILL);
    SEE(read(fd, infos, 128));
    see_info(&infos[0]);
    SEE(infos[0].ssi_status);
}

RULE(readiness, "signalfd(2)", "it is readable while one of its signals is pending for the reader")
{
    int fd = signals(SIGUSR1, 0, SFD_NONBLOCK);
    observed("before", "%s", readiness(fd));
    raise(SIGUSR1);
    observed("pending", "%s", readiness(fd));
    read(fd, infos, 128);
    observed("after", "%s", readiness(fd));
}

RULE(not_blocked, "signalfd(2)", "a signal that is not blocked goes to its handler, not to the file")
{
    sigset_t set = set_of(SIGUSR1, 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    count_signal(SIGUSR1, 0);
    raise(SIGUSR1);
    SEE(signals_counted);
    SEE(read(fd, infos, 128));
}

RULE(kill_and_stop, "signalfd(2)", "SIGKILL and SIGSTOP in a mask are ignored silently")
{
    sigset_t set = set_of(SIGKILL, SIGSTOP);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    SEE_WHETHER(fd >= 0);
    SEE(read(fd, infos, 128));
}

RULE(mask_change, "signalfd(2)", "another mask counts at once, also for what is pending")
{
    int fd = signals(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
    sigset_t second = set_of(SIGUSR2, 0);
    raise(SIGUSR1);
    SEE_WHETHER(signalfd(fd, &second, 0) == fd);
    observed("readiness", "%s", readiness(fd));
    SEE(read(fd, infos, 128));
    raise(SIGUSR2);
    SEE(read(fd, infos, sizeof infos));
    see_info(&infos[0]);
}

RULE(two_files, "signalfd(2)", "two files over one signal share it: who reads first has it")
{
    int fd = signals(SIGUSR1, 0, SFD_NONBLOCK), other = signals(SIGUSR1, 0, SFD_NONBLOCK);
    raise(SIGUSR1);
    observed("both", "%s %s", readiness(fd), readiness(other));
    SEE(read(other, infos, 128));
    SEE(read(fd, infos, 128));
}

RULE(of_the_reader, "signalfd(2)", "a child that reads its parent's file gets the child's own signals")
{
    int fd = signals(SIGUSR1, 0, SFD_NONBLOCK);
    raise(SIGUSR1);
    pid_t child = fork();
    if (child == 0) {
        SEE(read(fd, infos, 128));
        raise(SIGUSR1);
        SEE(read(fd, infos, 128));
        SEE_WHETHER(infos[0].ssi_pid == (uint32_t)getpid());
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SEE(read(fd, infos, 128));
    SEE_WHETHER(infos[0].ssi_pid == (uint32_t)getpid());
}

RULE(epoll_owner, "signalfd(2)", "an epoll tells of the signals of who added the file")
{
    int fd = signals(SIGUSR1, 0, SFD_NONBLOCK), epoll = epoll_create1(0);
    struct epoll_event event = {EPOLLIN, {.fd = fd}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    SEE(epoll_wait(epoll, &event, 1, 0));
    raise(SIGUSR1);
    SEE(epoll_wait(epoll, &event, 1, 0));
    SEE(epoll_wait(epoll, &event, 1, 0));
    read(fd, infos, 128);
    SEE(epoll_wait(epoll, &event, 1, 0));
}

RULE(waits, "signalfd(2)", "a read waits until a signal comes")
{
    int fd = signals(SIGUSR1, 0, 0);
    pid_t reader = getpid(), sender = fork();
    if (sender == 0) {
        until_asleep(reader);
        kill(reader, SIGUSR1);
        _exit(0);
    }
    SEE(read(fd, infos, sizeof infos));
    SEE_WHETHER(infos[0].ssi_pid == (uint32_t)sender);
    waitpid(sender, NULL, 0);
}

RULE(interrupted, "signalfd(2)", "another signal's handler ends the wait with EINTR")
{
    int fd = signals(SIGUSR1, 0, 0);
    count_signal(SIGUSR2, 0);
    pid_t reader = getpid(), sender = fork();
    if (sender == 0) {
        until_asleep(reader);
        kill(reader, SIGUSR2);
        _exit(0);
    }
    SEE(read(fd, infos, 128));
    SEE(signals_counted);
    waitpid(sender, NULL, 0);
}

RULE(no_write, "signalfd(2)", "it cannot be written to; a bad buffer has taken the signal")
{
    int fd = signals(SIGUSR1, 0, SFD_NONBLOCK);
    SEE(write(fd, infos, 128));
    raise(SIGUSR1);
    SEE(syscall(SYS_read, fd, 16L, 128));
    SEE(read(fd, infos, 128));
}
