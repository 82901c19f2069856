/* In each way there is a thread waits for ever, and its process is killed: by its parent, or from outside, when the
 * parent has told its pid. usage: waits inside|outside */
#include "stress.h"
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <pty.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#define FULL (1 << 20)
static char bytes[FULL];
static int locked, semaphores, messages, word;
static sigset_t all;

static void read_of(int fd) { read(fd, bytes, 4096); }
static int *pair(void) { static int fds[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, fds); return fds; }
static int *piped(void) { static int fds[2]; pipe(fds); return fds; }
static void pipe_read(void) { read_of(piped()[0]); }
static void pipe_write(void) { write(piped()[1], bytes, FULL); }
static void eventfd_read_(void) { read_of(eventfd(0, 0)); }
static void eventfd_write_(void) { int fd = eventfd(1, 0); eventfd_write(fd, -2); eventfd_write(fd, 1); }
static void timerfd_read(void) { read_of(timerfd_create(CLOCK_MONOTONIC, 0)); }
static void signalfd_read(void) { sigset_t one; sigemptyset(&one); sigaddset(&one, SIGUSR2); read_of(signalfd(-1, &one, 0)); }
static void inotify_read(void) { read_of(inotify_init1(0)); }
static void socket_read(void) { read_of(pair()[0]); }
static void socket_write(void) { int fd = pair()[0]; while (write(fd, bytes, FULL) > 0) ; }
static void socket_messages(void) { struct mmsghdr header = {{0}}; recvmmsg(pair()[0], &header, 1, 0, NULL); }
static void poll_pipe(void) { struct pollfd one = {piped()[0], POLLIN, 0}; poll(&one, 1, -1); }
static void poll_socket(void) { struct pollfd one = {pair()[0], POLLIN, 0}; poll(&one, 1, -1); }
static void select_both(void) {
    int one = piped()[0], other = pair()[0];
    fd_set set;
    FD_ZERO(&set);
    FD_SET(one, &set);
    FD_SET(other, &set);
    select(64, &set, NULL, NULL, NULL);
}
static void epoll_of(int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    epoll_wait(epoll, &event, 1, -1);
}
static void epoll_pipe(void) { epoll_of(piped()[0]); }
static void epoll_socket(void) { epoll_of(pair()[0]); }
static void futex_wait(void) { syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0); }
static void futex_lock(void) { word = getpid(); syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0); }
static void futex_several(void) {
    struct { uint64_t value, address; uint32_t flags, reserved; } waiter = {0, (uintptr_t)&word, 2, 0};
    syscall(449, &waiter, 1, 0, NULL, 0);
}
/* Longer than any clock runs: a clock that jumps would end a shorter one before somebody outside gets there. */
static void long_sleep(void) { struct timespec span = {1L << 40, 0}; nanosleep(&span, NULL); }
static void clock_sleep(void) { struct timespec at = {1L << 40, 0}; clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL); }
static void for_a_signal(void) { pause(); }
static void suspended(void) { sigset_t none; sigemptyset(&none); sigsuspend(&none); }
static void for_a_taken_signal(void) { sigwaitinfo(&all, NULL); }
static pid_t lasting_child(pid_t (*make)(void)) {
    pid_t pid = make();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
    }
    return pid;
}
static void for_a_child(void) { wait4(lasting_child(fork), NULL, 0, NULL); }
static void for_a_pidfd(void) { siginfo_t info; waitid(3, syscall(SYS_pidfd_open, lasting_child(fork), 0), &info, WEXITED); }
static void in_vfork(void) { if (vfork() == 0) { prctl(PR_SET_PDEATHSIG, SIGKILL); pause(); } }
static void stopped(void) { raise(SIGSTOP); }
static int listener(struct sockaddr_un *address, socklen_t *length) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    *length = sizeof *address;
    *address = (struct sockaddr_un){AF_UNIX};
    bind(fd, (struct sockaddr *)address, sizeof(sa_family_t));
    getsockname(fd, (struct sockaddr *)address, length);
    listen(fd, 0);
    return fd;
}
static void accepting(void) { struct sockaddr_un address; socklen_t length; accept(listener(&address, &length), NULL, NULL); }
static void connecting(void) {
    struct sockaddr_un address;
    socklen_t length;
    listener(&address, &length);
    while (connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&address, length) == 0)
        ;
}
static int again(void) { char path[64]; snprintf(path, sizeof path, "/proc/self/fd/%d", locked); return open(path, O_RDWR); }
static void whole_lock(void) { flock(again(), LOCK_EX); }
static void lock_of(int fd, int command) { struct flock lock = {.l_type = F_WRLCK}; fcntl(fd, command, &lock); }
static void record_lock(void) { lock_of(locked, F_SETLKW); }
static void description_lock(void) { lock_of(again(), F_OFD_SETLKW); }
static void fifo_open(void) { mkfifo("fifo", 0600); open("fifo", O_RDONLY); }
static void semaphore(void) { struct sembuf down = {0, -1, 0}; semop(semaphores, &down, 1); }
static void message(void) { msgrcv(messages, bytes, 100, 0, 0); }
static void posix_message(void) {
    char name[64];
    snprintf(name, sizeof name, "/waits-%d", getpid());
    mqd_t queue = mq_open(name, O_CREAT | O_RDWR, 0600, NULL);
    mq_unlink(name);
    mq_receive(queue, bytes, FULL, NULL);
}
static void terminal(void) { int master, slave; openpty(&master, &slave, NULL, NULL, NULL); read_of(slave); }
static void unforeseen(void) {
    aio_context_t context = 0;
    struct io_event event;
    syscall(SYS_io_setup, 1, &context);
    syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
}
static void computing(void) { for (;;) ; }
static void yielding(void) { for (;;) sched_yield(); }

