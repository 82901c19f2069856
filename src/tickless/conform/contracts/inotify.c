/* inotify(7), inotify_add_watch(2): watches, what they tell in which order, what reads and waits of an inotify do. */
#include "contract.h"
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static char buffer[4096] __attribute__((aligned(8)));
static int notify;

static void begin(int flags)
{
    notify = inotify_init1(flags);
    if (notify < 0)
        cannot_start("inotify_init1");
}

static void make_file(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || close(fd) < 0)
        cannot_start("open");
}

static const char *mask_name(uint32_t mask)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } bits[] = {{IN_ACCESS, "ACCESS"}, {IN_MODIFY, "MODIFY"}, {IN_ATTRIB, "ATTRIB"}, {IN_CLOSE_WRITE, "CLOSE_WRITE"},
                {IN_CLOSE_NOWRITE, "CLOSE_NOWRITE"}, {IN_OPEN, "OPEN"}, {IN_MOVED_FROM, "MOVED_FROM"},
                {IN_MOVED_TO, "MOVED_TO"}, {IN_CREATE, "CREATE"}, {IN_DELETE, "DELETE"}, {IN_DELETE_SELF, "DELETE_SELF"},
                {IN_MOVE_SELF, "MOVE_SELF"}, {IN_IGNORED, "IGNORED"}, {IN_ISDIR, "ISDIR"}};
    static char text[128];
    *text = 0;
    for (unsigned i = 0; i < sizeof bits / sizeof *bits; i++)
        if (mask & bits[i].bit)
            sprintf(text + strlen(text), "%s%s", *text ? "|" : "", bits[i].name);
    return text;
}

/* Print all events that are there; a cookie only as whether it is that of the event before. */
static void show(void)
{
    static uint32_t last;
    ssize_t length = read(notify, buffer, sizeof buffer);
    if (length < 0) {
        observed("events", "%s", errno_name(errno));
        return;
    }
    for (char *at = buffer; at < buffer + length;) {
        const struct inotify_event *event = (void *)at;
        observed("event", "%d %s%s%s%s", event->wd, mask_name(event->mask), event->len ? " " : "",
                 event->len ? event->name : "", event->cookie && event->cookie == last ? ", the same cookie" : "");
        last = event->cookie;
        at += sizeof *event + event->len;
    }
}

