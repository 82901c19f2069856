/* proc(5): fd, fdinfo, stat and status of processes and their event files; what opening a link again gives. */
#include "contract.h"
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

static char text[4096], path[64];
static char bytes[64];

static const char *read_all(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    return length < 0 ? errno_name(errno) : text;
}

static const char *path_of(const char *folder, int fd)
{
    snprintf(path, sizeof path, "%s/%d", folder, fd);
    return path;
}

/* The lines of a fdinfo that begin with one of the words, space between words as it stands. */
static void show_fdinfo(int fd, const char *words)
{
    char *rest;
    read_all(path_of("/proc/self/fdinfo", fd));
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char word[32];
        if (sscanf(line, "%31[^: ]", word) == 1 && strstr(words, word)) {
            for (char *tab = strchr(line, '\t'); tab; tab = strchr(tab, '\t'))
                *tab = '_';
            observed("line", "%s", line);
        }
    }
}

/* The value of a field of /proc/PID/status. */
static const char *status_field(pid_t pid, const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "/proc/%d/status", (int)pid);
    read_all(file);
    char *line = strstr(text, name);
    if (!line)
        return "no such field";
    line += strlen(name) + 1;
    line += strspn(line, "\t ");
    line[strcspn(line, "\n")] = 0;
    return line;
}

/* The fields of /proc/PID/stat, from the state on. */
static char state_of(pid_t pid, pid_t *parent)
{
    char file[64], state = '?';
    int above = 0;
    snprintf(file, sizeof file, "/proc/%d/stat", (int)pid);
    read_all(file);
    char *end = strrchr(text, ')');
    if (!end || sscanf(end + 2, "%c %d", &state, &above) != 2)
        return '?';
    *parent = above;
    return state;
}

static void show_link(int fd)
{
    ssize_t length = readlink(path_of("/proc/self/fd", fd), bytes, sizeof bytes - 1);
    bytes[length < 0 ? 0 : length] = 0;
    char expected[64];
    struct stat status;
    fstat(fd, &status);
    snprintf(expected, sizeof expected, "pipe:[%lu]", (unsigned long)status.st_ino);
    observed("link", "%s", strcmp(bytes, expected) ? bytes : "pipe:[its inode]");
}

RULE(links, "proc_pid_fd(5)", "what the links of event files and pipes say; a pipe's has its inode")
{
    sigset_t none;
    int ends[2];
    sigemptyset(&none);
    if (pipe(ends) < 0)
        cannot_start("pipe");
    int fds[] = {eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), epoll_create1(0), signalfd(-1, &none, 0),
                 inotify_init(), ends[0], ends[1]};
    for (int i = 0; i < 7; i++)
        show_link(fds[i]);
}

RULE(link_buffers, "readlink(2)", "a buffer that is too short gets the beginning; none at all is EINVAL; EFAULT")
{
    int fd = eventfd(0, 0);
    path_of("/proc/self/fd", fd);
    SEE(readlink(path, bytes, 4));
    observed("got", "%.4s", bytes);
    SEE(syscall(SYS_readlinkat, AT_FDCWD, path, bytes, 0));
    SEE(syscall(SYS_readlinkat, AT_FDCWD, path, 16, 10));
    SEE(syscall(SYS_readlinkat, AT_FDCWD, path, bytes, -1));
    SEE(readlink("/proc/self/fd/99", bytes, 10));
    SEE(readlink("/proc/self/fdinfo/3", bytes, 10));
}

