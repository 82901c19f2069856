/* Try to get at the parent, which is the supervisor of a run: its memory, its files, its life.
 * usage: supervisor [everybody|group|number|parent's] */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int target; // pid

static void tried(const char *what, long result)
{
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
}

static void opened(const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", target, name);
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
    int pidfd = syscall(SYS_pidfd_open, target, 0);
    for (int fd = 3; fd < 6; fd++)
        tried("pidfd_getfd", syscall(SYS_pidfd_getfd, pidfd, fd, 0));
    tried("process_vm_readv", process_vm_readv(target, &here, 1, &there, 1, 0));
    tried("process_vm_writev", process_vm_writev(target, &here, 1, &there, 1, 0));
    tried("PTRACE_ATTACH", syscall(SYS_ptrace, 16, target, 0, 0));
    tried("PTRACE_SEIZE", syscall(SYS_ptrace, 0x4206, target, 0, 0));
}

static int parent_of(int pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "r");
    fscanf(stat, "%*d (%*[^)]) %*c %d", &parent);
    fclose(stat);
    return parent;
}

/* Everybody, one's own group, and the group by number are all tasks of the run. */
static void shoot(const char *at)
{
    if (fork() == 0)
        pause();
    signal(SIGTERM, SIG_IGN);
    target = strcmp(at, "everybody") == 0 ? -1 : strcmp(at, "group") == 0 ? 0 : -getpgrp();
    tried(at, kill(target, SIGTERM));
}

int main(int argc, char **argv)
{
    target = getppid();
    if (argc > 1 && strcmp(argv[1], "parent's") == 0)
        target = parent_of(target);
    else if (argc > 1)
        return shoot(argv[1]), 0;
    reach();
}
