/* pipe(2), pipe(7): ends, capacity, atomic writes, packets, end of file, SIGPIPE. */
#include "contract.h"
#include <poll.h>
#include <sys/ioctl.h>

static char bytes[1 << 17];
static int ends[2];

static void make(int flags)
{
    if (pipe2(ends, flags) < 0)
        cannot_start("pipe2");
}

RULE(create, "pipe2(2)", "EINVAL for unknown flags, EFAULT for a bad array, with no number taken")
{
    SEE(pipe2(ends, 1));
    SEE(pipe2(ends, O_APPEND));
    SEE(syscall(SYS_pipe2, 16L, 0));
    make(O_CLOEXEC | O_NONBLOCK);
    observed("numbers", "%d %d", ends[0], ends[1]);
    SEE(fcntl(ends[0], F_GETFD));
    SEE_WHETHER(fcntl(ends[0], F_GETFL) == (O_RDONLY | O_NONBLOCK));
    SEE_WHETHER(fcntl(ends[1], F_GETFL) == (O_WRONLY | O_NONBLOCK));
}

RULE(wrong_end, "pipe(7)", "each end has one direction")
{
    make(0);
    SEE(write(ends[0], "x", 1));
    SEE(read(ends[1], bytes, 1));
    SEE(lseek(ends[0], 0, SEEK_SET));
    SEE(write(ends[0], "x", 0));
    SEE(read(ends[1], bytes, 0));
}

RULE(capacity, "pipe(7)", "65536 bytes fit; then a write that does not wait gives EAGAIN")
{
    make(O_NONBLOCK);
    SEE(fcntl(ends[0], F_GETPIPE_SZ));
    SEE(write(ends[1], bytes, 1 << 17));
    SEE(write(ends[1], bytes, 1));
    SEE(read(ends[0], bytes, 1));
    SEE(write(ends[1], bytes, 1));
    SEE(read(ends[0], bytes, 4095));
    SEE(write(ends[1], bytes, 5000));
}

