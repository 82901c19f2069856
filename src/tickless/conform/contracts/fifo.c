/* fifo(7), open(2): which opens wait for the other end, what ends the wait, and what the open file is then. */
#include "contract.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static char bytes[64];

static void make(void)
{
    if (mkfifo("fifo", 0600) < 0)
        cannot_start("mkfifo");
}

static const char *readiness(int fd)
{
    struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
    poll(&entry, 1, 0);
    return events_name(entry.revents);
}

/* A child opens the FIFO when this process sleeps, and keeps it open until it sleeps again or has gone on. */
static pid_t opener(int flags)
{
    pid_t parent = getpid(), child = fork();
    if (child)
        return child;
    until_asleep(parent);
    int fd = open("fifo", flags);
    if (fd >= 0)
        until_asleep(parent);
    _exit(fd < 0);
}

static void met(int flags, int others)
{
    pid_t child = opener(others);
    int fd = open("fifo", flags), status;
    observed("open", "%s", fd >= 0 ? "done" : errno_name(errno));
    waitpid(child, &status, 0);
    observed("the other", "%s", status_name(status));
    close(fd);
}

RULE(reader_waits, "fifo(7)", "an open to read waits for a writer")
{
    make();
    SEE_BLOCKED(open("fifo", O_RDONLY));
    met(O_RDONLY, O_WRONLY);
}

RULE(writer_waits, "fifo(7)", "an open to write waits for a reader, creat too")
{
    make();
    SEE_BLOCKED(open("fifo", O_WRONLY));
    SEE_BLOCKED(creat("fifo", 0600));
    met(O_WRONLY, O_RDONLY);
    met(O_WRONLY | O_CREAT | O_TRUNC, O_RDONLY);
}

RULE(both_ways, "fifo(7)", "an open for both ways never waits, and meets who does")
{
    make();
    SEE(open("fifo", O_RDWR));
    close(3);
    met(O_RDONLY, O_RDWR);
    met(O_WRONLY, O_RDWR);
}

RULE(without_waiting, "fifo(7)", "with O_NONBLOCK a reader is there at once, a writer without one is ENXIO")
{
    make();
    SEE(open("fifo", O_WRONLY | O_NONBLOCK));
    SEE(open("fifo", O_RDONLY | O_NONBLOCK));
    SEE(open("fifo", O_WRONLY | O_NONBLOCK));
    SEE(open("fifo", O_WRONLY));
}

RULE(reader_without_waiting, "fifo(7)", "a writer that waits meets a reader that does not")
{
    make();
    met(O_WRONLY, O_RDONLY | O_NONBLOCK);
}

RULE(a_writer_that_has_left, "fifo(7)", "a writer that has come and gone ends the wait all the same; its reader reads 0")
{
    make();
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        until_asleep(parent);
        _exit(close(open("fifo", O_WRONLY)));
    }
    int fd = open("fifo", O_RDONLY);
    SEE(fd);
    waitpid(child, NULL, 0);
    SEE(read(fd, bytes, 1));
    observed("readiness", "%s", readiness(fd));
}

RULE(never_written, "fifo(7)", "a reader that never had a writer: no HUP, but a read gives 0 at once")
{
    make();
    int fd = open("fifo", O_RDONLY | O_NONBLOCK);
    observed("readiness", "%s", readiness(fd));
    SEE(read(fd, bytes, 1));
    fcntl(fd, F_SETFL, 0);
    SEE(read(fd, bytes, 1));
    int writer = open("fifo", O_WRONLY);
    observed("with a writer", "%s and %s", readiness(fd), readiness(writer));
    SEE_BLOCKED(read(fd, bytes, 1));
    close(writer);
    observed("without it", "%s", readiness(fd));
    writer = open("fifo", O_WRONLY);
    observed("with another", "%s", readiness(fd));
}

RULE(two_opens, "fifo(7)", "each open is a description of its own, with its own flags and position in nothing")
{
    make();
    int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer = open("fifo", O_WRONLY | O_APPEND);
    int other = open("fifo", O_RDONLY | O_CLOEXEC);
    SEE_WHETHER(fcntl(writer, F_GETFL) & O_APPEND);
    SEE_WHETHER(fcntl(other, F_GETFL) & O_NONBLOCK);
    SEE(fcntl(other, F_GETFD));
    SEE(write(writer, "some", 4));
    SEE(read(other, bytes, 2));
    SEE(read(reader, bytes, 64));
    SEE(read(reader, bytes, 64));
    SEE(lseek(reader, 0, SEEK_CUR));
    SEE(fcntl(reader, F_GETPIPE_SZ));
}

