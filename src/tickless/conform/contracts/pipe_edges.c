/* pipe(7), epoll(7): pages and edges of a pipe, memory that ends in the middle, ends that go while something waits. */
#include "contract.h"
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define WHOLE (1 << 20)

static char bytes[WHOLE];
static int ends[2];

static void make(int flags)
{
    close(ends[0]), close(ends[1]);
    if (pipe2(ends, flags) < 0)
        cannot_start("pipe2");
}

static int fill(int size)
{
    int count = 0;
    while (write(ends[1], bytes, size) == size)
        count++;
    return count;
}

static int unread(void)
{
    int count = -1;
    ioctl(ends[0], FIONREAD, &count);
    return count;
}

/* What an edge-triggered epoll of both ends tells now: 1 for the reader, 2 for the writer. */
static int edges(int epoll)
{
    struct epoll_event told[4];
    int count = epoll_wait(epoll, told, 4, 0), seen = 0;
    for (int i = 0; i < count; i++)
        seen |= told[i].data.u32;
    return seen;
}

static int edge_epoll(void)
{
    int epoll = epoll_create1(0);
    struct epoll_event in = {EPOLLIN | EPOLLET, {.u32 = 1}}, out = {EPOLLOUT | EPOLLET, {.u32 = 2}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &in);
    epoll_ctl(epoll, EPOLL_CTL_ADD, ends[1], &out);
    return epoll;
}

RULE(writes_of_each_size, "pipe(7)", "how many writes of a size fit: a page holds as many as fit whole")
{
    static const int sizes[] = {64, 511, 512, 1365, 2048, 2049, 4095, 4096};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        make(O_NONBLOCK);
        observed("writes", "%d of %d", fill(sizes[i]), sizes[i]);
    }
}

RULE(part_of_a_page, "pipe(7)", "room that a read leaves in a page is used again only when the page is empty")
{
    make(O_NONBLOCK);
    SEE(write(ends[1], bytes, 4000));
    SEE(read(ends[0], bytes, 3999));
    SEE(write(ends[1], bytes, 96));
    SEE(write(ends[1], bytes, 1));
    SEE(fill(4096));
    SEE(unread());
}

RULE(long_writes_without_waiting, "pipe(7)", "a long write fills the pages that are free; one more page of room takes a page")
{
    make(O_NONBLOCK);
    SEE(write(ends[1], bytes, 4097));
    SEE(write(ends[1], bytes, 131072));
    SEE(write(ends[1], bytes, 4096));
    SEE(read(ends[0], bytes, 4096));
    SEE(write(ends[1], bytes, 8191));
    SEE(unread());
}

RULE(largest_size, "F_SETPIPE_SZ(2const)", "a page at least, EBUSY below what is in it, EINVAL above 2**31")
{
    make(O_NONBLOCK);
    SEE(fcntl(ends[0], F_SETPIPE_SZ, 0));
    SEE(fcntl(ends[0], F_SETPIPE_SZ, 4097));
    SEE(fill(4096));
    SEE(fcntl(ends[1], F_SETPIPE_SZ, 4096));
    SEE(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20));
    SEE(fill(4096));
    SEE(fcntl(ends[1], F_SETPIPE_SZ, (1U << 31) + 1));
}

RULE(packets_of_pages, "pipe(2)", "a packet is at most a page: a longer write makes several; each takes a page however small")
{
    make(O_NONBLOCK | O_DIRECT);
    SEE(write(ends[1], bytes, 5000));
    SEE(read(ends[0], bytes, 9999));
    SEE(read(ends[0], bytes, 9999));
    SEE(fill(1));
    SEE(unread());
    SEE(fcntl(ends[1], F_GETFL) == (O_WRONLY | O_NONBLOCK | O_DIRECT));
    SEE(fcntl(ends[0], F_GETFL) == O_NONBLOCK);
}

RULE(edges_of_writes, "epoll(7)", "each write is an edge for the reader, also into a pipe that is not empty")
{
    make(O_NONBLOCK);
    int epoll = edge_epoll();
    SEE(edges(epoll));
    SEE(write(ends[1], "a", 1));
    SEE(edges(epoll));
    SEE(write(ends[1], "b", 1));
    SEE(edges(epoll));
    SEE(edges(epoll));
}

RULE(edges_of_failed_writes, "epoll(7)", "a write that fails is an edge for the reader as well, unless the pipe is empty")
{
    make(O_NONBLOCK);
    int epoll = edge_epoll();
    SEE(edges(epoll));
    SEE(syscall(SYS_write, ends[1], 16, 1));
    SEE(edges(epoll));
    fill(4096);
    edges(epoll);
    SEE(write(ends[1], "a", 1));
    SEE(edges(epoll));
    SEE(write(ends[1], "a", 0));
    SEE(edges(epoll));
    fcntl(ends[1], F_SETFL, 0);
    SEE_BLOCKED(write(ends[1], "a", 1));
    SEE(edges(epoll));
}

