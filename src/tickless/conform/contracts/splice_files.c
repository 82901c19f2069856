/* splice(2), tee(2), sendfile(2): bytes between a pipe of pipe(2) and files, sockets and FIFOs. */
#include "contract.h"
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { PAGE = 4096, PIPE_SIZE = 16 * PAGE };

static char bytes[1 << 20];
static int ends[2], pair[2];
static volatile sig_atomic_t broken;

static void note(int signo)
{
    broken = signo;
}

static void new_pipe(void)
{
    if (pipe(ends) < 0)
        cannot_start("pipe");
}

static void sockets(void)
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        cannot_start("socketpair");
}

/* A TCP connection. */
static void connection(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0)
        cannot_start("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(pair[0], (struct sockaddr *)&address, length) < 0)
        cannot_start("connect");
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
}

static int file_of(const char *content, int flags)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, content, strlen(content)) < 0)
        cannot_start("open");
    close(fd);
    return open("file", flags);
}

static int fifo(void)
{
    mkfifo("fifo", 0600);
    return open("fifo", O_RDWR);
}

static void flags(int fd, int set, int clear)
{
    fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) | set) & ~clear);
}

static int fill(int fd)
{
    int done = 0, count;
    flags(fd, O_NONBLOCK, 0);
    while ((count = write(fd, bytes, PAGE)) > 0)
        done += count;
    flags(fd, 0, O_NONBLOCK);
    return done;
}

static int unread(int fd)
{
    int count = -1;
    ioctl(fd, FIONREAD, &count);
    return count;
}

RULE(order, "splice(2)", "what a file is refused for comes before the pipe is looked at: EBADF, EINVAL, EFAULT, ESPIPE")
{
    off_t offset = -1, good = 3;
    int file = file_of("content", O_RDWR), appended = file_of("content", O_RDWR | O_APPEND);
    new_pipe();
    SEE(splice(ends[0], NULL, file_of("", O_RDONLY), NULL, 1, 0));
    SEE(splice(file_of("", O_WRONLY), NULL, ends[1], NULL, 1, 0));
    SEE(splice(ends[0], NULL, appended, NULL, 1, 0));
    SEE(splice(ends[0], NULL, file, &offset, 1, 0));
    SEE(splice(file, &offset, ends[1], NULL, 1, 0));
    SEE(splice(file, &good, ends[1], &good, 1, 0));
    SEE(splice(ends[0], &good, file, &good, 1, 0));
    SEE(syscall(SYS_splice, ends[0], NULL, file, 16, 1, 0));
    SEE(syscall(SYS_splice, file, 16, ends[1], NULL, 1, 0));
    SEE(splice(ends[1], NULL, file, NULL, 1, 0));
    SEE(splice(file, NULL, ends[0], NULL, 1, 0));
    sockets();
    SEE(splice(ends[0], NULL, pair[0], &good, 1, 0));
    SEE(splice(pair[0], &good, ends[1], NULL, 1, 0));
    SEE(tee(ends[0], file, 1, 0));
    SEE(tee(pair[0], ends[1], 1, 0));
    SEE(splice(open(".", O_RDONLY), NULL, ends[1], NULL, 1, 0));
}

RULE(offsets, "splice(2)", "an offset is used and moved, the file's own is not; without one it is")
{
    off_t offset = 2;
    int file = file_of("content", O_RDWR);
    new_pipe();
    SEE(splice(file, &offset, ends[1], NULL, 3, 0));
    SEE(offset);
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(splice(file, NULL, ends[1], NULL, 100, 0));
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(splice(file, NULL, ends[1], NULL, 100, 0));
    offset = 10;
    SEE(splice(ends[0], NULL, file, &offset, 4, 0));
    SEE(offset);
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(splice(ends[0], NULL, file, NULL, 100, 0));
    SEE(pread(file, bytes, 100, 0));
    for (int i = 0; i < 20; i++)
        bytes[i] = bytes[i] ? bytes[i] : '0';
    observed("got", "%.20s", bytes);
}

