/* msgsnd(2), msgrcv(2), msgctl(2), mq_overview(7): message queues of both kinds: order, types, priorities, what ends a wait. */
#include "contract.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>

#ifndef MSG_COPY
#define MSG_COPY 040000 /* a musl of old does not know it */
#endif

static int queue;

static struct message {
    long type;
    char text[100];
} message;

static void make(void)
{
    queue = msgget(IPC_PRIVATE, 0600);
    if (queue < 0)
        cannot_start("msgget");
}

static void drop(void)
{
    msgctl(queue, IPC_RMID, NULL);
}

static long put(long type, const char *text, int flags)
{
    message.type = type;
    strcpy(message.text, text);
    return msgsnd(queue, &message, strlen(text), flags);
}

static long get(long type, int flags)
{
    memset(&message, 0, sizeof message);
    return msgrcv(queue, &message, sizeof message.text, type, flags);
}

static void limit_bytes(int bytes)
{
    struct msqid_ds status;
    if (msgctl(queue, IPC_STAT, &status) < 0)
        cannot_start("msgctl");
    status.msg_qbytes = bytes;
    if (msgctl(queue, IPC_SET, &status) < 0)
        cannot_start("msgctl");
}

RULE(send_arguments, "msgsnd(2)", "EINVAL for no queue, a type below 1, and a size beyond the limit; EFAULT")
{
    make();
    SEE(put(0, "x", 0));
    SEE(put(-3, "x", 0));
    SEE(msgsnd(queue, &message, -1, 0));
    SEE(syscall(SYS_msgsnd, queue, 16, 1, 0));
    SEE(syscall(SYS_msgsnd, -1, 16, 1, 0));
    SEE(put(1, "", 0));
    drop();
    SEE(put(1, "x", 0));
}

RULE(by_type, "msgrcv(2)", "type 0 is the first, a positive one the first of it, a negative one the lowest up to it")
{
    make();
    put(3, "three", 0), put(1, "one", 0), put(2, "two", 0), put(1, "more", 0);
    SEE(get(1, 0));
    observed("got", "%ld %s", message.type, message.text);
    SEE(get(-2, 0));
    observed("got", "%ld %s", message.type, message.text);
    SEE(get(0, 0));
    observed("got", "%ld %s", message.type, message.text);
    SEE(get(-1, IPC_NOWAIT));
    SEE(get(2, 0));
    drop();
}

RULE(except, "msgrcv(2)", "MSG_EXCEPT takes the first of another type")
{
    make();
    put(1, "one", 0), put(2, "two", 0);
    SEE(get(1, MSG_EXCEPT));
    observed("got", "%ld %s", message.type, message.text);
    SEE(get(1, MSG_EXCEPT | IPC_NOWAIT));
    SEE(get(7, MSG_EXCEPT));
    drop();
}

RULE(too_long, "msgrcv(2)", "E2BIG for a message longer than the buffer, which stays; with MSG_NOERROR it is cut")
{
    make();
    put(5, "longer", 0);
    SEE(msgrcv(queue, &message, 3, 0, 0));
    SEE(msgrcv(queue, &message, 3, 5, MSG_NOERROR));
    SEE(get(0, IPC_NOWAIT));
    SEE(msgrcv(queue, &message, -1, 0, 0));
    drop();
}

RULE(bad_buffer, "msgrcv(2)", "EFAULT for a buffer that cannot be written, and the message is gone")
{
    make();
    put(5, "lost", 0);
    SEE(syscall(SYS_msgrcv, queue, 16, 100, 0, 0));
    SEE(get(0, IPC_NOWAIT));
    drop();
}

RULE(copies, "msgrcv(2)", "MSG_COPY needs IPC_NOWAIT and no MSG_EXCEPT: EINVAL")
{
    make();
    put(5, "some", 0);
    SEE(get(0, MSG_COPY));
    SEE(get(0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT));
    SEE(get(0, 0));
    SEE(get(0, MSG_COPY));
    drop();
}

RULE(receiver_waits, "msgrcv(2)", "a wait is for a message of its type; ENOMSG without waiting")
{
    make();
    SEE(get(0, IPC_NOWAIT));
    SEE_BLOCKED(get(0, 0));
    pid_t child = fork();
    if (child == 0) {
        SEE(get(2, 0));
        observed("got", "%ld %s", message.type, message.text);
        _exit(0);
    }
    until_asleep(child);
    put(1, "other", 0);
    until_asleep(child);
    put(2, "wanted", 0);
    waitpid(child, NULL, 0);
    SEE(get(0, IPC_NOWAIT));
    drop();
}

