/* semop(2), msgrcv(2), msgsnd(2): what ends the waits of System V IPC. */
#define _GNU_SOURCE
#include "waiting.h"
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

union semun {
    int val;
    struct msqid_ds *status;
};

static int set;

static int change(int number, int by, int flags)
{
    struct sembuf operation = {number, by, flags};
    return semop(set, &operation, 1);
}

static void semaphores(void)
{
    set = semget(IPC_PRIVATE, 3, 0600);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        change(0, 2, 0);
        nap(1);
        change(0, 1, 0);
        _exit(0);
    }
    tell("one of two", change(0, -1, 0));
    tell("the other", change(0, -1, 0));
    tell("not without waiting", change(0, -1, IPC_NOWAIT));
    tell("the third", change(0, -1, 0));
    reap();
    change(1, 1, 0);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        change(1, -1, 0);
        _exit(0);
    }
    tell("for zero", change(1, 0, 0));
    reap();
    restart_clock();
    if (fork() == 0) {
        nap(1);
        change(0, 1, 0);
        nap(1);
        semctl(set, 1, SETVAL, (union semun){5});
        _exit(0);
    }
    struct sembuf both[] = {{0, -1, 0}, {1, -5, 0}};
    tell("both or none", semop(set, both, 2));
    printf("values %d %d\n", semctl(set, 0, GETVAL), semctl(set, 1, GETVAL));
    reap();
    struct sembuf impatient[] = {{0, 1, 0}, {0, -2, IPC_NOWAIT}, {1, -1, 0}};
    tell("the first obstacle decides", semop(set, impatient, 3));
    printf("value %d\n", semctl(set, 0, GETVAL));
}

static void handed_on(void)
{
    restart_clock();
    if (fork() == 0) {
        tell("who waits gets it", change(2, -1, 0));
        nap(1);
        change(2, 1, 0);
        _exit(0);
    }
    nap(1);
    change(2, 1, 0);
    tell("before who gave it takes it back", change(2, -1, 0));
    reap();
}

static void undone(void)
{
    restart_clock();
    change(2, 1, 0);
    if (fork() == 0) {
        change(2, -1, SEM_UNDO);
        nap(1);
        _exit(0);
    }
    nap(0);
    while (semctl(set, 2, GETVAL))
        nap(0);
    tell("the end of a process undoes", change(2, -1, SEM_UNDO));
    reap();
    change(2, 1, SEM_UNDO);
}

static void limits(void)
{
    struct sembuf operation = {0, -1, 0};
    struct timespec unit = {0, UNIT_MS * 1000000L}, none = {0, 0}, wrong = {-1, 0};
    restart_clock();
    tell("a time-out", semtimedop(set, &operation, 1, &unit));
    tell("none at all", semtimedop(set, &operation, 1, &none));
    tell("a wrong one", semtimedop(set, &operation, 1, &wrong));
    tell("no operation", semop(set, &operation, 0));
    tell("too many", semop(set, &operation, 501));
    operation.sem_num = 3;
    tell("no such semaphore", semop(set, &operation, 1));
    tell("no such set", semop(-1, &operation, 1));
    alarm_soon(SA_RESTART);
    tell("a handler, whatever its flags", change(0, -1, 0));
    restart_clock();
    if (fork() == 0) {
        nap(1);
        semctl(set, 0, IPC_RMID);
        _exit(0);
    }
    tell("removed meanwhile", change(0, -1, 0));
    reap();
}

struct message {
    long type;
    char text[100];
};

static int queue;

static long send(long type, const char *text, int flags)
{
    struct message message = {type};
    strcpy(message.text, text);
    return msgsnd(queue, &message, strlen(text), flags);
}

static void receive(const char *what, long type, int flags)
{
    struct message message = {0};
    long length = tell(what, msgrcv(queue, &message, sizeof message.text, type, flags));
    if (length >= 0)
        printf("type %ld, %ld bytes: %.*s\n", message.type, length, (int)length, message.text);
}

static void messages(void)
{
    queue = msgget(IPC_PRIVATE, 0600);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        send(1, "one", 0);
        nap(1);
        send(2, "two", 0);
        nap(1);
        send(3, "three", 0);
        _exit(0);
    }
    receive("any", 0, 0);
    receive("not without waiting", 0, IPC_NOWAIT);
    receive("of a type that comes last", 3, 0);
    receive("what was left", 0, 0);
    reap();
    send(5, "too long for so little room", 0);
    struct message small;
    tell("no room in the buffer", msgrcv(queue, &small, 3, 0, 0));
    printf("cut: %zd\n", msgrcv(queue, &small, 3, 5, MSG_NOERROR));
    tell("a type of none", send(0, "", 0));
}

static void a_full_queue(void)
{
    struct msqid_ds status;
    msgctl(queue, IPC_STAT, &status);
    status.msg_qbytes = 10;
    msgctl(queue, IPC_SET, &status);
    restart_clock();
    send(1, "12345678", 0);
    tell("full", send(2, "abc", IPC_NOWAIT));
    if (fork() == 0) {
        nap(1);
        receive("the first", 0, 0);
        _exit(0);
    }
    long sent = send(2, "abc", 0);
    reap(); /* it tells at the same time, or it did */
    tell("sent when there is room", sent);
    receive("the second", 0, 0);
    alarm_soon(SA_RESTART);
    receive("a handler, whatever its flags", 0, 0);
    restart_clock();
    if (fork() == 0) {
        nap(1);
        msgctl(queue, IPC_RMID, NULL);
        _exit(0);
    }
    receive("removed meanwhile", 0, 0);
    reap();
}

int main(void)
{
    semaphores();
    handed_on();
    undone();
    limits();
    messages();
    a_full_queue();
    return 0;
}
