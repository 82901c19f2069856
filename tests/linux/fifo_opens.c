/* fifo(7): which opens wait for the other end, what ends the wait, and what the open file is then. */
#define _GNU_SOURCE
#include "waiting.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

/* Run `open(path, flags)` in a child after a unit, keep it open for another. */
static void open_later(const char *path, int flags)
{
    restart_clock();
    if (fork() == 0) {
        nap(1);
        int fd = open(path, flags);
        if (fd >= 0)
            nap(1);
        _exit(fd < 0);
    }
}

static void opened(const char *what, int fd)
{
    tell(what, fd);
    wait(NULL);
    close(fd);
}

static void meetings(void)
{
    open_later("fifo", O_WRONLY);
    opened("a reader waits for a writer", open("fifo", O_RDONLY));
    open_later("fifo", O_RDONLY);
    opened("a writer waits for a reader", open("fifo", O_WRONLY));
    open_later("fifo", O_RDWR);
    opened("a reader meets both ends at once", open("fifo", O_RDONLY));
    open_later("fifo", O_RDONLY | O_NONBLOCK);
    opened("a writer meets a reader that does not wait", open("fifo", O_WRONLY));
    open_later("fifo", O_RDONLY);
    opened("creat waits as well", creat("fifo", 0600));
    restart_clock();
    opened("both ends at once never wait", open("fifo", O_RDWR));
    opened("a reader need not wait", open("fifo", O_RDONLY | O_NONBLOCK));
    opened("a writer that need not wait fails", open("fifo", O_WRONLY | O_NONBLOCK));
}

static void a_writer_that_comes_and_goes(void)
{
    restart_clock();
    if (fork() == 0) {
        nap(1);
        close(open("fifo", O_WRONLY));
        _exit(0);
    }
    int fd = tell("a writer that has left counts", open("fifo", O_RDONLY));
    char byte;
    printf("its reader reads %zd\n", read(fd, &byte, 1));
    close(fd);
    wait(NULL);
}

static void with_the_other_end_open(void)
{
    restart_clock();
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    int writer = tell("with a reader", open("fifo", O_WRONLY));
    int other = tell("with a writer", open("fifo", O_RDONLY | O_CLOEXEC));
    printf("flags %o %o, close-on-exec %d %d\n", fcntl(writer, F_GETFL), fcntl(other, F_GETFL),
           fcntl(writer, F_GETFD), fcntl(other, F_GETFD));
    printf("written %zd\n", write(writer, "some", 4));
    char bytes[8];
    printf("read %zd\n", read(other, bytes, sizeof bytes));
    close(writer);
    printf("end of file: %zd\n", read(other, bytes, sizeof bytes));
    struct pollfd fds = {reader, POLLIN, 0};
    poll(&fds, 1, 0);
    printf("events %d\n", fds.revents);
    close(reader);
    close(other);
}

static void another_name(void)
{
    restart_clock();
    if (fork() == 0) {
        nap(1);
        link("fifo", "same");
        unlink("fifo");
        mkfifo("fifo", 0600);
        nap(1);
        _exit(open("same", O_WRONLY) < 0);
    }
    opened("the open is for the file, whatever its name", open("fifo", O_RDONLY));
}

static void interruptions(void)
{
    alarm_soon(0);
    tell("a handler interrupts it", open("fifo", O_RDONLY));
    alarm_soon(SA_RESTART);
    if (fork() == 0) {
        nap(2);
        _exit(open("fifo", O_WRONLY) < 0);
    }
    opened("with SA_RESTART it goes on", open("fifo", O_RDONLY));
}

static void without_permission(void)
{
    chmod("fifo", 0);
    restart_clock();
    if (geteuid() == 0 && (setegid(65534) || seteuid(65534)))
        return;
    tell("a reader without permission", open("fifo", O_RDONLY));
    tell("a writer without permission", open("fifo", O_WRONLY));
}

int main(void)
{
    mkfifo("fifo", 0600);
    meetings();
    a_writer_that_comes_and_goes();
    with_the_other_end_open();
    another_name();
    interruptions();
    without_permission();
    return 0;
}
