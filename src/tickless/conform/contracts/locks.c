/* flock(2), fcntl(2): whole files, ranges and descriptions; who waits, who shares, what ends a lock. */
#include "contract.h"
#include <sys/eventfd.h>
#include <sys/file.h>

static int open_file(void)
{
    int fd = open("locked", O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        cannot_start("open");
    return fd;
}

static int lock(int fd, int command, int type, long first, long length)
{
    struct flock wanted = {.l_type = type, .l_whence = SEEK_SET, .l_start = first, .l_len = length};
    return fcntl(fd, command, &wanted);
}

static void show(const char *what, const struct flock *found)
{
    static const char *const types[] = {"read", "write", "none"};
    observed(what, "%s lock, from %ld, length %ld, whence %d", types[found->l_type], (long)found->l_start,
             (long)found->l_len, found->l_whence);
}

/* What F_GETLK or F_OFD_GETLK finds in the way of a lock of the whole file. */
static struct flock in_the_way(int fd, int command, int type)
{
    struct flock found = {.l_type = type, .l_whence = SEEK_SET};
    if (fcntl(fd, command, &found) < 0)
        cannot_start("F_GETLK");
    return found;
}

/* What follows runs in both; the child leaves by `continue`. */
#define CHILD(pid) for (pid_t pid = fork(), once = 1; once; once = 0, pid ? (void)0 : _exit(0))

static void await(pid_t child)
{
    int status;
    waitpid(child, &status, 0);
    if (status)
        observed("child", "%s", status_name(status));
}

RULE(flock_operations, "flock(2)", "EINVAL for none, two or another operation, before the number is looked at; EBADF")
{
    int fd = open_file();
    SEE(flock(fd, 0));
    SEE(flock(fd, LOCK_NB));
    SEE(flock(fd, LOCK_SH | LOCK_EX));
    SEE(flock(fd, 16));
    SEE(flock(99, 0));
    SEE(flock(99, LOCK_EX));
    SEE(flock(fd, LOCK_UN));
    SEE(flock(fd, LOCK_UN | LOCK_NB));
}

RULE(flock_modes, "flock(2)", "any open mode will do, for a folder too; an O_PATH number is EBADF")
{
    open_file();
    SEE(flock(open("locked", O_RDONLY), LOCK_EX));
    SEE(flock(open(".", O_RDONLY), LOCK_EX));
    SEE(flock(open("locked", O_PATH), LOCK_EX));
    SEE(flock(open("/dev/null", O_RDONLY), LOCK_SH | LOCK_NB));
}

RULE(flock_excludes, "flock(2)", "an exclusive lock excludes all, a shared one exclusive ones; EWOULDBLOCK with LOCK_NB")
{
    int first = open_file(), second = open_file();
    SEE(flock(first, LOCK_SH));
    SEE(flock(second, LOCK_SH | LOCK_NB));
    SEE(flock(second, LOCK_EX | LOCK_NB));
    SEE(flock(first, LOCK_UN));
    SEE(flock(second, LOCK_EX | LOCK_NB));
    SEE(flock(first, LOCK_SH | LOCK_NB));
    SEE_BLOCKED(flock(first, LOCK_SH));
}

RULE(flock_conversion, "flock(2)", "a conversion drops the lock first: one that fails has lost it")
{
    int first = open_file(), second = open_file();
    SEE(flock(first, LOCK_SH));
    SEE(flock(second, LOCK_SH));
    SEE(flock(first, LOCK_EX | LOCK_NB));
    SEE(flock(second, LOCK_EX | LOCK_NB));
}

RULE(flock_is_the_descriptions, "flock(2)", "a duplicate and a child have the same lock, and either may drop it for all")
{
    int first = open_file(), copy = dup(first), other = open_file();
    SEE(flock(first, LOCK_EX));
    SEE(flock(copy, LOCK_SH | LOCK_NB));
    SEE(flock(copy, LOCK_EX | LOCK_NB));
    SEE(close(first));
    SEE(flock(other, LOCK_EX | LOCK_NB));
    CHILD(child)
    {
        if (child == 0)
            _exit(flock(copy, LOCK_UN));
        await(child);
    }
    SEE(flock(other, LOCK_EX | LOCK_NB));
}

RULE(flock_waits, "flock(2)", "one who waits has it when the last reference of the holder's description is closed")
{
    int first = open_file(), second = open_file();
    flock(first, LOCK_EX);
    CHILD(child)
    {
        if (child == 0) {
            close(first);
            SEE(flock(second, LOCK_EX));
            continue;
        }
        until_asleep(child);
        close(first);
        await(child);
    }
    SEE(flock(open_file(), LOCK_EX | LOCK_NB));
    close(second);
}

RULE(flock_of_the_dead, "flock(2)", "the end of its process drops a lock, and who waits goes on")
{
    int fd = open_file(), ready = eventfd(0, 0);
    uint64_t count = 1;
    CHILD(child)
    {
        if (child == 0) {
            flock(open_file(), LOCK_EX);
            write(ready, &count, 8);
            until_asleep(getppid());
            continue;
        }
        read(ready, &count, 8);
        SEE(flock(fd, LOCK_EX | LOCK_NB));
        SEE(flock(fd, LOCK_EX));
        await(child);
    }
}

RULE(flock_interrupted, "flock(2)", "a handler ends the wait with EINTR; with SA_RESTART it goes on")
{
    int first = open_file(), second = open_file();
    pid_t me = getpid();
    flock(first, LOCK_EX);
    SEE_BLOCKED(flock(second, LOCK_EX));
    count_signal(SIGUSR1, SA_RESTART);
    CHILD(child)
    {
        if (child == 0) {
            until_asleep(me);
            kill(me, SIGUSR1);
            until_asleep(me);
            flock(first, LOCK_UN);
            continue;
        }
        SEE(flock(second, LOCK_EX));
        SEE(signals_counted);
        await(child);
    }
}

RULE(kinds_apart, "flock(2)", "flock and fcntl locks do not see each other")
{
    int first = open_file(), second = open_file();
    SEE(flock(first, LOCK_EX));
    SEE(lock(second, F_OFD_SETLK, F_WRLCK, 0, 0));
}

RULE(record_arguments, "F_SETLK(2const)", "EINVAL for a type, a whence or a range that is none; EFAULT; EBADF for the wrong mode")
{
    int fd = open_file(), reader = open("locked", O_RDONLY), writer = open("locked", O_WRONLY);
    struct flock wrong = {.l_type = F_WRLCK, .l_whence = 7};
    SEE(lock(fd, F_SETLK, 9, 0, 0));
    SEE(fcntl(fd, F_SETLK, &wrong));
    SEE(lock(fd, F_SETLK, F_WRLCK, -1, 0));
    SEE(lock(fd, F_SETLK, F_WRLCK, 5, -6));
    SEE(lock(fd, F_SETLK, F_WRLCK, 5, -5));
    SEE(syscall(SYS_fcntl, fd, F_SETLK, 16));
    SEE(syscall(SYS_fcntl, 99, F_SETLK, 16));
    SEE(lock(reader, F_SETLK, F_WRLCK, 0, 0));
    SEE(lock(writer, F_SETLK, F_RDLCK, 0, 0));
    SEE(lock(reader, F_SETLKW, F_WRLCK, 0, 0));
    SEE(lock(reader, F_SETLK, F_UNLCK, 0, 0));
}

RULE(range_ends, "F_SETLK(2const)", "a range up to the largest offset is one to the end; beyond it EOVERFLOW")
{
    int fd = open_file(), other = open_file();
    struct flock found;
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, INT64_MAX, 1));
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, INT64_MAX, 2));
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, 100, INT64_MAX - 99));
    found = in_the_way(other, F_OFD_GETLK, F_WRLCK);
    show("held", &found);
}

