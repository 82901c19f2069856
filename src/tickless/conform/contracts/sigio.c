/* fcntl(2): O_ASYNC, F_SETOWN and F_SETSIG: signals that tell what a pipe is ready for. */
#include "contract.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static char bytes[1 << 17];
static int ends[2], other[2];

static void nothing(int signo)
{
    (void)signo;
}

static void block(int signo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void new_pipe(int flags)
{
    if (pipe2(ends, flags) < 0)
        cannot_start("pipe2");
    block(SIGIO);
    block(SIGRTMIN);
    block(SIGUSR1);
    block(SIGCHLD);
    block(SIGPIPE);
}

/* Let this process be told of an end. */
static void tell(int fd, int signo)
{
    fcntl(fd, F_SETOWN, getpid());
    fcntl(fd, F_SETSIG, signo);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_ASYNC);
}

/* All that is pending, taken. */
static void told(const char *when)
{
    char text[300] = "nothing";
    size_t length = 0;
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigaddset(&set, SIGRTMIN);
    sigaddset(&set, SIGUSR1);
    while (sigtimedwait(&set, &info, &(struct timespec){0, 0}) > 0) {
        if (info.si_code == SI_KERNEL)
            length += snprintf(text + length, sizeof text - length, "%s of the kernel, pid %d; ", signal_name(info.si_signo), info.si_pid);
        else
            length += snprintf(text + length, sizeof text - length, "%s %d of %s, %#lx; ", signal_name(info.si_signo), info.si_code,
                               info.si_fd == ends[0]   ? "reader"
                               : info.si_fd == ends[1] ? "writer"
                                                       : "another",
                               (long)info.si_band);
    }
    observed(when, "%s", text);
}

static void signals_taken(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    while (sigtimedwait(&set, NULL, &(struct timespec){0, 0}) > 0)
        ;
}

RULE(owner, "F_SETOWN(2const)", "a process, a group or nobody; ESRCH and EINVAL for others; of any file")
{
    int file = eventfd(0, 0);
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    SEE(fcntl(file, F_GETOWN));
    SEE(fcntl(file, F_SETOWN, gone));
    waitpid(gone, NULL, 0);
    SEE(fcntl(file, F_GETOWN));
    SEE(fcntl(file, F_SETOWN, gone));
    SEE(fcntl(file, F_SETOWN, getpid()));
    SEE_WHETHER(fcntl(file, F_GETOWN) == getpid());
    SEE(fcntl(file, F_SETOWN, -getpid()));
    struct f_owner_ex owner;
    SEE(fcntl(file, F_GETOWN_EX, &owner));
    SEE_WHETHER(owner.type == F_OWNER_PGRP && owner.pid == getpid());
    SEE(fcntl(file, F_SETOWN, 0x80000000));
    SEE(fcntl(file, F_SETOWN, 0));
    SEE(fcntl(file, F_GETOWN));
    SEE(fcntl(99, F_SETOWN, 0));
}

RULE(owner_ex, "F_SETOWN_EX(2const)", "a thread, a process or a group; EINVAL for another type, ESRCH, EFAULT")
{
    int file = eventfd(0, 0);
    struct f_owner_ex owner = {F_OWNER_TID, getpid()};
    SEE(fcntl(file, F_SETOWN_EX, &owner));
    SEE(fcntl(file, F_GETOWN_EX, &owner));
    SEE(owner.type);
    SEE_WHETHER(fcntl(file, F_GETOWN) == getpid());
    owner.type = F_OWNER_PID;
    SEE(fcntl(file, F_SETOWN_EX, &owner));
    SEE(fcntl(file, F_GETOWN_EX, &owner));
    SEE(owner.type);
    owner.type = 3;
    SEE(fcntl(file, F_SETOWN_EX, &owner));
    SEE(fcntl(file, F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_PID, -1}));
    SEE(fcntl(file, F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_PID, 0}));
    SEE(fcntl(file, F_GETOWN_EX, &owner));
    SEE(owner.type);
    SEE(owner.pid);
    SEE(syscall(SYS_fcntl, file, F_SETOWN_EX, 16));
    SEE(syscall(SYS_fcntl, file, F_GETOWN_EX, 16));
}