RULE(relative_links, "readlinkat(2)", "by way of a folder's descriptor, /dev/fd, the thread's own and another process' the same")
{
    char name[16];
    int fd = eventfd(0, 0), folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    snprintf(name, sizeof name, "%d", fd);
    SEE(readlinkat(folder, name, bytes, sizeof bytes));
    SEE(readlink(path_of("/dev/fd", fd), bytes, sizeof bytes));
    SEE(readlink(path_of("/proc/thread-self/fd", fd), bytes, sizeof bytes));
    pid_t child = fork();
    if (child == 0) {
        char above[32];
        close(fd);
        snprintf(above, sizeof above, "/proc/%d/fd", (int)getppid());
        SEE(readlink(path_of(above, fd), bytes, sizeof bytes));
        observed("got", "%.20s", bytes);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

RULE(eventfd_info, "proc_pid_fdinfo(5)", "the count of an eventfd, in hexadecimal, flags in octal")
{
    int fd = eventfd(0xff, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC);
    show_fdinfo(fd, "pos flags eventfd-count");
    read(fd, bytes, 8);
    fcntl(fd, F_SETFL, 0);
    show_fdinfo(fd, "pos flags eventfd-count");
}

RULE(eventfd_kind, "proc_pid_fdinfo(5)", "whether an eventfd is a semaphore")
{
    since(6, 5);
    show_fdinfo(eventfd(0xff, EFD_SEMAPHORE), "eventfd-semaphore");
    show_fdinfo(eventfd(0xff, 0), "eventfd-semaphore");
}

RULE(timerfd_info, "proc_pid_fdinfo(5)", "clock, ticks that nobody has read, flags of the setting, and what is left of a timerfd")
{
    struct itimerspec once = {{5, 0}, {0, MS}}, far = {{0, 0}, {1L << 33, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    show_fdinfo(fd, "flags clockid ticks settime it_value it_interval");
    timerfd_settime(fd, 0, &once, NULL);
    nap(5);
    show_fdinfo(fd, "clockid ticks settime it_interval");
    SEE(read(fd, bytes, 8));
    show_fdinfo(fd, "ticks");
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &far, NULL);
    show_fdinfo(fd, "ticks settime it_interval");
    fd = timerfd_create(CLOCK_REALTIME, 0);
    timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
    show_fdinfo(fd, "clockid settime");
}

RULE(signalfd_info, "proc_pid_fdinfo(5)", "the mask of a signalfd, without SIGKILL and SIGSTOP")
{
    sigset_t set;
    memset(&set, 0xff, sizeof set);
    show_fdinfo(signalfd(-1, &set, 0), "flags sigmask");
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGRTMAX);
    show_fdinfo(signalfd(-1, &set, SFD_NONBLOCK), "flags sigmask");
}

RULE(epoll_info, "proc_pid_fdinfo(5)", "an interest is shown with its number, events and data")
{
    static const uint32_t events[] = {EPOLLIN | EPOLLET, EPOLLOUT | EPOLLONESHOT, 0};
    int epoll = epoll_create1(0), file = eventfd(0, 0);
    for (int i = 0; i < 3; i++) {
        struct epoll_event event = {events[i], {.u64 = 0x123456789abcdef0 + i}};
        int number = i ? dup(file) : file, shown;
        unsigned with;
        unsigned long long data;
        epoll_ctl(epoll, EPOLL_CTL_ADD, number, &event);
        read_all(path_of("/proc/self/fdinfo", epoll));
        char *line = strstr(text, "tfd:");
        if (line && sscanf(line, "tfd: %d events: %x data: %llx", &shown, &with, &data) == 3)
            observed("interest", "%d %x %llx", shown, with, data);
        epoll_ctl(epoll, EPOLL_CTL_DEL, number, NULL);
    }
}

RULE(epoll_info_of_any_file, "proc_pid_fdinfo(5)", "interests in sockets and in event files are shown, each with its own number")
{
    int sockets[2], epoll = epoll_create1(0), file = eventfd(0, 0);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    struct epoll_event event = {EPOLLIN, {.u64 = 1}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[1], &event);
    event.data.u64 = 2;
    epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
    read_all(path_of("/proc/self/fdinfo", epoll));
    const int watched[] = {sockets[1], file, sockets[0]};
    for (int i = 0; i < 3; i++) {
        char line[64];
        snprintf(line, sizeof line, "tfd: %8d events: %8x data: %16x ", watched[i], EPOLLIN | EPOLLERR | EPOLLHUP, i + 1);
        observed("shown", "%d", strstr(text, line) != NULL);
    }
}

RULE(pidfd_info, "proc_pid_fdinfo(5)", "the process of a pidfd; -1 once it was awaited")
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            pause();
    int fd = syscall(SYS_pidfd_open, child, 0), told = 0;
    if (fd < 0)
        not_here("pidfd_open: Linux 5.3");
    read_all(path_of("/proc/self/fdinfo", fd));
    sscanf(strstr(text, "\nPid:"), "\nPid:\t%d", &told);
    SEE_WHETHER(told == child);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    read_all(path_of("/proc/self/fdinfo", fd));
    sscanf(strstr(text, "\nPid:"), "\nPid:\t%d", &told);
    SEE(told == -1);
}

RULE(fdinfo_of_others, "proc_pid_fdinfo(5)", "a child's fdinfo shows what it has open; none for a number that is not open")
{
    int event = eventfd(7, 0), ends[2];
    char byte, folder[32];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        dup2(event, 40);
        close(event);
        read(ends[0], &byte, 1);
        _exit(0);
    }
    until_asleep(child);
    snprintf(folder, sizeof folder, "/proc/%d/fdinfo", (int)child);
    SEE_WHETHER(strstr(read_all(path_of(folder, 40)), "eventfd-count:                7") != NULL);
    SEE(open(path_of(folder, event), O_RDONLY));
    SEE(open("/proc/self/fdinfo/99", O_RDONLY));
    SEE(open("/proc/self/fdinfo/x", O_RDONLY));
    close(ends[1]);
    waitpid(child, NULL, 0);
}

RULE(fdinfo_is_read_only, "proc_pid_fdinfo(5)", "it is for reading, from its beginning or in pieces, and can be read again")
{
    int event = eventfd(3, 0), info = open(path_of("/proc/self/fdinfo", event), O_RDONLY);
    SEE(read(info, bytes, 4));
    SEE(lseek(info, 0, SEEK_SET));
    SEE(read(info, bytes, 4));
    observed("got", "%.4s", bytes);
    SEE(write(info, "x", 1));
}