RULE(edge_of_a_killed_writer, "epoll(7)", "so is the end of a writer that is killed while it waits for room")
{
    make(O_NONBLOCK);
    int epoll = edge_epoll();
    fill(4096);
    fcntl(ends[1], F_SETFL, 0);
    pid_t writer = fork();
    if (writer == 0) {
        close(ends[0]);
        _exit(write(ends[1], "a", 1) != 1);
    }
    until_asleep(writer);
    SEE(edges(epoll));
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    SEE(edges(epoll));
}

RULE(edges_of_reads, "epoll(7)", "a read is an edge for the writer only if the pipe was full and no longer is")
{
    make(O_NONBLOCK);
    int epoll = edge_epoll();
    fill(4096);
    edges(epoll);
    SEE(read(ends[0], bytes, 1));
    SEE(edges(epoll));
    SEE(read(ends[0], bytes, 4095));
    SEE(edges(epoll));
    SEE(read(ends[0], bytes, 4096));
    SEE(edges(epoll));
}

RULE(edges_of_ends, "epoll(7)", "the end of the other side is an edge")
{
    make(O_NONBLOCK);
    int epoll = edge_epoll();
    SEE(edges(epoll));
    SEE(close(ends[0]));
    SEE(edges(epoll));
    make(O_NONBLOCK);
    epoll = edge_epoll();
    edges(epoll);
    SEE(close(ends[1]));
    SEE(edges(epoll));
}

/* Memory of two pages, behind which there is none. */
static char *end_of_memory(void)
{
    char *start = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(start + 8192, 4096);
    return start + 8192;
}

RULE(write_beyond_memory, "pipe(7)", "a write from memory that ends takes whole pages of it; less is EFAULT, and nothing is written")
{
    char *end = end_of_memory();
    make(O_NONBLOCK);
    SEE(syscall(SYS_write, ends[1], end - 1, 2));
    SEE(unread());
    SEE(syscall(SYS_write, ends[1], end - 4097, 8192));
    SEE(unread());
}

RULE(read_beyond_memory, "pipe(7)", "a read into memory that ends gives what fits in whole pages of the pipe, the rest stays")
{
    char *end = end_of_memory();
    make(O_NONBLOCK);
    SEE(write(ends[1], bytes, 4096));
    SEE(write(ends[1], bytes, 4096));
    SEE(syscall(SYS_read, ends[0], end, 1));
    SEE(unread());
    SEE(syscall(SYS_read, ends[0], end - 4097, 8192));
    SEE(unread());
}

static void *read_and_leave(void *argument)
{
    until_asleep(*(pid_t *)argument);
    for (long got = 0; got < 100000;)
        got += read(ends[0], bytes + WHOLE / 2, 40000);
    close(ends[0]);
    return NULL;
}

RULE(reader_leaves, "pipe(7)", "a long write whose reader leaves in the middle gives what has gone, and SIGPIPE comes")
{
    pthread_t thread;
    pid_t writer = getpid();
    count_signal(SIGPIPE, 0);
    make(0);
    pthread_create(&thread, NULL, read_and_leave, &writer);
    long written = write(ends[1], bytes, WHOLE);
    pthread_join(thread, NULL);
    SEE_WHETHER(written > 100000 && written < 250000);
    SEE(signals_counted);
    SEE(write(ends[1], bytes, 1));
}

RULE(all_of_it_in_order, "pipe(7)", "a megabyte in pieces of odd sizes comes as it was sent")
{
    unsigned sum = 0, expected = 0;
    make(0);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < WHOLE; i++)
            bytes[i] = i * 7;
        close(ends[0]);
        for (int at = 0, size = 1; at < WHOLE; at += size, size = size * 3 % 70001 + 1)
            if (write(ends[1], bytes + at, size < WHOLE - at ? size : WHOLE - at) < 0)
                _exit(1);
        _exit(0);
    }
    close(ends[1]);
    long count, all = 0;
    while ((count = read(ends[0], bytes, 10007)) > 0)
        for (int i = 0; i < count; i++)
            sum = sum * 31 + (unsigned char)bytes[i], all++;
    for (int i = 0; i < WHOLE; i++)
        expected = expected * 31 + (unsigned char)(i * 7);
    waitpid(child, NULL, 0);
    SEE(all);
    SEE_WHETHER(sum == expected);
}
