/* splice(2), tee(2), vmsplice(2) with the pipes of pipe(2): pages that move, and who waits for what. */
#include "contract.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static char bytes[1 << 17];
static int first[2], second[2];
static volatile sig_atomic_t broken;

static void note(int signo)
{
    broken = signo;
}

static void pipes(int flags)
{
    if (pipe2(first, flags) < 0 || pipe2(second, flags) < 0)
        cannot_start("pipe2");
}

static int unread(int fd)
{
    int count = -1;
    ioctl(fd, FIONREAD, &count);
    return count;
}

/* Fill a pipe: how many bytes it took. */
static int fill(int fd, int piece)
{
    int flags = fcntl(fd, F_GETFL), done = 0, count;
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while ((count = write(fd, bytes, piece)) > 0)
        done += count;
    fcntl(fd, F_SETFL, flags);
    return done;
}

RULE(order, "splice(2)", "a bad offset's address before the way, and that before one pipe twice and files that are none")
{
    off_t offset = 0;
    pipes(0);
    SEE(splice(first[0], &offset, second[1], NULL, 1, 0));
    SEE(splice(first[0], NULL, second[1], &offset, 1, 0));
    SEE(syscall(SYS_splice, first[1], 16, second[0], NULL, 1, 0));
    SEE(syscall(SYS_splice, eventfd(0, 0), 16, second[1], NULL, 1, 0));
    SEE(splice(first[1], NULL, second[1], NULL, 1, 0));
    SEE(splice(first[0], NULL, second[0], NULL, 1, 0));
    SEE(splice(first[0], NULL, first[1], NULL, 1, 0));
    SEE(splice(first[0], NULL, eventfd(0, 0), NULL, 8, 0));
    SEE(splice(eventfd(0, 0), NULL, first[1], NULL, 8, 0));
    SEE(splice(first[0], NULL, 99, NULL, 1, 0));
    SEE(tee(first[1], second[1], 1, 0));
    SEE(tee(first[0], first[1], 1, 0));
    SEE(tee(first[0], eventfd(0, 0), 1, 0));
}

RULE(moves, "splice(2)", "no more than there is, or than was asked for; what is left stays")
{
    pipes(0);
    SEE(write(first[1], "splice", 6));
    SEE(splice(first[0], NULL, second[1], NULL, 2, 0));
    SEE(unread(first[0]));
    SEE(splice(first[0], NULL, second[1], NULL, 1 << 20, 0));
    SEE(read(second[0], bytes, 100));
    observed("got", "%.6s", bytes);
}