RULE(getlk, "F_GETLK(2const)", "it tells one lock that is in the way, its owner and its range from the start; F_UNLCK for none")
{
    int fd = open_file();
    pid_t me = getpid();
    lseek(fd, 10, SEEK_SET);
    struct flock from_here = {.l_type = F_RDLCK, .l_whence = SEEK_CUR, .l_start = 5, .l_len = -3};
    SEE(fcntl(fd, F_SETLK, &from_here));
    CHILD(child)
    {
        if (child == 0) {
            int mine = open_file();
            struct flock found = in_the_way(mine, F_GETLK, F_WRLCK);
            show("to write", &found);
            SEE_WHETHER(found.l_pid == me);
            found = in_the_way(mine, F_GETLK, F_RDLCK);
            observed("to read", "%s", found.l_type == F_UNLCK ? "free" : "locked");
            continue;
        }
        await(child);
    }
    from_here.l_type = F_UNLCK;
    SEE(fcntl(fd, F_GETLK, &from_here));
}

RULE(ranges_split, "F_SETLK(2const)", "unlocking the middle leaves two locks, setting it again one; the type of a part can change")
{
    int fd = open_file(), other = open_file();
    struct flock found;
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 30));
    SEE(lock(fd, F_OFD_SETLK, F_UNLCK, 10, 10));
    found = in_the_way(other, F_OFD_GETLK, F_WRLCK);
    show("the first", &found);
    SEE(lock(other, F_OFD_SETLK, F_WRLCK, 10, 10));
    SEE(lock(other, F_OFD_SETLK, F_UNLCK, 0, 0));
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, 10, 10));
    found = in_the_way(other, F_OFD_GETLK, F_WRLCK);
    show("joined", &found);
    SEE(lock(fd, F_OFD_SETLK, F_RDLCK, 0, 5));
    found = in_the_way(other, F_OFD_GETLK, F_RDLCK);
    show("what is still in the way of a reader", &found);
}