RULE(forgets, "fifo(7)", "what nobody has read is gone with the last close")
{
    make();
    int both = open("fifo", O_RDWR | O_NONBLOCK), waiting = -1;
    SEE(write(both, "lost", 4));
    SEE(ioctl(both, FIONREAD, &waiting));
    SEE(waiting);
    close(both);
    both = open("fifo", O_RDWR | O_NONBLOCK);
    SEE(read(both, bytes, 64));
}

RULE(broken, "fifo(7)", "a write without a reader is EPIPE, and works again when one comes")
{
    signal(SIGPIPE, SIG_IGN);
    make();
    int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer = open("fifo", O_WRONLY);
    close(reader);
    observed("readiness", "%s", readiness(writer));
    SEE(write(writer, "x", 1));
    reader = open("fifo", O_RDONLY | O_NONBLOCK);
    SEE(write(writer, "x", 1));
    SEE(read(reader, bytes, 64));
}

RULE(another_name, "fifo(7)", "a wait is for the file, whatever becomes of its name")
{
    make();
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        until_asleep(parent);
        link("fifo", "same");
        unlink("fifo");
        mkfifo("fifo", 0600);
        int fd = open("same", O_WRONLY);
        until_asleep(parent);
        _exit(fd < 0);
    }
    SEE(open("fifo", O_RDONLY));
    waitpid(child, NULL, 0);
}

RULE(through_a_link, "fifo(7)", "a symbolic link is followed, and waits; O_NOFOLLOW is ELOOP, O_PATH opens without waiting")
{
    make();
    SEE(symlink("fifo", "link"));
    SEE_BLOCKED(open("link", O_RDONLY));
    SEE(open("link", O_RDONLY | O_NOFOLLOW));
    SEE(open("fifo", O_RDONLY | O_DIRECTORY));
    SEE(open("fifo", O_CREAT | O_EXCL | O_WRONLY, 0600));
    SEE(open("fifo", O_PATH));
}

RULE(restarted, "fifo(7)", "a handler ends the wait of an open with EINTR; with SA_RESTART it goes on")
{
    make();
    pid_t parent = getpid();
    count_signal(SIGUSR1, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        until_asleep(parent);
        kill(parent, SIGUSR1);
        until_asleep(parent);
        int fd = open("fifo", O_WRONLY);
        until_asleep(parent);
        _exit(fd < 0);
    }
    SEE(open("fifo", O_RDONLY));
    SEE(signals_counted);
    waitpid(child, NULL, 0);
}

RULE(permissions, "fifo(7)", "EACCES for whom the mode forbids it, before anybody waits")
{
    make();
    SEE(chmod("fifo", 0));
    if (getuid() == 0 && (setgid(65534) || setuid(65534)))
        cannot_start("setuid");
    SEE(open("fifo", O_RDONLY));
    SEE(open("fifo", O_WRONLY));
}

RULE(several_readers, "fifo(7)", "one writer lets all readers that wait go on")
{
    make();
    pid_t readers[2];
    int opened = eventfd(0, EFD_SEMAPHORE);
    for (int i = 0; i < 2; i++) {
        readers[i] = fork();
        if (readers[i] == 0)
            _exit(open("fifo", O_RDONLY) < 0 || write(opened, &(uint64_t){1}, 8) != 8);
        until_asleep(readers[i]);
    }
    SEE(open("fifo", O_WRONLY));
    SEE(read(opened, bytes, 8));
    SEE(read(opened, bytes, 8));
    for (int i = 0; i < 2; i++)
        waitpid(readers[i], NULL, 0);
}

RULE(last_page, "pipe(7)", "a write that fits behind the bytes in the last page of a full FIFO does not wait, though poll says no")
{
    static char page[4000];
    make();
    int fd = open("fifo", O_RDWR | O_NONBLOCK);
    while (write(fd, page, sizeof page) > 0)
        ;
    fcntl(fd, F_SETFL, O_RDWR);
    observed("ready for", "%s", readiness(fd));
    SEE_BLOCKED(write(fd, page, 50));
    SEE_BLOCKED(write(fd, page, 50));
    SEE_BLOCKED(write(fd, page, 46));
    SEE_BLOCKED(write(fd, page, 0));
}