RULE(whole_pages, "splice(2)", "each page is one of the other pipe's, however little it holds")
{
    pipes(O_NONBLOCK);
    SEE(fill(second[1], PAGE));
    SEE(read(second[0], bytes, 2 * PAGE));
    write(first[1], bytes, 3 * PAGE);
    SEE(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE(splice(first[0], NULL, second[1], NULL, 3 * PAGE, 0));
    SEE(splice(first[0], NULL, second[1], NULL, 3 * PAGE, 0));
    SEE(unread(first[0]));
}

RULE(added_to, "splice(2)", "a write adds to a page that was moved whole, and to none that was moved in part or copied")
{
    pipes(O_NONBLOCK);
    write(first[1], "whole", 5);
    splice(first[0], NULL, second[1], NULL, 5, 0);
    SEE(write(second[1], "!", 1));
    SEE(fill(second[1], PAGE));
    read(second[0], bytes, sizeof bytes);
    write(first[1], "part", 4);
    splice(first[0], NULL, second[1], NULL, 3, 0);
    SEE(write(second[1], "!", 1));
    SEE(fill(second[1], PAGE));
    read(second[0], bytes, sizeof bytes);
    SEE(tee(first[0], second[1], 1, 0));
    SEE(write(second[1], "!", 1));
    SEE(fill(second[1], PAGE));
}

RULE(packets, "splice(2)", "packets move as such; vmsplice does not end with one")
{
    struct iovec vector = {bytes, 100};
    pipes(O_DIRECT | O_NONBLOCK);
    write(first[1], "one", 3);
    write(first[1], "two", 3);
    SEE(splice(first[0], NULL, second[1], NULL, 100, 0));
    SEE(read(second[0], bytes, 100));
    SEE(tee(second[0], first[1], 2, 0));
    SEE(read(first[0], bytes, 1));
    SEE(read(first[0], bytes, 1));
    write(second[1], "more", 4);
    SEE(vmsplice(second[0], &vector, 1, 0));
}

RULE(waits, "splice(2)", "for bytes, and for room; O_NONBLOCK of either pipe is EAGAIN, but not for vmsplice")
{
    struct iovec vector = {bytes, 100};
    pipes(0);
    SEE_BLOCKED(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE_BLOCKED(tee(first[0], second[1], 1, 0));
    SEE_BLOCKED(vmsplice(first[0], &vector, 1, 0));
    SEE(splice(first[0], NULL, second[1], NULL, 1, SPLICE_F_NONBLOCK));
    fcntl(second[1], F_SETFL, O_NONBLOCK);
    SEE(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE(tee(first[0], second[1], 1, 0));
    fcntl(first[0], F_SETFL, O_NONBLOCK);
    SEE_BLOCKED(vmsplice(first[0], &vector, 1, 0));
    SEE(vmsplice(first[0], &vector, 1, SPLICE_F_NONBLOCK));
    fill(second[1], PAGE);
    write(first[1], "x", 1);
    SEE(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE(vmsplice(second[1], &vector, 1, SPLICE_F_NONBLOCK));
    SEE_BLOCKED(vmsplice(second[1], &vector, 1, 0));
    fcntl(first[0], F_SETFL, 0);
    fcntl(second[1], F_SETFL, 0);
    SEE_BLOCKED(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE_BLOCKED(tee(first[0], second[1], 1, 0));
    SEE(unread(first[0]));
}

RULE(end_of_file, "splice(2)", "0 when no writer is left, once there is room; EPIPE and SIGPIPE without a reader, once there are bytes")
{
    struct iovec vector = {bytes, 100};
    signal(SIGPIPE, note);
    pipes(0);
    close(first[1]);
    SEE(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE(tee(first[0], second[1], 1, 0));
    SEE(vmsplice(first[0], &vector, 1, 0));
    fill(second[1], PAGE);
    SEE_BLOCKED(splice(first[0], NULL, second[1], NULL, 1, 0));
    close(second[0]);
    SEE(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE(broken == SIGPIPE);
    broken = 0;
    SEE(tee(first[0], second[1], 1, 0));
    SEE(broken == SIGPIPE);
    broken = 0;
    SEE(vmsplice(second[1], &vector, 1, 0));
    SEE(broken == SIGPIPE);
    pipe(first);
    SEE_BLOCKED(splice(first[0], NULL, second[1], NULL, 1, 0));
    write(first[1], "x", 1);
    SEE(splice(first[0], NULL, second[1], NULL, 1, 0));
    SEE(unread(first[0]));
}

static pid_t splicer(void)
{
    pid_t child = fork();
    if (child == 0) {
        SEE(splice(first[0], NULL, second[1], NULL, 100, 0));
        _exit(0);
    }
    until_asleep(child);
    return child;
}

RULE(woken, "splice(2)", "a splice that waits goes on when bytes come, when there is room, and when no writer is left")
{
    pipes(0);
    pid_t child = splicer();
    write(first[1], "some", 4);
    waitpid(child, NULL, 0);
    SEE(unread(second[0]));
    fill(second[1], PAGE);
    write(first[1], "more", 4);
    child = splicer();
    read(second[0], bytes, sizeof bytes);
    waitpid(child, NULL, 0);
    SEE(unread(second[0]));
    child = fork();
    if (child == 0) {
        close(first[1]);
        SEE(tee(first[0], second[1], 100, 0));
        _exit(0);
    }
    until_asleep(child);
    close(first[1]);
    waitpid(child, NULL, 0);
}

RULE(readers_woken, "splice(2)", "readers of the one pipe are woken, and writers of the other, who got a page")
{
    pipes(0);
    pid_t reader = fork();
    if (reader == 0)
        _exit(read(second[0], bytes, 100));
    until_asleep(reader);
    fill(first[1], PAGE);
    pid_t writer = fork();
    if (writer == 0)
        _exit(write(first[1], "again", 5));
    until_asleep(writer);
    SEE(splice(first[0], NULL, second[1], NULL, PAGE, 0));
    int status;
    waitpid(writer, &status, 0);
    SEE(WEXITSTATUS(status));
    waitpid(reader, &status, 0);
    SEE(WEXITSTATUS(status));
}

RULE(edges, "splice(2)", "each one that brings bytes is an edge")
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = epoll_create1(0);
    pipes(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, second[0], &event);
    write(first[1], "some", 4);
    splice(first[0], NULL, second[1], NULL, 1, 0);
    SEE(epoll_wait(epoll, &event, 1, 0));
    SEE(epoll_wait(epoll, &event, 1, 0));
    splice(first[0], NULL, second[1], NULL, 1, 0);
    SEE(epoll_wait(epoll, &event, 1, 0));
    tee(first[0], second[1], 1, 0);
    SEE(epoll_wait(epoll, &event, 1, 0));
    vmsplice(second[1], &(struct iovec){bytes, 1}, 1, 0);
    SEE(epoll_wait(epoll, &event, 1, 0));
}

RULE(vmsplice_pages, "vmsplice(2)", "each page of memory, and each piece, is a page of the pipe's; a bad one ends it")
{
    char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec pieces[3] = {{pages + PAGE - 1, 2}, {pages, 1}, {pages, 1}};
    munmap(pages + 2 * PAGE, PAGE);
    pipes(O_NONBLOCK);
    SEE(vmsplice(first[1], pieces, 3, 0));
    SEE(fill(first[1], PAGE));
    read(first[0], bytes, sizeof bytes);
    SEE(vmsplice(first[1], &(struct iovec){pages + PAGE, 2 * PAGE}, 1, 0));
    SEE(vmsplice(first[1], &(struct iovec){pages + 2 * PAGE, 1}, 1, 0));
    SEE(vmsplice(first[0], &(struct iovec){pages + 2 * PAGE, 1}, 1, 0));
    SEE(unread(first[0]));
    SEE(vmsplice(first[0], &(struct iovec){pages, PAGE}, 1, 0));
    SEE(vmsplice(first[0], NULL, 0, 0));
}
