/* Processes that make processes and threads and call exec, without end, while somebody outside kills them.
 * usage: makers BIRTHS   the first process, which is to be spared, makes up for the dead and ends after so many births */
#include "stress.h"

static atomic_int *births;

static void *end_at_once(void *argument) { return NULL; }

static void make(char *self, char *fd, unsigned *state) {
    pid_t pid = -1;
    atomic_fetch_add(births, 1);
    switch (chance(state, 7)) {
    case 0: if (!(pid = fork())) _exit(0); break;
    case 1: if (!(pid = vfork())) _exit(0); break;
    case 2: if (!(pid = vfork())) { execl(self, self, "leaf", NULL); _exit(1); } break;
    case 3: if (!(pid = fork())) { execl(self, self, "leaf", NULL); _exit(1); } break;
    case 4: start_thread(end_at_once, NULL); break;
    case 5: if (!(pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL, NULL, NULL, NULL))) _exit(0); break;
    case 6: execl(self, self, "worker", fd, NULL); break;
    }
    if (pid > 0 && chance(state, 2))
        waitpid(pid, NULL, 0);
}

static void *make_without_end(void *argument) {
    char **argv = argument;
    unsigned state = (getpid() * 2654435761u + *births) | 1;
    for (;;) {
        make("/proc/self/exe", argv[2], &state);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (!strcmp(argv[1], "leaf"))
        return 0;
    if (!strcmp(argv[1], "worker")) {
        births = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[2]), 0);
        start_thread(make_without_end, argv);
        make_without_end(argv);
    }
    char fd[16];
    int file = memfd_create("births", 0), workers = 0;
    ftruncate(file, 4096);
    births = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    snprintf(fd, sizeof fd, "%d", file);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    puts("ready");
    fflush(stdout);
    pid_t group = 0;
    while (*births < atoi(argv[1])) {
        for (; workers < 6; workers++) {
            pid_t pid = fork();
            if (pid == 0) {
                setpgid(0, group);
                execl("/proc/self/exe", "makers", "worker", fd, NULL);
            }
            setpgid(pid, group);
            group = group ? group : pid;
        }
        nap(MS);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            workers = 0; /* it may have been one, and too many do no harm */
    }
    while (kill(-group, SIGKILL) == 0)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    reap_all();
    puts("done");
    return 0;
}