RULE(setsig, "F_SETSIG(2const)", "any signal, 0 for SIGIO; EINVAL for more than there are; of any file")
{
    int file = timerfd_create(CLOCK_MONOTONIC, 0);
    SEE(fcntl(file, F_GETSIG));
    SEE(fcntl(file, F_SETSIG, 64));
    SEE(fcntl(file, F_GETSIG));
    SEE(fcntl(file, F_SETSIG, 65));
    SEE(fcntl(file, F_SETSIG, -1));
    SEE(fcntl(dup(file), F_GETSIG));
    SEE(fcntl(file, F_SETSIG, 0));
}

RULE(flag, "F_SETFL(2const)", "O_ASYNC is kept by a pipe; an event file drops it, and FIOASYNC of it is ENOTTY")
{
    int on = 1, off = 0, file = eventfd(0, 0);
    new_pipe(0);
    SEE(fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK));
    SEE_WHETHER(fcntl(ends[0], F_GETFL) == (O_ASYNC | O_NONBLOCK));
    SEE(ioctl(ends[0], FIOASYNC, &off));
    SEE(ioctl(ends[0], FIOASYNC, &off));
    SEE_WHETHER(fcntl(ends[0], F_GETFL) == O_NONBLOCK);
    SEE(ioctl(ends[1], FIOASYNC, &on));
    SEE_WHETHER(fcntl(ends[1], F_GETFL) == (O_ASYNC | O_WRONLY));
    SEE(fcntl(ends[1], F_SETFL, 0));
    SEE_WHETHER(fcntl(ends[1], F_GETFL) == O_WRONLY);
    SEE(fcntl(file, F_SETFL, O_ASYNC));
    SEE_WHETHER(fcntl(file, F_GETFL) == O_RDWR);
    SEE(ioctl(file, FIOASYNC, &off));
    SEE(ioctl(file, FIOASYNC, &on));
    SEE(syscall(SYS_ioctl, ends[0], FIOASYNC, 16));
}

RULE(what_is_told, "fcntl(2)", "SIGIO of the kernel; with F_SETSIG the descriptor and what it is ready for; SI_SIGIO where codes have meanings")
{
    new_pipe(0);
    tell(ends[0], 0);
    write(ends[1], "x", 1);
    told("SIGIO");
    tell(ends[0], SIGRTMIN);
    write(ends[1], "x", 1);
    told("a real-time signal");
    tell(ends[0], SIGIO);
    write(ends[1], "x", 1);
    told("SIGIO by name");
    tell(ends[0], SIGUSR1);
    tell(ends[1], SIGRTMIN);
    write(ends[1], "x", 1);
    read(ends[0], bytes, 1);
    told("both ends");
    tell(ends[0], SIGCHLD);
    write(ends[1], "x", 1);
    siginfo_t info;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    SEE(sigwaitinfo(&set, &info));
    SEE_WHETHER(info.si_code == SI_SIGIO && info.si_fd == ends[0] && info.si_band == (POLLIN | POLLRDNORM));
}

RULE(readers_told, "fcntl(2)", "each write tells the reader, also one that fails; one of nothing does not")
{
    new_pipe(O_NONBLOCK);
    tell(ends[0], SIGRTMIN);
    told("before");
    write(ends[1], "x", 1);
    write(ends[1], "x", 1);
    told("two writes");
    write(ends[1], "x", 0);
    told("a write of nothing");
    SEE(syscall(SYS_write, ends[1], 16, PAGE));
    told("a fault");
    while (write(ends[1], bytes, PAGE) > 0)
        signals_taken();
    told("full");
    SEE(fcntl(ends[1], F_SETPIPE_SZ, 2 * sizeof bytes));
    told("a new size");
    read(ends[0], bytes, 1);
    told("a read");
}

RULE(writers_told, "fcntl(2)", "each read tells the writer, also one that fails; one of nothing does not")
{
    new_pipe(O_NONBLOCK);
    tell(ends[1], SIGRTMIN);
    write(ends[1], "xyz", 3);
    told("a write");
    read(ends[0], bytes, 1);
    read(ends[0], bytes, 1);
    told("two reads");
    read(ends[0], bytes, 0);
    told("a read of nothing");
    SEE(syscall(SYS_read, ends[0], 16, 1));
    told("a fault");
    read(ends[0], bytes, 100);
    told("the last byte");
    SEE(read(ends[0], bytes, 100));
    told("nothing there");
}