RULE(receivers_in_order, "msgrcv(2)", "of several who wait the first gets a message, and one who waits gets it before who comes")
{
    int status;
    make();
    pid_t first = fork(), second;
    if (first == 0)
        _exit(get(0, 0));
    until_asleep(first);
    second = fork();
    if (second == 0)
        _exit(get(0, 0));
    until_asleep(second);
    SEE(put(1, "a", 0));
    SEE(get(0, IPC_NOWAIT));
    SEE(waitpid(-1, &status, 0) == first);
    SEE(put(1, "bb", 0));
    SEE(waitpid(-1, &status, 0) == second);
    observed("second", "%s", status_name(status));
    drop();
}

RULE(sender_waits, "msgsnd(2)", "a full queue: EAGAIN, or a wait until there is room for it")
{
    make();
    limit_bytes(10);
    SEE(put(1, "12345678", 0));
    SEE(put(2, "abc", IPC_NOWAIT));
    SEE(put(2, "ab", IPC_NOWAIT));
    SEE_BLOCKED(put(2, "abc", 0));
    pid_t child = fork();
    if (child == 0)
        _exit(put(3, "abcd", 0) < 0);
    until_asleep(child);
    SEE(get(1, 0));
    waitpid(child, NULL, 0);
    SEE(get(3, IPC_NOWAIT));
    drop();
}

RULE(never_restarted, "msgrcv(2)", "a handler ends the waits with EINTR, with SA_RESTART too")
{
    make();
    pid_t me = getpid();
    count_signal(SIGUSR1, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        until_asleep(me);
        kill(me, SIGUSR1);
        _exit(0);
    }
    SEE(get(0, 0));
    waitpid(child, NULL, 0);
    drop();
}

RULE(removed, "msgrcv(2)", "EIDRM for who waits when the queue is removed, EINVAL for who comes after")
{
    make();
    pid_t child = fork();
    if (child == 0) {
        SEE(get(0, 0));
        _exit(0);
    }
    until_asleep(child);
    drop();
    waitpid(child, NULL, 0);
    SEE(get(0, 0));
}

RULE(status, "msgctl(2)", "IPC_STAT counts messages and bytes, and names the last sender and receiver, one that waited too")
{
    struct msqid_ds shown;
    make();
    put(1, "abc", 0), put(1, "de", 0);
    SEE(msgctl(queue, IPC_STAT, &shown));
    observed("in it", "%ld messages, %ld bytes", (long)shown.msg_qnum, (long)shown.msg_cbytes);
    SEE_WHETHER(shown.msg_lspid == getpid() && shown.msg_lrpid == 0);
    get(0, 0), get(0, 0);
    pid_t child = fork();
    if (child == 0)
        _exit(get(0, 0) < 0);
    until_asleep(child);
    put(1, "f", 0);
    waitpid(child, NULL, 0);
    SEE(msgctl(queue, IPC_STAT, &shown));
    SEE_WHETHER(shown.msg_lrpid == child);
    drop();
}

/* POSIX message queues */

static mqd_t posix;

static void make_posix(int flags)
{
    struct mq_attr attributes = {.mq_maxmsg = 2, .mq_msgsize = 16};
    char name[32];
    snprintf(name, sizeof name, "/contract-%d", (int)getpid());
    posix = mq_open(name, O_RDWR | O_CREAT | O_EXCL | flags, 0600, &attributes);
    if (posix < 0)
        cannot_start("mq_open");
    mq_unlink(name);
}

static long receive(const struct timespec *until)
{
    unsigned priority = 0;
    char text[17] = "";
    long length = until ? mq_timedreceive(posix, text, 16, &priority, until) : mq_receive(posix, text, 16, &priority);
    if (length >= 0)
        observed("got", "%s of priority %u", text, priority);
    return length;
}

RULE(priorities, "mq_overview(7)", "the highest priority first, the oldest among equals")
{
    make_posix(0);
    SEE(mq_send(posix, "low", 3, 1));
    SEE(mq_send(posix, "high", 4, 9));
    SEE(receive(NULL));
    SEE(mq_send(posix, "low too", 7, 1));
    SEE(receive(NULL));
    SEE(receive(NULL));
}

RULE(sizes, "mq_send(3)", "EMSGSIZE for a longer message, and for a buffer below the queue's size; EINVAL for a priority of 32768")
{
    char text[32] = "";
    make_posix(O_NONBLOCK);
    SEE(mq_send(posix, text, 17, 0));
    SEE(mq_receive(posix, text, 15, NULL));
    SEE(mq_send(posix, "x", 1, 32768));
    SEE(mq_send(posix, "x", 1, 32767));
    SEE(mq_send(0, "x", 1, 0));
    SEE(mq_send(99, "x", 1, 0));
    SEE(mq_receive(99, text, 16, NULL));
}

