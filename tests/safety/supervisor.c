/* Try to get at the parent, which is the supervisor of a run: its memory, its files, its life. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static void tried(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}

static void opened(const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", getppid(), name);
    tried(name, open(path, flags));
}

/* Reach for all that lets one process look into another or change it. */
static void reach(void)
{
    char bytes[8];
    struct iovec here = {bytes, sizeof bytes}, there = {(void *)0x400000, sizeof bytes};
    const char *names[] = {"maps", "environ", "auxv", "stack", "syscall", "fd/0", "fd/3", "cwd/."};
    opened("mem", O_RDWR);
    opened("mem", O_RDONLY);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        opened(names[i], O_RDONLY);
    int pidfd = syscall(SYS_pidfd_open, getppid(), 0);
    for (int fd = 3; fd < 6; fd++)
        tried("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, fd, 0));
    tried("process_vm_readv", process_vm_readv(getppid(), &here, 1, &there, 1, 0));
    tried("process_vm_writev", process_vm_writev(getppid(), &here, 1, &there, 1, 0));
    tried("PTRACE_ATTACH", syscall(SYS_ptrace, 16, getppid(), 0, 0));
    tried("PTRACE_SEIZE", syscall(SYS_ptrace, 0x4206, getppid(), 0, 0));
}

/* Everybody, one's own group, and the group by number are all tasks of the run. */
static void shoot(const char *at)
{
    if (fork() == 0)
        pause();
    signal(SIGTERM, SIG_IGN);
    int target = strcmp(at, "everybody") == 0 ? -1 : strcmp(at, "group") == 0 ? 0 : -getpgrp();
    tried(at, kill(target, SIGTERM));
}

int main(int argc, char **argv)
{
    if (argc > 1)
        shoot(argv[1]);
    else
        reach();
}