RULE(room, "splice(2)", "a file gives as much as fits; a full pipe is waited for, or EAGAIN")
{
    int file = open("big", O_RDWR | O_CREAT, 0600);
    ftruncate(file, 4 * PIPE_SIZE);
    new_pipe();
    SEE(splice(file, NULL, ends[1], NULL, 2 * PIPE_SIZE, 0));
    SEE(lseek(file, 0, SEEK_CUR));
    SEE_BLOCKED(splice(file, NULL, ends[1], NULL, 1, 0));
    SEE(splice(file, NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK));
    SEE_BLOCKED(sendfile(ends[1], file, NULL, 1));
    flags(ends[1], O_NONBLOCK, 0);
    SEE(sendfile(ends[1], file, NULL, 1));
    fcntl(ends[1], F_SETPIPE_SZ, 4 * PIPE_SIZE);
    SEE(splice(file, NULL, ends[1], NULL, 4 * PIPE_SIZE, 0));
    int target = open("target", O_RDWR | O_CREAT, 0600);
    SEE(splice(ends[0], NULL, target, NULL, 4 * PIPE_SIZE, 0));
    SEE(unread(ends[0]));
    SEE(splice(ends[0], NULL, target, NULL, 1, SPLICE_F_NONBLOCK));
    SEE_BLOCKED(splice(ends[0], NULL, target, NULL, 1, 0));
    close(ends[1]);
    SEE(splice(ends[0], NULL, target, NULL, 1, 0));
}

RULE(sendfile_to_a_pipe, "sendfile(2)", "as much of the file as fits; ESPIPE, EINVAL, EBADF before that; from a pipe EINVAL")
{
    off_t offset = 3, before = -1;
    int file = file_of("content", O_RDWR);
    new_pipe();
    sockets();
    SEE(sendfile(ends[1], file, &offset, 2));
    SEE(offset);
    SEE(sendfile(ends[1], file, NULL, 100));
    SEE(lseek(file, 0, SEEK_CUR));
    SEE(sendfile(ends[1], file, NULL, 100));
    SEE(sendfile(ends[1], file, &before, 1));
    SEE(sendfile(ends[1], pair[0], &offset, 1));
    SEE(sendfile(ends[1], ends[0], &offset, 1));
    SEE(sendfile(ends[1], ends[0], NULL, 1));
    SEE(sendfile(file, ends[0], NULL, 1));
    SEE(sendfile(pair[0], ends[0], NULL, 1));
    SEE(sendfile(file_of("", O_RDONLY), ends[0], NULL, 1));
    SEE(sendfile(ends[1], file_of("", O_WRONLY), NULL, 1));
    SEE(sendfile(ends[0], file, NULL, 1));
    SEE(sendfile(file, ends[1], NULL, 1));
    SEE(syscall(SYS_sendfile, ends[1], file, 16, 1));
    SEE(read(ends[0], bytes, 100));
    observed("got", "%.9s", bytes);
}

static void both_ways(void)
{
    new_pipe();
    SEE(write(pair[0], "from a socket", 13));
    SEE(splice(pair[1], NULL, ends[1], NULL, 6, 0));
    SEE(splice(pair[1], NULL, ends[1], NULL, 100, 0));
    SEE(splice(ends[0], NULL, pair[1], NULL, 7, 0));
    SEE(splice(ends[0], NULL, pair[1], NULL, 100, 0));
    SEE(recv(pair[0], bytes, 13, MSG_WAITALL));
    observed("got", "%.13s", bytes);
    SEE_BLOCKED(splice(pair[1], NULL, ends[1], NULL, 1, 0));
    flags(pair[1], O_NONBLOCK, 0);
    SEE(splice(pair[1], NULL, ends[1], NULL, 1, 0));
    flags(pair[1], 0, O_NONBLOCK);
    shutdown(pair[0], SHUT_WR);
    SEE(splice(pair[1], NULL, ends[1], NULL, 1, 0));
}

RULE(unix_sockets, "splice(2)", "from and to a unix socket; SPLICE_F_NONBLOCK is EAGAIN")
{
    sockets();
    both_ways();
    sockets();
    SEE(splice(pair[1], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK));
}

RULE(tcp_sockets, "splice(2)", "from and to a TCP socket, which waits even with SPLICE_F_NONBLOCK")
{
    connection();
    both_ways();
    connection();
    SEE_BLOCKED(splice(pair[1], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK));
}

RULE(socket_room, "splice(2)", "a socket without room is waited for whatever the flags; O_NONBLOCK of it is EAGAIN")
{
    since(6, 5);
    sockets();
    new_pipe();
    fill(pair[0]);
    write(ends[1], "some", 4);
    SEE_BLOCKED(splice(ends[0], NULL, pair[0], NULL, 4, SPLICE_F_NONBLOCK));
    flags(pair[0], O_NONBLOCK, 0);
    SEE(splice(ends[0], NULL, pair[0], NULL, 4, 0));
    SEE(unread(ends[0]));
    signal(SIGPIPE, note);
    close(pair[1]);
    SEE(splice(ends[0], NULL, pair[0], NULL, 4, 0));
    SEE(broken == SIGPIPE);
    SEE(unread(ends[0]));
}

