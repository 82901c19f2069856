/* splice(2), tee(2), vmsplice(2), sendfile(2): bytes from file to file, between FIFOs, sockets and files on disk. */
#include "contract.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

static char bytes[1 << 16];
static int pair[2];

/* A FIFO open for both ways. */
static int fifo(const char *name)
{
    mkfifo(name, 0600);
    int fd = open(name, O_RDWR);
    if (fd < 0)
        cannot_start("mkfifo");
    return fd;
}

static void sockets(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        cannot_start("socketpair");
}

static int file_of(const char *content)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, content, strlen(content)) < 0)
        cannot_start("open");
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void flags(int fd, int set, int clear)
{
    fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) | set) & ~clear);
}

static void fill(int fd)
{
    flags(fd, O_NONBLOCK, 0);
    while (write(fd, bytes, 4096) > 0)
        ;
    flags(fd, 0, O_NONBLOCK);
}

static int unread(int fd)
{
    int count = -1;
    ioctl(fd, FIONREAD, &count);
    return count;
}

RULE(splice_order, "splice(2)", "a length of 0 is 0 before all; then EINVAL for unknown flags, EBADF, EINVAL without a pipe")
{
    int first = fifo("first"), file = file_of("content");
    SEE(splice(99, NULL, 99, NULL, 0, 0));
    SEE(splice(99, NULL, 99, NULL, 1, 64));
    SEE(splice(99, NULL, first, NULL, 1, 0));
    SEE(splice(first, NULL, 99, NULL, 1, 0));
    SEE(splice(file, NULL, file, NULL, 1, 0));
    SEE(splice(first, NULL, first, NULL, 1, 0));
    SEE(splice(eventfd(0, 0), NULL, first, NULL, 8, 0));
    SEE(splice(open("file", O_WRONLY), NULL, first, NULL, 1, 0));
    SEE(splice(open("first", O_WRONLY), NULL, file, NULL, 1, 0));
}

RULE(splice_offsets, "splice(2)", "ESPIPE for an offset of a pipe; one of a file is used and moved, the file's own is not")
{
    int first = fifo("first"), file = file_of("content");
    long long offset = 3;
    SEE(syscall(SYS_splice, first, &offset, file, NULL, 1, 0));
    SEE(syscall(SYS_splice, file, &offset, first, NULL, 2, 0));
    SEE(offset);
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(splice(file, NULL, first, NULL, 100, 0));
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(read(first, bytes, 64));
    observed("got", "%.9s", bytes);
    SEE(syscall(SYS_splice, file, 16, first, NULL, 2, 0));
    SEE(splice(file, NULL, first, NULL, 100, 0));
}

RULE(splice_to_append, "splice(2)", "EINVAL for a file that is appended to")
{
    int first = fifo("first"), file = file_of("x");
    write(first, "ab", 2);
    flags(file, O_APPEND, 0);
    SEE(splice(first, NULL, file, NULL, 2, 0));
    flags(file, 0, O_APPEND);
    SEE(splice(first, NULL, file, NULL, 2, 0));
}

RULE(splice_moves, "splice(2)", "bytes leave the first pipe; no more are moved than there are")
{
    int first = fifo("first"), second = fifo("second");
    SEE(write(first, "some", 4));
    SEE(splice(first, NULL, second, NULL, 100, 0));
    SEE(unread(first));
    SEE(read(second, bytes, 64));
    sockets();
    SEE(write(pair[0], "more", 4));
    SEE(splice(pair[1], NULL, second, NULL, 3, 0));
    SEE(splice(second, NULL, pair[1], NULL, 100, 0));
    SEE(read(pair[0], bytes, 64));
    SEE(read(pair[1], bytes, 64));
}

RULE(splice_waits, "splice(2)", "it waits for bytes and for room; SPLICE_F_NONBLOCK, or O_NONBLOCK of a pipe, is EAGAIN")
{
    int first = fifo("first"), second = fifo("second");
    SEE_BLOCKED(splice(first, NULL, second, NULL, 100, 0));
    SEE(splice(first, NULL, second, NULL, 100, SPLICE_F_NONBLOCK));
    flags(first, O_NONBLOCK, 0);
    SEE(splice(first, NULL, second, NULL, 100, 0));
    flags(first, 0, O_NONBLOCK);
    write(first, "some", 4);
    fill(second);
    SEE_BLOCKED(splice(first, NULL, second, NULL, 100, 0));
    SEE(splice(first, NULL, second, NULL, 100, SPLICE_F_NONBLOCK));
    SEE(unread(first));
}