#define WAY(function) {#function, function}
static const struct { const char *name; void (*wait)(void); } ways[] = {
    WAY(pipe_read), WAY(pipe_write), WAY(eventfd_read_), WAY(eventfd_write_), WAY(timerfd_read), WAY(signalfd_read),
    WAY(inotify_read), WAY(socket_read), WAY(socket_write), WAY(socket_messages), WAY(poll_pipe), WAY(poll_socket),
    WAY(select_both), WAY(epoll_pipe), WAY(epoll_socket), WAY(futex_wait), WAY(futex_lock), WAY(futex_several),
    WAY(long_sleep), WAY(clock_sleep), WAY(for_a_signal), WAY(suspended), WAY(for_a_taken_signal), WAY(for_a_child),
    WAY(for_a_pidfd), WAY(in_vfork), WAY(stopped), WAY(accepting), WAY(connecting), WAY(whole_lock), WAY(record_lock),
    WAY(description_lock), WAY(fifo_open), WAY(semaphore), WAY(message), WAY(posix_message), WAY(terminal),
    WAY(unforeseen), WAY(computing), WAY(yielding),
};

static void *wait_for_ever(void *way) {
    ((void (*)(void))way)();
    _exit(1); /* it did not wait */
}

/* As long as somebody outside may write to it, waiting for him is no deadlock. */
static void *listen_to_the_outside(void *argument) {
    read_of(0);
    return NULL;
}

int main(int argc, char **argv) {
    int inside = !strcmp(argv[1], "inside"), status;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigfillset(&all);
    locked = memfd_create("locked", 0);
    flock(locked, LOCK_EX);
    lock_of(locked, F_SETLK);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    messages = msgget(IPC_PRIVATE, 0600);
    if (!inside)
        start_thread(listen_to_the_outside, NULL);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            sigprocmask(SIG_BLOCK, &all, NULL);
            start_thread(wait_for_ever, ways[i].wait);
            sigprocmask(SIG_UNBLOCK, &all, NULL);
            for (;;)
                pause();
        }
        nap(10 * MS);
        if (inside)
            kill(pid, SIGKILL);
        else
            printf("%d\n", pid);
        waitpid(pid, &status, 0);
        printf("%s %d\n", ways[i].name, WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status));
    }
    semctl(semaphores, 0, IPC_RMID);
    msgctl(messages, IPC_RMID, NULL);
    _exit(0);
}