RULE(all_of_it, "splice(2)", "a socket takes all that was in the pipe, though it has room for a part at first")
{
    since(6, 5);
    int size = 1 << 12;
    sockets();
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    new_pipe();
    SEE(fill(ends[1]));
    pid_t child = fork();
    if (child == 0) {
        SEE(splice(ends[0], NULL, pair[0], NULL, 2 * PIPE_SIZE, 0));
        _exit(0);
    }
    until_asleep(child);
    SEE(recv(pair[1], bytes, PIPE_SIZE, MSG_WAITALL));
    int status;
    waitpid(child, &status, 0);
    SEE(unread(ends[0]));
}

RULE(woken, "splice(2)", "one that waits for a socket goes on when bytes come, when there is an end, and with EAGAIN after SO_RCVTIMEO")
{
    connection();
    new_pipe();
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        if (child == 0) {
            SEE(splice(pair[1], NULL, ends[1], NULL, 100, 0));
            _exit(0);
        }
        until_asleep(child);
        i ? shutdown(pair[0], SHUT_WR) : write(pair[0], "some", 4);
        waitpid(child, NULL, 0);
    }
    struct timeval limit = {.tv_usec = 20000};
    connection();
    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    SEE(splice(pair[1], NULL, ends[1], NULL, 100, 0));
}

RULE(fifos, "splice(2)", "a FIFO and a pipe are two pipes: nothing waits for more, tee copies, offsets are ESPIPE")
{
    off_t offset = 0;
    int named = fifo();
    new_pipe();
    write(named, "fifo", 4);
    SEE(tee(named, ends[1], 2, 0));
    SEE(splice(named, NULL, ends[1], NULL, 100, 0));
    SEE(unread(ends[0]));
    SEE(tee(ends[0], named, 3, 0));
    SEE(splice(ends[0], NULL, named, NULL, 100, 0));
    SEE(read(named, bytes, 100));
    observed("got", "%.9s", bytes);
    SEE(splice(named, &offset, ends[1], NULL, 1, 0));
    SEE(splice(ends[0], NULL, named, &offset, 1, 0));
    SEE_BLOCKED(splice(named, NULL, ends[1], NULL, 1, 0));
    SEE_BLOCKED(tee(named, ends[1], 1, 0));
    SEE(splice(named, NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK));
    SEE_BLOCKED(tee(ends[0], named, 1, 0));
    fill(named);
    write(ends[1], "x", 1);
    SEE_BLOCKED(splice(ends[0], NULL, named, NULL, 1, 0));
    SEE_BLOCKED(tee(ends[0], named, 1, 0));
    flags(named, O_NONBLOCK, 0);
    SEE(splice(ends[0], NULL, named, NULL, 1, 0));
    SEE(splice(named, NULL, ends[1], NULL, PAGE, 0));
    SEE(splice(ends[0], NULL, open("fifo", O_RDONLY | O_NONBLOCK), NULL, 1, 0));
}

RULE(fifo_ends, "splice(2)", "EPIPE and SIGPIPE for a FIFO without a reader; 0 from one that has no writer")
{
    mkfifo("fifo", 0600);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK), writer = open("fifo", O_WRONLY);
    flags(reader, 0, O_NONBLOCK);
    signal(SIGPIPE, note);
    new_pipe();
    write(ends[1], "some", 4);
    SEE(splice(ends[0], NULL, writer, NULL, 2, 0));
    close(writer);
    SEE(splice(reader, NULL, ends[1], NULL, 100, 0));
    SEE(splice(reader, NULL, ends[1], NULL, 100, 0));
    writer = open("fifo", O_WRONLY);
    close(reader);
    SEE(splice(ends[0], NULL, writer, NULL, 100, 0));
    SEE(broken == SIGPIPE);
    broken = 0;
    SEE(tee(ends[0], writer, 100, 0));
    SEE(broken == SIGPIPE);
    SEE(unread(ends[0]));
}

RULE(devices, "splice(2)", "to /dev/null all of it goes; from /dev/zero the pipe is filled; EINVAL from what cannot be spliced")
{
    new_pipe();
    SEE(splice(open("/dev/zero", O_RDONLY), NULL, ends[1], NULL, 2 * PIPE_SIZE, 0));
    SEE(splice(ends[0], NULL, open("/dev/null", O_WRONLY), NULL, 2 * PIPE_SIZE, 0));
    SEE(splice(open("/dev/null", O_RDONLY), NULL, ends[1], NULL, 1, 0));
    SEE(splice(open("/proc/self/maps", O_RDONLY), NULL, ends[1], NULL, 1, 0));
}
