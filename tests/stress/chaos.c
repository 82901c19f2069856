/* Processes and threads that signal, fork, vfork, pipe, exec and exit at random, for a while of virtual time.
 * usage: chaos PROCESSES THREADS SECONDS SEED     the first process reaps whatever is left, and ends with 0 */
#include "stress.h"
#include <spawn.h>
#include <sys/timerfd.h>

extern char **environ;

struct world {
    atomic_int processes, threads, actions, most_processes, most_threads;
    int process_limit, thread_limit;
    int64_t ends_at;          /* CLOCK_MONOTONIC, ns */
    _Atomic pid_t pids[1024]; /* 0: free */
};

static struct world *world;
static int world_fd; /* a memfd: it survives exec */

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void enter(pid_t pid) {
    for (int i = 0; i < 1024; i++) {
        pid_t free = 0;
        if (atomic_compare_exchange_strong(&world->pids[i], &free, pid))
            return;
    }
}

static pid_t somebody(unsigned *state) {
    return world->pids[chance(state, 1024) % (world->process_limit + 1)];
}

static void count_up(atomic_int *counter, atomic_int *most) {
    int count = atomic_fetch_add(counter, 1) + 1, before = *most;
    while (count > before && !atomic_compare_exchange_weak(most, &before, count))
        ;
}

/* The first process counts the dead: others may be killed at any moment. */
static void bury(pid_t pid) {
    for (int i = 0; i < 1024; i++)
        if (world->pids[i] == pid) {
            world->pids[i] = 0;
            atomic_fetch_sub(&world->processes, 1);
        }
}

static void handler(int signo) {
    atomic_fetch_add(&world->actions, 1);
}

static void *live(void *argument);

static void become_again(unsigned *state) {
    char seed[16], fd[16];
    snprintf(seed, sizeof seed, "%u", *state);
    snprintf(fd, sizeof fd, "%d", world_fd);
    execl("/proc/self/exe", "chaos", "again", fd, seed, NULL);
}

static void make_process(unsigned *state) {
    if (world->processes >= world->process_limit)
        return;
    count_up(&world->processes, &world->most_processes);
    unsigned seed = *state * 2654435761u | 1;
    pid_t pid = fork();
    if (pid == 0) {
        enter(getpid());
        if (chance(&seed, 3) == 0)
            become_again(&seed);
        live((void *)(uintptr_t)seed);
        _exit(0);
    }
    if (pid < 0)
        atomic_fetch_sub(&world->processes, 1);
}

static void make_thread(unsigned *state) {
    if (world->threads >= world->thread_limit)
        return;
    count_up(&world->threads, &world->most_threads);
    if (start_thread(live, (void *)(uintptr_t)(*state * 40503u | 1)))
        atomic_fetch_sub(&world->threads, 1);
}

static void spawn(unsigned *state) {
    if (chance(state, 2)) {
        pid_t pid = vfork();
        if (pid == 0)
            _exit(7);
        return;
    }
    pid_t pid;
    char *arguments[] = {"true", NULL};
    posix_spawn(&pid, "/bin/true", NULL, NULL, arguments, environ);
}

static void signal_somebody(unsigned *state) {
    static const int signals[] = {SIGUSR1, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGKILL, SIGSTOP, SIGCONT, SIGCONT};
    pid_t pid = somebody(state);
    int signo = signals[chance(state, sizeof signals / sizeof *signals)];
    if (pid > 1 && pid != world->pids[0])
        kill(pid, signo);
    if (signo == SIGSTOP) {
        nap(chance(state, 500) * MS);
        kill(pid, SIGCONT);
    }
}

static void pipe_to_child(unsigned *state) {
    int ends[2];
    char buffer[4096] = "";
    if (world->processes >= world->process_limit || pipe2(ends, chance(state, 2) ? O_CLOEXEC : 0))
        return;
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        for (int i = 0; i < 20; i++)
            write(ends[1], buffer, sizeof buffer);
        _exit(0);
    }
    close(ends[1]);
    while (pid > 0 && read(ends[0], buffer, sizeof buffer) > 0)
        ;
    close(ends[0]);
}

static void wait_a_little(unsigned *state) {
    if (chance(state, 4) == 0)
        alarm(1 + chance(state, 5));
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec soon = {.it_value = {chance(state, 3), 1 + chance(state, 1000) * MS}};
    uint64_t expirations;
    timerfd_settime(timer, 0, &soon, NULL);
    read(timer, &expirations, sizeof expirations);
    close(timer);
}

static void leave(unsigned *state) {
    if (getpid() == world->pids[0])
        return;
    switch (chance(state, 4)) {
    case 0: become_again(state); break;
    case 1: _exit(chance(state, 200)); break;
    default: syscall(SYS_exit, 0); /* one thread; its stack is lost */
    }
}

/* What every thread does until the time is up. */
static void *live(void *argument) {
    unsigned state = (uintptr_t)argument;
    while (now() < world->ends_at) {
        atomic_fetch_add(&world->actions, 1);
        nap(chance(&state, 20000) * MS);
        switch (chance(&state, 16)) {
        case 0: case 1: case 2: make_process(&state); break;
        case 3: case 4: case 5: make_thread(&state); break;
        case 6: spawn(&state); break;
        case 7: case 8: case 9: signal_somebody(&state); break;
        case 10: pipe_to_child(&state); break;
        case 11: case 12: wait_a_little(&state); break;
        case 13: while (waitpid(-1, NULL, WNOHANG | __WALL) > 0) ; break;
        case 14: leave(&state); break;
        case 15: raise(SIGUSR1); break;
        }
    }
    return NULL;
}

static void set_signals(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    action.sa_flags = 0;
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
}

static void map_world(void) {
    world = mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED, world_fd, 0);
    if (world == MAP_FAILED)
        _exit(111);
}

/* The first process is the reaper: it buries everybody, and kills who is left when the time is up. */
static int reign(void) {
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG | __WALL);
        if (pid > 0) {
            bury(pid);
            continue;
        }
        if (pid < 0 && now() >= world->ends_at)
            break;
        if (pid < 0) {
            unsigned state = world->actions * 2654435761u | 1;
            make_process(&state);
        }
        if (now() >= world->ends_at + 30 * SECOND)
            for (int i = 1; i < 1024; i++)
                if (world->pids[i] > 1)
                    kill(world->pids[i], SIGKILL);
        nap(200 * MS);
    }
    fprintf(stderr, "%d actions, at most %d processes and %d threads\n", world->actions, world->most_processes,
            world->most_threads);
    puts("all gone");
    return 0;
}

int main(int argc, char **argv) {
    if (!strcmp(argv[1], "again")) {
        world_fd = atoi(argv[2]);
        map_world();
        set_signals();
        live((void *)(uintptr_t)strtoul(argv[3], NULL, 10));
        return 0;
    }
    world_fd = memfd_create("world", 0);
    ftruncate(world_fd, sizeof *world);
    map_world();
    world->process_limit = atoi(argv[1]);
    world->thread_limit = atoi(argv[2]);
    world->ends_at = now() + atoi(argv[3]) * SECOND;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    enter(getpid());
    set_signals();
    unsigned state = atoi(argv[4]) * 2654435761u | 1;
    for (int i = 0; i < 8; i++) {
        chance(&state, 2);
        make_process(&state);
    }
    return reign();
}
