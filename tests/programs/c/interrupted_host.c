/* A handler interrupts calls that wait for files of the host: sockets, locks, FIFOs, terminals, inotify, System V IPC. */
#define _GNU_SOURCE
#include "interrupt.h"
#include <fcntl.h>
#include <mqueue.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>

static int pair[2], full_pair[2], listener, terminal_master, terminal, watch, locked, wanting, fifo_other;
static int queue, semaphores;
static mqd_t messages;
static char messages_name[32];
static struct sockaddr_un address;
static socklen_t address_size;
static char bytes[4096];

static void set_up_sockets(void) {
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "make a socketpair");
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, full_pair) == 0, "make a socketpair");
    while (send(full_pair[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue;
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    address = (struct sockaddr_un){.sun_family = AF_UNIX};
    check(bind(listener, (struct sockaddr *)&address, sizeof address.sun_family) == 0 && listen(listener, 0) == 0, "listen");
    address_size = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &address_size);
}

static void set_up(void) {
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 16};
    set_up_sockets();
    terminal_master = posix_openpt(O_RDWR | O_NOCTTY);
    check(terminal_master >= 0 && grantpt(terminal_master) == 0 && unlockpt(terminal_master) == 0, "make a terminal");
    terminal = open(ptsname(terminal_master), O_RDWR | O_NOCTTY);
    locked = open("locked", O_RDWR | O_CREAT, 0600);
    wanting = open("locked", O_RDWR);
    check(flock(locked, LOCK_EX) == 0, "lock");
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    check(fcntl(locked, F_OFD_SETLK, &whole) == 0, "lock by fcntl");
    check(mkfifo("fifo", 0600) == 0, "make a FIFO");
    fifo_other = -1;
    watch = inotify_init1(0);
    inotify_add_watch(watch, ".", IN_CREATE);
    queue = msgget(IPC_PRIVATE, 0600);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    snprintf(messages_name, sizeof messages_name, "/tickless-%d", (int)getpid());
    messages = mq_open(messages_name, O_RDWR | O_CREAT, 0600, &attributes);
    check(queue >= 0 && semaphores >= 0 && messages != (mqd_t)-1, "make queues");
}

static void clean_up(void) {
    int fds[] = {pair[0], pair[1], full_pair[0], full_pair[1], listener, terminal_master, terminal, watch, locked, wanting};
    for (size_t i = 0; i < COUNT_OF(fds); i++) close(fds[i]);
    if (fifo_other >= 0) close(fifo_other);
    msgctl(queue, IPC_RMID, NULL);
    semctl(semaphores, 0, IPC_RMID);
    mq_close(messages);
    mq_unlink(messages_name);
    unlink("locked"), unlink("fifo"), unlink("created");
}

static int connect_here(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, address_size) == 0 ? fd : -1;
}

static long receive(void) { return recv(pair[0], bytes, 10, 0); }
static void send_a_byte(void) { check(send(pair[1], "x", 1, 0) == 1, "send"); }
static long receive_with_a_limit(void) {
    struct timeval limit = {.tv_usec = LONG_MS * 1000};
    setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return recv(pair[0], bytes, 10, 0);
}
static long send_to_full(void) { return send(full_pair[1], bytes, 1, 0); }
static void drain_socket(void) { while (recv(full_pair[0], bytes, sizeof bytes, MSG_DONTWAIT) > 0) continue; }
static long accept_one(void) { return accept(listener, NULL, NULL) >= 0 ? 1 : -1; }
static void connect_one(void) { check(connect_here() >= 0, "connect"); }
static long connect_to_full_backlog(void) {
    check(connect_here() >= 0, "fill the backlog");
    return connect_here() >= 0 ? 1 : -1;
}
static void accept_both(void) { accept(listener, NULL, NULL); }
static long read_terminal(void) { return read(terminal, bytes, 10); }
static void type_a_line(void) { check(write(terminal_master, "x\n", 2) == 2, "type"); }
static long read_inotify(void) { return read(watch, bytes, sizeof bytes) > 0 ? 1 : -1; }
static void create_a_file(void) { close(open("created", O_CREAT | O_WRONLY, 0600)); }
static long lock_by_flock(void) { return flock(wanting, LOCK_EX); }
static void unlock_flock(void) { flock(locked, LOCK_UN); }
static long lock_by_fcntl(void) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(wanting, F_OFD_SETLKW, &whole);
}
static void unlock_fcntl(void) {
    struct flock whole = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(locked, F_OFD_SETLK, &whole);
}
static long open_fifo(void) { return open("fifo", O_RDONLY) >= 0 ? 1 : -1; }
static void open_other_end(void) { fifo_other = open("fifo", O_RDWR | O_NONBLOCK); }

struct message { long type; char text[8]; };
static long receive_message(void) { struct message message; return msgrcv(queue, &message, 8, 0, 0); }
static void send_message(void) { struct message message = {1, "x"}; check(msgsnd(queue, &message, 8, 0) == 0, "msgsnd"); }
static long take_semaphore(void) { struct sembuf take = {0, -1, 0}; return semop(semaphores, &take, 1); }
static void give_semaphore(void) { struct sembuf give = {0, 1, 0}; check(semop(semaphores, &give, 1) == 0, "semop"); }
static long receive_posix_message(void) { return mq_receive(messages, bytes, sizeof bytes, NULL); }
static void send_posix_message(void) { check(mq_send(messages, "x", 1, 0) == 0, "mq_send"); }

static const struct call calls[] = {
    {"recv", receive, send_a_byte},
    {"recv, SO_RCVTIMEO", receive_with_a_limit, send_a_byte},
    {"send to a full socket", send_to_full, drain_socket},
    {"accept", accept_one, connect_one},
    {"connect to a full backlog", connect_to_full_backlog, accept_both},
    {"read of a terminal", read_terminal, type_a_line},
    {"read of inotify", read_inotify, create_a_file},
    {"flock", lock_by_flock, unlock_flock},
    {"F_OFD_SETLKW", lock_by_fcntl, unlock_fcntl},
    {"open of a FIFO", open_fifo, open_other_end},
    {"msgrcv", receive_message, send_message},
    {"semop", take_semaphore, give_semaphore},
    {"mq_receive", receive_posix_message, send_posix_message},
};

int main(void) { interrupt_all(calls, COUNT_OF(calls), set_up, clean_up); }