RULE(create, "inotify_init1(2)", "EINVAL for unknown flags; IN_CLOEXEC and IN_NONBLOCK are fcntl's")
{
    SEE(inotify_init1(1));
    SEE(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    SEE(fcntl(3, F_GETFD));
    SEE(fcntl(3, F_GETFL) == O_NONBLOCK);
}

RULE(watch_arguments, "inotify_add_watch(2)", "EINVAL for no events and for another file, EBADF, ENOENT, EFAULT, ENOTDIR with IN_ONLYDIR")
{
    begin(IN_NONBLOCK);
    make_file("file");
    SEE(inotify_add_watch(notify, "file", 0));
    SEE(inotify_add_watch(99, "file", IN_MODIFY));
    SEE(inotify_add_watch(0, "file", IN_MODIFY));
    SEE(inotify_add_watch(notify, "nothing", IN_MODIFY));
    SEE(syscall(SYS_inotify_add_watch, notify, 16, IN_MODIFY));
    SEE(inotify_add_watch(notify, "file", IN_MODIFY | IN_ONLYDIR));
    SEE(inotify_add_watch(notify, "file", IN_MODIFY | IN_MASK_ADD | IN_MASK_CREATE));
    SEE(inotify_add_watch(notify, "file", IN_MODIFY));
    SEE(inotify_add_watch(notify, "file", IN_MODIFY | IN_MASK_CREATE));
}

RULE(descriptors, "inotify_add_watch(2)", "one watch for each file: again it is the same number with another mask, later ones count up")
{
    begin(IN_NONBLOCK);
    make_file("first"), make_file("second");
    SEE(inotify_add_watch(notify, "first", IN_OPEN));
    SEE(inotify_add_watch(notify, "second", IN_OPEN));
    SEE(link("first", "same"));
    SEE(inotify_add_watch(notify, "same", IN_CLOSE_WRITE));
    make_file("first");
    show();
    SEE(inotify_add_watch(notify, "same", IN_OPEN | IN_MASK_ADD));
    make_file("first");
    show();
    SEE(inotify_rm_watch(notify, 2));
    make_file("third");
    SEE(inotify_add_watch(notify, "third", IN_OPEN));
}

RULE(of_a_folder, "inotify(7)", "a folder's watch tells the names in it; what happens to a file below tells its own and the folder's")
{
    begin(IN_NONBLOCK);
    SEE(mkdir("folder", 0700));
    SEE(inotify_add_watch(notify, "folder", IN_ALL_EVENTS));
    make_file("folder/file");
    show();
    SEE(mkdir("folder/below", 0700));
    SEE(chmod("folder/file", 0640));
    SEE(rename("folder/file", "folder/other"));
    show();
    SEE(unlink("folder/other"));
    SEE(rmdir("folder/below"));
    SEE(rmdir("folder"));
    show();
}

RULE(of_a_file, "inotify(7)", "what is done to a file: open, write, read, truncate, close, move, unlink; IN_IGNORED at the end")
{
    char byte;
    begin(IN_NONBLOCK);
    make_file("file");
    SEE(inotify_add_watch(notify, "file", IN_ALL_EVENTS));
    int fd = open("file", O_RDWR);
    SEE(write(fd, "x", 1));
    SEE(pread(fd, &byte, 1, 0));
    SEE(ftruncate(fd, 0));
    SEE(close(fd));
    SEE(rename("file", "moved"));
    show();
    SEE(unlink("moved"));
    show();
}

RULE(same_again, "inotify(7)", "an event that is the same as the last one in the queue is not queued again")
{
    begin(IN_NONBLOCK);
    make_file("file");
    inotify_add_watch(notify, "file", IN_MODIFY | IN_OPEN);
    int fd = open("file", O_WRONLY);
    for (int i = 0; i < 3; i++)
        SEE(write(fd, "x", 1));
    show();
    SEE(write(fd, "x", 1));
    show();
}

RULE(once, "inotify(7)", "IN_ONESHOT tells one event, and IN_IGNORED behind it")
{
    begin(IN_NONBLOCK);
    make_file("file");
    SEE(inotify_add_watch(notify, "file", IN_OPEN | IN_ONESHOT));
    make_file("file"), make_file("file");
    show();
    SEE(inotify_rm_watch(notify, 1));
}

RULE(removed, "inotify_rm_watch(2)", "EINVAL for no watch and for another file, EBADF; IN_IGNORED is told")
{
    begin(IN_NONBLOCK);
    make_file("file");
    SEE(inotify_rm_watch(notify, 1));
    SEE(inotify_rm_watch(0, 1));
    SEE(inotify_rm_watch(99, 1));
    SEE(inotify_add_watch(notify, "file", IN_OPEN));
    SEE(inotify_rm_watch(notify, 1));
    show();
}

RULE(reads, "inotify(7)", "EINVAL for a buffer without room for the next event, EAGAIN for none; FIONREAD counts bytes; no writing")
{
    int waiting = -1;
    begin(IN_NONBLOCK);
    SEE(read(notify, buffer, 4));
    make_file("file");
    SEE(mkdir("folder", 0700));
    SEE(inotify_add_watch(notify, "folder", IN_CREATE));
    make_file("folder/a");
    SEE(ioctl(notify, FIONREAD, &waiting));
    SEE(waiting);
    SEE(read(notify, buffer, 31));
    SEE(read(notify, buffer, 0));
    SEE(syscall(SYS_read, notify, 16, 4096));
    SEE(read(notify, buffer, 32));
    SEE(write(notify, "x", 1));
}

RULE(whole_events, "inotify(7)", "a read gives as many whole events as fit, the rest later")
{
    begin(IN_NONBLOCK);
    make_file("file");
    inotify_add_watch(notify, "file", IN_OPEN | IN_CLOSE_WRITE);
    make_file("file"), make_file("file");
    SEE(read(notify, buffer, 40));
    SEE(read(notify, buffer, 4096));
    SEE(read(notify, buffer, 4096));
}

RULE(waits, "inotify(7)", "a read waits for an event, and ends with EINTR; one from another process wakes it")
{
    begin(0);
    make_file("file");
    inotify_add_watch(notify, "file", IN_ATTRIB);
    SEE_BLOCKED(read(notify, buffer, sizeof buffer));
    pid_t child = fork();
    if (child == 0) {
        show();
        _exit(0);
    }
    until_asleep(child);
    chmod("file", 0640);
    waitpid(child, NULL, 0);
}

RULE(readiness, "inotify(7)", "readable with an event; an edge-triggered epoll tells of each")
{
    struct epoll_event event = {EPOLLIN | EPOLLET, {0}};
    struct pollfd entry;
    int epoll = epoll_create1(0);
    begin(IN_NONBLOCK);
    make_file("file");
    inotify_add_watch(notify, "file", IN_ATTRIB);
    entry = (struct pollfd){notify, POLLIN | POLLOUT, 0};
    SEE(epoll_ctl(epoll, EPOLL_CTL_ADD, notify, &event));
    SEE(poll(&entry, 1, 0));
    chmod("file", 0640);
    SEE(poll(&entry, 1, 0));
    observed("events", "%s", events_name(entry.revents));
    SEE(epoll_wait(epoll, &event, 1, -1));
    SEE(epoll_wait(epoll, &event, 1, 0));
    make_file("other");
    inotify_add_watch(notify, "other", IN_ATTRIB);
    chmod("other", 0640);
    SEE(epoll_wait(epoll, &event, 1, 0));
}

RULE(after_unlink, "inotify(7)", "a file that is open lives on: IN_DELETE_SELF comes with the last close")
{
    begin(IN_NONBLOCK);
    make_file("file");
    inotify_add_watch(notify, "file", IN_DELETE_SELF | IN_ATTRIB);
    int fd = open("file", O_RDWR);
    SEE(unlink("file"));
    show();
    SEE(close(fd));
    show();
}
