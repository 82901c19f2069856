/* Processes of three threads each, all busy with something else, are killed one after the other.
 * usage: kill_storm PROCESSES SEED */
#include "stress.h"
#include <poll.h>
#include <sys/file.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static int pipes[2], sockets[2], event;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void read_and_write(unsigned *state) {
    char buffer[512] = "";
    if (chance(state, 2))
        write(pipes[1], buffer, chance(state, sizeof buffer));
    else
        read(pipes[0], buffer, sizeof buffer);
}

static void wait_for_change(void) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec = (until.tv_nsec + 3 * MS) % SECOND;
    pthread_mutex_lock(&lock);
    pthread_cond_timedwait(&changed, &lock, &until);
    pthread_mutex_unlock(&lock);
}

static void watch(void) {
    int epoll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec soon = {.it_value = {0, 2 * MS}};
    struct epoll_event event = {.events = EPOLLIN};
    timerfd_settime(timer, 0, &soon, NULL);
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    epoll_wait(epoll, &event, 1, 10);
    close(timer);
    close(epoll);
}

static void map(void) {
    void *memory = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 1, 1 << 16);
    munmap(memory, 1 << 16);
}

static void talk(unsigned *state) {
    char buffer[512] = "";
    if (chance(state, 2))
        send(sockets[0], buffer, chance(state, sizeof buffer), MSG_DONTWAIT);
    else
        recv(sockets[1], buffer, sizeof buffer, 0);
}

static void watch_socket(void) {
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};
    struct pollfd both[] = {{sockets[1], POLLIN, 0}, {pipes[0], POLLIN, 0}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[1], &event);
    epoll_wait(epoll, &event, 1, 2);
    close(epoll);
    poll(both, 2, 2);
}

static void open_things(void) {
    char path[64], text[64];
    int fd = open("/proc/self/stat", O_RDONLY);
    read(fd, text, sizeof text);
    close(fd);
    snprintf(path, sizeof path, "/proc/self/fd/%d", event);
    readlink(path, text, sizeof text);
    fd = open("kill_storm.lock", O_RDWR | O_CREAT, 0600);
    flock(fd, LOCK_EX);
    sched_yield();
    close(fd);
}

static void *busy(void *argument) {
    unsigned state = (uintptr_t)argument * 2654435761u | 1;
    for (;;) {
        switch (chance(&state, 11)) {
        case 0: nap(chance(&state, 5) * MS); break;
        case 1: read_and_write(&state); break;
        case 2: wait_for_change(); break;
        case 3: watch(); break;
        case 4: map(); break;
        case 5: eventfd_write(event, 1); break;
        case 6: poll(&(struct pollfd){event, POLLIN, 0}, 1, 1); break;
        case 7: pthread_cond_broadcast(&changed); break;
        case 8: talk(&state); break;
        case 9: watch_socket(); break;
        case 10: open_things(); break;
        }
    }
    return NULL;
}

static void live(unsigned seed) {
    pipe(pipes);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    event = eventfd(0, EFD_NONBLOCK);
    for (uintptr_t thread = 1; thread < 3; thread++)
        start_thread(busy, (void *)(seed * 3 + thread));
    busy((void *)(uintptr_t)(seed * 3));
}

int main(int argc, char **argv) {
    int count = atoi(argv[1]), killed = 0;
    unsigned state = atoi(argv[2]) * 7919 + 1;
    pid_t pids[count];
    for (int i = 0; i < count; i++)
        if (!(pids[i] = fork()))
            live(state + i);
    for (int left = count; left; left--) {
        nap(chance(&state, 4) * MS);
        int victim = chance(&state, left), status;
        kill(pids[victim], SIGKILL);
        if (chance(&state, 2))
            sched_yield();
        if (waitpid(pids[victim], &status, 0) == pids[victim] && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
            killed++;
        pids[victim] = pids[left - 1];
    }
    printf("killed %d of %d\n", killed, count);
    return killed != count;
}
