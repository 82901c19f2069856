/* flock(2), fcntl(2): who waits for a lock, how long, and who gets it. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <sys/file.h>

static int open_file(void)
{
    return open("locked", O_RDWR | O_CREAT, 0600);
}

static int lock(int fd, int command, int type, long first, long length)
{
    struct flock wanted = {type, SEEK_SET, first, length, 0};
    return fcntl(fd, command, &wanted);
}

/* Run a child that takes a lock at once, keeps it for two units and ends. */
static void flock_for_two_units(int operation)
{
    if (fork() == 0) {
        flock(open_file(), operation);
        nap(2);
        _exit(0);
    }
    nap(1);
    restart_clock();
}

static void whole_files(void)
{
    int fd = open_file();
    flock_for_two_units(LOCK_EX);
    tell("an exclusive lock is waited for", flock(fd, LOCK_SH));
    reap();
    flock_for_two_units(LOCK_SH);
    tell("shared with shared", flock(fd, LOCK_SH));
    tell("not without waiting", flock(fd, LOCK_EX | LOCK_NB));
    tell("shared to exclusive waits", flock(fd, LOCK_EX));
    reap();
    int same = dup(fd);
    tell("a duplicate has it already", flock(same, LOCK_EX));
    int other = open_file();
    restart_clock();
    if (fork() == 0) {
        close(other);
        nap(1);
        flock(fd, LOCK_UN);
        _exit(0);
    }
    tell("a child unlocks what it inherited", flock(other, LOCK_EX));
    reap();
    close(other);
    tell("free again", flock(fd, LOCK_EX | LOCK_NB));
    tell("no operation", flock(fd, 0));
    tell("two operations", flock(fd, LOCK_SH | LOCK_EX));
    tell("no file", flock(99, LOCK_EX));
    close(fd);
    close(same);
}

static void interruptions(void)
{
    int fd = open_file(), other = open_file();
    flock(other, LOCK_EX);
    alarm_soon(0);
    tell("a handler interrupts flock", flock(fd, LOCK_EX));
    lock(other, F_OFD_SETLK, F_WRLCK, 0, 1);
    alarm_soon(0);
    tell("and fcntl", lock(fd, F_OFD_SETLKW, F_RDLCK, 0, 0));
    alarm_soon(SA_RESTART);
    if (fork() == 0) {
        nap(2);
        flock(other, LOCK_UN);
        _exit(0);
    }
    tell("with SA_RESTART it goes on", flock(fd, LOCK_EX));
    reap();
    close(fd);
    close(other);
}

static void lock_for_two_units(int type, long first, long length)
{
    if (fork() == 0) {
        lock(open_file(), F_SETLKW, type, first, length);
        nap(2);
        _exit(0);
    }
    nap(1);
    restart_clock();
}

static void records(void)
{
    int fd = open_file();
    lock_for_two_units(F_WRLCK, 10, 10);
    tell("other bytes", lock(fd, F_SETLKW, F_WRLCK, 0, 10));
    tell("the same bytes", lock(fd, F_SETLKW, F_RDLCK, 15, 1));
    reap();
    lock_for_two_units(F_RDLCK, 40, 0);
    lock(fd, F_SETLK, F_RDLCK, 40, 20);
    tell("readers share", lock(fd, F_SETLKW, F_RDLCK, 50, 5));
    tell("to write over one's own lock and another's waits", lock(fd, F_SETLKW, F_WRLCK, 45, 5));
    reap();
    tell("over one's own alone it does not", lock(fd, F_SETLKW, F_WRLCK, 0, 0));
    restart_clock();
    if (fork() == 0) {
        tell("a child waits for its parent's", lock(fd, F_SETLKW, F_WRLCK, 0, 1));
        _exit(0);
    }
    nap(1);
    close(open_file()); /* which drops every lock of the process */
    reap();
    int read_only = open("locked", O_RDONLY);
    tell("a write lock wants a file to write to", lock(read_only, F_SETLKW, F_WRLCK, 0, 0));
    close(read_only);
    close(fd);
}

static void descriptions(void)
{
    int fd = open_file(), other = open_file();
    lock(fd, F_OFD_SETLK, F_WRLCK, 0, 5);
    tell("one's own description", lock(dup(fd), F_OFD_SETLKW, F_RDLCK, 2, 3));
    lock(fd, F_OFD_SETLK, F_WRLCK, 0, 5);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0);
        _exit(0);
    }
    tell("another description of the same process", lock(other, F_OFD_SETLKW, F_WRLCK, 0, 0));
    reap();
    restart_clock();
    if (fork() == 0) {
        nap(1);
        lock(other, F_OFD_SETLK, F_UNLCK, 0, 0);
        _exit(0);
    }
    tell("a process waits for a description", lock(fd, F_SETLKW, F_RDLCK, 3, 3));
    reap();
    close(fd);
    close(other);
}

static void deadlock(void)
{
    int fd = open_file();
    lock(fd, F_SETLK, F_WRLCK, 0, 1);
    restart_clock();
    if (fork() == 0) {
        fd = open_file();
        lock(fd, F_SETLK, F_WRLCK, 1, 1);
        tell("the one who waited", lock(fd, F_SETLKW, F_WRLCK, 0, 1));
        _exit(0);
    }
    nap(1);
    tell("each has what the other wants", lock(fd, F_SETLKW, F_WRLCK, 1, 1));
    lock(fd, F_SETLK, F_UNLCK, 0, 0);
    reap();
    close(fd);
}

int main(void)
{
    whole_files();
    interruptions();
    records();
    descriptions();
    deadlock();
    return 0;
}