RULE(posix_waits, "mq_receive(3)", "EAGAIN without waiting; a wait ends with a message, a full queue's when one is taken")
{
    struct mq_attr waiting = {.mq_flags = O_NONBLOCK}, not_waiting = {0};
    make_posix(0);
    SEE_BLOCKED(receive(NULL));
    SEE(mq_setattr(posix, &waiting, NULL));
    SEE(receive(NULL));
    SEE(mq_send(posix, "a", 1, 0));
    SEE(mq_send(posix, "b", 1, 0));
    SEE(mq_send(posix, "c", 1, 0));
    SEE(mq_setattr(posix, &not_waiting, NULL));
    SEE_BLOCKED(mq_send(posix, "c", 1, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(mq_send(posix, "urgent", 6, 5) < 0);
    until_asleep(child);
    SEE(receive(NULL));
    waitpid(child, NULL, 0);
    SEE(receive(NULL));
}

RULE(posix_timeouts, "mq_receive(3)", "ETIMEDOUT not before its time; EINVAL for no time, looked at first though there is a message")
{
    struct timespec past = {1, 0}, wrong = {1, SECOND}, soon;
    make_posix(0);
    SEE(receive(&past));
    SEE(receive(&wrong));
    int64_t at = now_ns(CLOCK_REALTIME) + 5 * MS;
    soon = (struct timespec){at / SECOND, at % SECOND};
    SEE(receive(&soon));
    SEE_WHETHER(now_ns(CLOCK_REALTIME) >= at);
    SEE(mq_send(posix, "a", 1, 0));
    SEE(receive(&wrong));
    SEE(receive(&past));
    SEE(syscall(SYS_mq_timedreceive, posix, message.text, 16, NULL, 16));
    mq_send(posix, "a", 1, 0), mq_send(posix, "b", 1, 0);
    SEE(mq_timedsend(posix, "c", 1, 0, &past));
}

RULE(posix_restarted, "mq_receive(3)", "a handler ends a wait with EINTR; with SA_RESTART it goes on")
{
    make_posix(0);
    pid_t me = getpid();
    count_signal(SIGUSR1, SA_RESTART);
    pid_t child = fork();
    if (child == 0) {
        until_asleep(me);
        kill(me, SIGUSR1);
        until_asleep(me);
        _exit(mq_send(posix, "on", 2, 0));
    }
    SEE(receive(NULL));
    SEE(signals_counted);
    waitpid(child, NULL, 0);
}

RULE(notification, "mq_notify(3)", "a signal for the first message of an empty queue, once; EBUSY for a second registration")
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 7};
    siginfo_t info;
    sigset_t set;
    make_posix(O_NONBLOCK);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    SEE(mq_notify(posix, &event));
    SEE(mq_notify(posix, &event));
    pid_t child = fork();
    if (child == 0)
        _exit(mq_send(posix, "a", 1, 0));
    SEE(sigwaitinfo(&set, &info));
    observed("info", "%s, value %d", code_name(info.si_signo, info.si_code), info.si_value.sival_int);
    SEE_WHETHER(info.si_pid == child);
    waitpid(child, NULL, 0);
    SEE(receive(NULL));
    SEE(mq_send(posix, "b", 1, 0));
    SEE(sigtimedwait(&set, &info, &(struct timespec){0, 0}));
    SEE(mq_notify(posix, &event));
    SEE(mq_send(posix, "c", 1, 0));
    SEE(sigtimedwait(&set, &info, &(struct timespec){0, 0}));
}

RULE(watched, "mq_overview(7)", "a descriptor that poll and epoll take: readable with a message, writable with room")
{
    struct epoll_event event = {EPOLLIN | EPOLLOUT, {0}};
    int epoll = epoll_create1(0);
    make_posix(0);
    SEE(epoll_ctl(epoll, EPOLL_CTL_ADD, posix, &event));
    SEE(epoll_wait(epoll, &event, 1, 0));
    observed("empty", "%s", events_name(event.events));
    mq_send(posix, "a", 1, 0);
    SEE(epoll_wait(epoll, &event, 1, 0));
    observed("one", "%s", events_name(event.events));
    mq_send(posix, "b", 1, 0);
    SEE(epoll_wait(epoll, &event, 1, 0));
    observed("full", "%s", events_name(event.events));
}