RULE(records_of_a_process, "F_SETLK(2const)", "a process does not meet its own locks, by whatever number; a child does, and has none of its own")
{
    int fd = open_file(), other = open_file();
    SEE(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    SEE(lock(other, F_SETLK, F_WRLCK, 5, 10));
    CHILD(child)
    {
        if (child == 0) {
            SEE(lock(fd, F_SETLK, F_WRLCK, 0, 10));
            SEE(lock(fd, F_SETLK, F_WRLCK, 20, 10));
            continue;
        }
        await(child);
    }
}

RULE(any_close_drops_them, "F_SETLK(2const)", "closing any number of the file drops all locks of the process, and who waits goes on")
{
    int fd = open_file();
    SEE(lock(fd, F_SETLK, F_WRLCK, 0, 0));
    CHILD(child)
    {
        if (child == 0) {
            SEE(lock(open_file(), F_SETLKW, F_WRLCK, 0, 0));
            continue;
        }
        until_asleep(child);
        close(open_file());
        await(child);
    }
}

RULE(records_over_exec, "F_SETLK(2const)", "the locks of a process stay over execve")
{
    int fd = open_file(), input[2], executed[2];
    char byte;
    if (pipe(input) < 0 || pipe2(executed, O_CLOEXEC) < 0)
        cannot_start("pipe");
    CHILD(child)
    {
        if (child == 0) {
            lock(fd, F_SETLK, F_WRLCK, 0, 0);
            dup2(input[0], 0);
            close(input[0]), close(input[1]);
            execlp("cat", "cat", NULL);
            _exit(1);
        }
        close(executed[1]);
        SEE(read(executed[0], &byte, 1));
        SEE(lock(fd, F_SETLK, F_WRLCK, 0, 0));
        close(input[1]);
        SEE(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
        await(child);
    }
}

RULE(deadlock, "F_SETLK(2const)", "EDEADLK for the wait that closes a circle")
{
    int fd = open_file();
    lock(fd, F_SETLK, F_WRLCK, 0, 1);
    CHILD(child)
    {
        if (child == 0) {
            int mine = open_file();
            lock(mine, F_SETLK, F_WRLCK, 1, 1);
            SEE(lock(mine, F_SETLKW, F_WRLCK, 0, 1));
            continue;
        }
        until_asleep(child);
        SEE(lock(fd, F_SETLKW, F_WRLCK, 1, 1));
        lock(fd, F_SETLK, F_UNLCK, 0, 0);
        await(child);
    }
}

RULE(record_interrupted, "F_SETLK(2const)", "F_SETLKW ends with EINTR; it is EAGAIN without waiting")
{
    int fd = open_file(), other = open_file();
    lock(other, F_OFD_SETLK, F_WRLCK, 0, 1);
    SEE_BLOCKED(lock(fd, F_SETLKW, F_RDLCK, 0, 0));
    SEE_BLOCKED(lock(fd, F_OFD_SETLKW, F_RDLCK, 0, 0));
    SEE(lock(fd, F_SETLK, F_RDLCK, 0, 0));
    SEE(lock(fd, F_OFD_SETLK, F_RDLCK, 0, 0));
    SEE(lock(fd, F_SETLKW, F_RDLCK, 1, 0));
}

RULE(ofd_locks, "F_OFD_SETLK(2const)", "they belong to the description: duplicates share them, another one of the process meets them")
{
    int fd = open_file(), copy = dup(fd), other = open_file();
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 5));
    SEE(lock(copy, F_OFD_SETLK, F_RDLCK, 2, 3));
    SEE(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0));
    SEE(lock(other, F_SETLK, F_WRLCK, 0, 0));
    SEE(close(fd));
    SEE(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0));
    SEE(close(copy));
    SEE(lock(other, F_OFD_SETLK, F_WRLCK, 0, 0));
}

RULE(ofd_pid, "F_OFD_GETLK(2const)", "l_pid has to be 0: EINVAL; the owner of an OFD lock is told as -1")
{
    int fd = open_file(), other = open_file();
    struct flock wanted = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_pid = 1};
    SEE(fcntl(fd, F_OFD_SETLK, &wanted));
    SEE(fcntl(fd, F_OFD_GETLK, &wanted));
    SEE(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 0));
    struct flock found = in_the_way(other, F_GETLK, F_WRLCK);
    SEE(found.l_pid == -1);
    found = in_the_way(other, F_OFD_GETLK, F_WRLCK);
    SEE(found.l_pid == -1);
}

RULE(ofd_wait, "F_OFD_SETLK(2const)", "one who waits for a description's lock has it when a child has dropped it")
{
    int fd = open_file(), other = open_file();
    pid_t me = getpid();
    lock(fd, F_OFD_SETLK, F_WRLCK, 0, 5);
    CHILD(child)
    {
        if (child == 0) {
            until_asleep(me);
            _exit(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
        }
        SEE(lock(other, F_OFD_SETLKW, F_WRLCK, 0, 0));
        await(child);
    }
}