RULE(not_opened_again, "proc_pid_fd(5)", "an event file cannot be opened by its link; with O_NOFOLLOW it is ELOOP, O_PATH will do")
{
    sigset_t none;
    sigemptyset(&none);
    int fds[] = {eventfd(0, 0), timerfd_create(CLOCK_MONOTONIC, 0), epoll_create1(0), signalfd(-1, &none, 0)};
    for (int i = 0; i < 4; i++) {
        /* ENXIO; who is not root may not even try. */
        SEE_WHETHER(open(path_of("/proc/self/fd", fds[i]), O_RDONLY) < 0 && errno == (geteuid() ? EACCES : ENXIO));
        SEE(open(path, O_RDONLY | O_NOFOLLOW));
    }
    SEE(open(path, O_PATH));
}

RULE(pipes_opened_again, "proc_pid_fd(5)", "a pipe's link opens either end anew, with flags of its own; the last writer counts them all")
{
    int ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    int reader = open(path_of("/proc/self/fd", ends[0]), O_RDONLY | O_NONBLOCK);
    SEE_WHETHER(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    SEE(read(reader, bytes, 1));
    int writer = open(path_of("/proc/self/fd", ends[0]), O_WRONLY);
    SEE(write(writer, "xy", 2));
    SEE(read(ends[0], bytes, 1));
    SEE(close(ends[1]));
    SEE(read(reader, bytes, 1));
    SEE(read(reader, bytes, 1));
    SEE(close(writer));
    SEE(read(reader, bytes, 1));
}

RULE(of_another_process, "proc_pid_fd(5)", "a child opens its parent's pipe by its link")
{
    int ends[2];
    if (pipe(ends) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        char folder[32];
        close(ends[0]);
        snprintf(folder, sizeof folder, "/proc/%d/fd", (int)getppid());
        int reader = open(path_of(folder, ends[0]), O_RDONLY);
        write(ends[1], "y", 1);
        SEE(read(reader, bytes, 1));
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

RULE(states, "proc_pid_stat(5)", "R for oneself, S in a wait, T when stopped, Z until it was awaited; the parent's pid")
{
    int ends[2];
    pid_t parent = 0, me = getpid();
    if (pipe(ends) < 0)
        cannot_start("pipe");
    observed("oneself", "%c", state_of(me, &parent));
    pid_t child = fork();
    if (child == 0) {
        read(ends[0], bytes, 1);
        _exit(0);
    }
    until_asleep(child);
    observed("in a read", "%c", state_of(child, &parent));
    SEE_WHETHER(parent == me);
    kill(child, SIGSTOP);
    waitpid(child, NULL, WUNTRACED);
    observed("stopped", "%c", state_of(child, &parent));
    kill(child, SIGCONT);
    until_asleep(child);
    observed("going on", "%c", state_of(child, &parent));
    kill(child, SIGKILL);
    waitid(P_PID, child, &(siginfo_t){0}, WEXITED | WNOWAIT);
    observed("a zombie", "%c", state_of(child, &parent));
    waitpid(child, NULL, 0);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
    SEE(open(path, O_RDONLY));
}

RULE(pending_signals, "proc_pid_status(5)", "SigPnd is the thread's, ShdPnd the process', SigBlk the mask; SigIgn and SigCgt the dispositions")
{
    sigset_t set;
    pid_t me = getpid();
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2), sigaddset(&set, SIGRTMAX);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    count_signal(SIGTERM, 0);
    kill(me, SIGUSR1);
    syscall(SYS_tgkill, me, me, SIGUSR2);
    kill(me, SIGRTMAX);
    static const char *const fields[] = {"SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"};
    for (int i = 0; i < 5; i++)
        observed(fields[i], "%s", status_field(me, fields[i]));
    SEE(sigwaitinfo(&set, NULL));
    observed("SigPnd", "%s", status_field(me, "SigPnd"));
    SEE(sigwaitinfo(&set, NULL));
    observed("ShdPnd", "%s", status_field(me, "ShdPnd"));
}

RULE(names_and_threads, "proc_pid_status(5)", "Name, State, Tgid, Pid, PPid and Threads of oneself")
{
    pid_t me = getpid();
    prctl(PR_SET_NAME, "a name");
    observed("Name", "%s", status_field(me, "Name"));
    observed("State", "%s", status_field(me, "State"));
    SEE_WHETHER(atoi(status_field(me, "Tgid")) == me && atoi(status_field(me, "\nPid")) == me);
    SEE_WHETHER(atoi(status_field(me, "PPid")) == getppid());
    observed("Threads", "%s", status_field(me, "Threads"));
    observed("comm", "%.6s", read_all("/proc/self/comm"));
}