RULE(closing, "fcntl(2)", "when one side has closed, the other is told; who has closed is told no more")
{
    new_pipe(0);
    tell(ends[0], SIGRTMIN);
    int second = dup(ends[1]);
    close(second);
    told("a duplicate of the writer");
    close(ends[1]);
    told("the writer");
    new_pipe(0);
    tell(ends[1], SIGRTMIN);
    close(ends[0]);
    told("the reader");
    SEE(write(ends[1], "x", 1));
    told("a write to nobody");
    new_pipe(0);
    tell(ends[0], SIGRTMIN);
    second = dup(ends[0]);
    close(ends[0]);
    write(ends[1], "x", 1);
    told("a duplicate is left");
    fcntl(second, F_SETFL, 0);
    write(ends[1], "x", 1);
    told("switched off");
}

RULE(splices, "fcntl(2)", "splice, tee and vmsplice tell readers when bytes come, and writers when a page is free")
{
    new_pipe(0);
    other[0] = ends[0], other[1] = ends[1];
    write(other[1], "some", 4);
    new_pipe(0);
    tell(ends[0], SIGRTMIN);
    SEE(tee(other[0], ends[1], 1, 0));
    told("tee");
    SEE(splice(other[0], NULL, ends[1], NULL, 1, 0));
    told("splice");
    SEE(vmsplice(ends[1], &(struct iovec){bytes, 1}, 1, 0));
    told("vmsplice");
    fcntl(ends[0], F_SETFL, 0);
    tell(ends[1], SIGRTMIN);
    SEE(vmsplice(ends[0], &(struct iovec){bytes, 1}, 1, 0));
    told("a page");
    write(ends[1], "some", 4);
    SEE(vmsplice(ends[0], &(struct iovec){bytes, 3}, 1, 0));
    told("two pages");
    SEE(splice(ends[0], NULL, other[1], NULL, 1, 0));
    told("a part of a page");
    SEE(splice(ends[0], NULL, open("/dev/null", O_WRONLY), NULL, 1, 0));
    told("into a file");
    SEE(splice(open("/dev/zero", O_RDONLY), NULL, ends[1], NULL, 1, 0));
    told("nothing is read");
    tell(ends[0], SIGRTMIN);
    SEE(splice(open("/dev/zero", O_RDONLY), NULL, ends[1], NULL, 1, 0));
    told("out of a file");
}

static void *write_one(void *arg)
{
    struct f_owner_ex owner = {F_OWNER_TID, syscall(SYS_gettid)};
    fcntl(ends[0], F_SETOWN_EX, &owner);
    write(ends[1], "x", 1);
    told("the thread");
    return arg;
}

RULE(owners_told, "fcntl(2)", "a thread alone; each process of a group; a process that has ended is not")
{
    pthread_t thread;
    new_pipe(0);
    tell(ends[0], SIGRTMIN);
    pthread_create(&thread, NULL, write_one, NULL);
    pthread_join(thread, NULL);
    told("the process of the thread");
    write(ends[1], "x", 1);
    told("the thread has ended");
    fcntl(ends[0], F_SETOWN, -getpid());
    pid_t child = fork();
    if (child == 0) {
        sigset_t set;
        int signo;
        sigemptyset(&set);
        sigaddset(&set, SIGRTMIN);
        SEE(sigwait(&set, &signo));
        told("the child");
        _exit(0);
    }
    write(ends[1], "x", 1);
    waitpid(child, NULL, 0);
    told("the parent");
    child = fork();
    if (child == 0) {
        fcntl(ends[0], F_SETOWN, getpid());
        _exit(0);
    }
    waitpid(child, NULL, 0);
    write(ends[1], "x", 1);
    told("the child has ended");
}

RULE(interrupts, "fcntl(2)", "a handler runs, and the call that it interrupts gives EINTR")
{
    new_pipe(0);
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigaction(SIGRTMIN, &(struct sigaction){.sa_handler = nothing}, NULL);
        tell(ends[0], SIGRTMIN);
        SEE(sigsuspend(&none));
        SEE(read(ends[0], bytes, 100));
        _exit(0);
    }
    until_asleep(child);
    write(ends[1], "x", 1);
    waitpid(child, NULL, 0);
}