RULE(splice_woken, "splice(2)", "one that waits goes on when bytes come, or room")
{
    int first = fifo("first"), second = fifo("second");
    pid_t child = fork();
    if (child == 0) {
        SEE(splice(first, NULL, second, NULL, 100, 0));
        _exit(0);
    }
    until_asleep(child);
    write(first, "some", 4);
    waitpid(child, NULL, 0);
    SEE(unread(second));
    fill(second);
    write(first, "more", 4);
    child = fork();
    if (child == 0) {
        SEE(splice(first, NULL, second, NULL, 100, 0));
        _exit(0);
    }
    until_asleep(child);
    read(second, bytes, sizeof bytes);
    waitpid(child, NULL, 0);
}

RULE(splice_ends, "splice(2)", "0 when no writer is left; EPIPE and SIGPIPE without a reader")
{
    signal(SIGPIPE, SIG_IGN);
    mkfifo("fifo", 0600);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer = open("fifo", O_WRONLY), second = fifo("second");
    flags(reader, 0, O_NONBLOCK);
    SEE(write(writer, "last", 4));
    close(writer);
    SEE(splice(reader, NULL, second, NULL, 100, 0));
    SEE(splice(reader, NULL, second, NULL, 100, 0));
    writer = open("fifo", O_WRONLY);
    close(reader);
    SEE(splice(second, NULL, writer, NULL, 100, 0));
}

RULE(tee_copies, "tee(2)", "bytes stay in the first pipe; 0 when no writer is left; EINVAL for one pipe twice and other files")
{
    int first = fifo("first"), second = fifo("second"), file = file_of("x");
    SEE(tee(99, 99, 0, 0));
    SEE(tee(99, 99, 1, 0));
    SEE(tee(first, first, 1, 0));
    SEE(tee(first, file, 1, 0));
    SEE(tee(first, second, 1, 64));
    SEE(tee(first, second, 1, SPLICE_F_NONBLOCK));
    SEE_BLOCKED(tee(first, second, 1, 0));
    SEE(write(first, "some", 4));
    SEE(tee(first, second, 3, 0));
    SEE(unread(first));
    SEE(read(second, bytes, 64));
}

RULE(vmsplice_both_ways, "vmsplice(2)", "the way is that of the pipe's end; EBADF for another file, EINVAL for flags and too many pieces")
{
    struct iovec vector = {bytes, 5};
    int first = fifo("first");
    int reader = open("first", O_RDONLY), writer = open("first", O_WRONLY);
    memcpy(bytes, "given", 5);
    SEE(vmsplice(writer, &vector, 1, 0));
    SEE(read(reader, bytes + 8, 2));
    observed("got", "%.2s", bytes + 8);
    SEE(vmsplice(reader, &(struct iovec){bytes + 16, 8}, 1, 0));
    observed("got", "%.3s", bytes + 16);
    SEE(vmsplice(writer, &vector, 1, 64));
    SEE(vmsplice(writer, &vector, 1025, 0));
    SEE(vmsplice(writer, &vector, 0, 0));
    SEE(vmsplice(eventfd(0, 0), &vector, 1, 0));
    SEE(vmsplice(file_of("x"), &vector, 1, 0));
    SEE(vmsplice(99, &vector, 1, 0));
    SEE(vmsplice(reader, &vector, 1, SPLICE_F_NONBLOCK));
    close(first);
}

RULE(sendfile_order, "sendfile(2)", "EBADF for either; EFAULT for a bad offset first; EINVAL for a negative one and for what cannot be mapped")
{
    int file = file_of("content");
    off_t offset = -1;
    sockets();
    SEE(sendfile(99, file, NULL, 1));
    SEE(sendfile(pair[0], 99, NULL, 1));
    SEE(syscall(SYS_sendfile, 99, 99, 16, 1));
    SEE(sendfile(pair[0], file, &offset, 1));
    SEE(sendfile(pair[0], pair[1], NULL, 1));
    SEE(sendfile(file, file, NULL, 0));
    SEE(sendfile(open("file", O_RDONLY), file, NULL, 1));
    SEE(sendfile(pair[0], open("file", O_WRONLY), NULL, 1));
}

RULE(sendfile_moves, "sendfile(2)", "an offset is moved in place of the file's own; it ends at the end of the file")
{
    int file = file_of("content");
    off_t offset = 4;
    sockets();
    SEE(sendfile(pair[0], file, &offset, 2));
    SEE(offset);
    SEE(sendfile(pair[0], file, &offset, 100));
    SEE(sendfile(pair[0], file, &offset, 100));
    SEE(sendfile(pair[0], file, NULL, 3));
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(read(pair[1], bytes, 64));
    observed("got", "%.6s", bytes);
}

RULE(sendfile_waits, "sendfile(2)", "to a socket without room it waits, EAGAIN with O_NONBLOCK")
{
    since(6, 5);
    int file = file_of("content");
    sockets();
    fill(pair[0]);
    SEE_BLOCKED(sendfile(pair[0], file, NULL, 7));
    flags(pair[0], O_NONBLOCK, 0);
    SEE(sendfile(pair[0], file, NULL, 7));
    SEE(lseek(file, 0, SEEK_CUR));
}