RULE(pages, "pipe(7)", "capacity is counted in pages: a small write may fill up the last page, a new one takes a slot")
{
    make(O_NONBLOCK);
    long count = 0;
    SEE(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    SEE(write(ends[1], bytes, 4000));
    SEE(write(ends[1], bytes, 96));
    SEE(write(ends[1], bytes, 1));
    SEE(read(ends[0], bytes, 4000));
    SEE(write(ends[1], bytes, 4000));
    while (read(ends[0], bytes, 1) == 1)
        count++;
    SEE(count);
}

RULE(atomic, "pipe(7)", "a write of up to PIPE_BUF bytes is all or nothing; a longer one may be part")
{
    make(O_NONBLOCK);
    fcntl(ends[0], F_SETPIPE_SZ, 8192);
    SEE(write(ends[1], bytes, 4097));
    SEE(write(ends[1], bytes, 4096));
    SEE(write(ends[1], bytes, 4095));
    SEE(write(ends[1], bytes, 4097));
}

RULE(set_size, "fcntl(2)", "F_SETPIPE_SZ rounds up to a power of two pages, and may not cut off what is there")
{
    make(O_NONBLOCK);
    SEE(fcntl(ends[0], F_SETPIPE_SZ, 1));
    SEE(fcntl(ends[0], F_SETPIPE_SZ, 5000));
    SEE(fcntl(ends[1], F_GETPIPE_SZ));
    SEE(write(ends[1], bytes, 8192));
    SEE(fcntl(ends[0], F_SETPIPE_SZ, 4096));
    SEE(fcntl(ends[0], F_SETPIPE_SZ, -1));
    SEE(fcntl(0, F_GETPIPE_SZ));
}

RULE(end_of_file, "pipe(7)", "a read gives what is there and then 0, once no writer is left")
{
    make(0);
    SEE(write(ends[1], "abc", 3));
    close(ends[1]);
    SEE(read(ends[0], bytes, 2));
    SEE(read(ends[0], bytes, 2));
    SEE(read(ends[0], bytes, 2));
    SEE(read(ends[0], bytes, 2));
}

RULE(broken, "pipe(7)", "EPIPE and SIGPIPE for a write without a reader; not for one of nothing")
{
    make(0);
    count_signal(SIGPIPE, 0);
    close(ends[0]);
    SEE(write(ends[1], "", 0));
    SEE(signals_counted);
    SEE(write(ends[1], "x", 1));
    SEE(signals_counted);
    signal(SIGPIPE, SIG_IGN);
    SEE(write(ends[1], "x", 1));
}

RULE(killed, "pipe(7)", "SIGPIPE ends a process that has no handler")
{
    int status;
    make(0);
    close(ends[0]);
    pid_t child = fork();
    if (child == 0)
        _exit(write(ends[1], "x", 1) == 1);
    waitpid(child, &status, 0);
    observed("status", "%s", status_name(status));
}

RULE(packets, "pipe(2)", "O_DIRECT: a read gives one write, and drops what does not fit")
{
    make(O_NONBLOCK | O_DIRECT);
    SEE(write(ends[1], "abc", 3));
    SEE(write(ends[1], "defgh", 5));
    SEE(read(ends[0], bytes, 8));
    SEE(read(ends[0], bytes, 2));
    SEE(read(ends[0], bytes, 8));
    SEE(write(ends[1], bytes, 5000));
    SEE(read(ends[0], bytes, 8192));
    SEE(read(ends[0], bytes, 8192));
}

RULE(nothing, "pipe(7)", "reads and writes of 0 bytes give 0 at once, also where others would wait")
{
    make(0);
    SEE(read(ends[0], bytes, 0));
    SEE(write(ends[1], bytes, 0));
    SEE(syscall(SYS_read, ends[0], 16L, 0));
}

RULE(bad_buffer, "pipe(7)", "EFAULT for a bad buffer; what was to be read stays")
{
    make(O_NONBLOCK);
    SEE(syscall(SYS_write, ends[1], 16L, 4));
    SEE(write(ends[1], "abcd", 4));
    SEE(syscall(SYS_read, ends[0], 16L, 4));
    SEE(read(ends[0], bytes, 8));
}

RULE(waiting, "ioctl(2)", "FIONREAD tells how many bytes are there, at both ends")
{
    int waiting = -1;
    make(0);
    SEE(ioctl(ends[0], FIONREAD, &waiting));
    SEE(waiting);
    SEE(write(ends[1], "abc", 3));
    SEE(ioctl(ends[0], FIONREAD, &waiting));
    SEE(waiting);
    SEE(ioctl(ends[1], FIONREAD, &waiting));
    SEE(waiting);
    SEE(ioctl(ends[0], FIONBIO, &(int){1}));
    SEE_WHETHER(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
    SEE_WHETHER(fcntl(ends[1], F_GETFL) & O_NONBLOCK);
}

RULE(reader_waits, "pipe(7)", "a read waits for the first byte, and takes what is there then")
{
    make(0);
    pid_t reader = getpid(), writer = fork();
    if (writer == 0) {
        until_asleep(reader);
        _exit(write(ends[1], "abc", 3) != 3);
    }
    SEE(read(ends[0], bytes, 100));
    waitpid(writer, NULL, 0);
}

RULE(writer_waits, "pipe(7)", "a write waits until all of it has gone")
{
    long count = 0;
    make(0);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        _exit(write(ends[1], bytes, 100000) != 100000);
    }
    close(ends[1]);
    until_asleep(writer);
    for (long got; (got = read(ends[0], bytes, 7000)) > 0;)
        count += got;
    SEE(count);
    int status;
    waitpid(writer, &status, 0);
    observed("writer", "%s", status_name(status));
}

RULE(interrupted_write, "pipe(7)", "a signal ends a write that waits: with the bytes that have gone, or EINTR")
{
    make(0);
    pid_t writer = fork();
    if (writer == 0) {
        count_signal(SIGUSR1, 0);
        SEE(write(ends[1], bytes, 100000));
        SEE(write(ends[1], bytes, 10));
        _exit(0);
    }
    for (int i = 0; i < 2; i++) {
        until_asleep(writer);
        kill(writer, SIGUSR1);
    }
    waitpid(writer, NULL, 0);
}

RULE(last_writer, "pipe(7)", "a reader that waits gets 0 when the last writer closes, a child's among them")
{
    make(0);
    pid_t reader = getpid(), writer = fork();
    if (writer == 0) {
        until_asleep(reader);
        _exit(0);
    }
    close(ends[1]);
    SEE(read(ends[0], bytes, 1));
    waitpid(writer, NULL, 0);
}

RULE(nonblock_is_shared, "pipe(7)", "O_NONBLOCK belongs to the open file description: a duplicate has it, too")
{
    make(0);
    int copy = dup(ends[0]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    SEE(read(copy, bytes, 1));
    SEE_WHETHER(fcntl(copy, F_GETFL) & O_NONBLOCK);
}
