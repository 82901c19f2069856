/* exec against everything that may happen at the same time. usage: execs ROUNDS SEED
 * Each round is a child: some threads, of which one calls exec while others exit, sleep, fork or call exec as well. */
#include "stress.h"

static char self[256];

static void *nap_and_end(void *argument) {
    nap((uintptr_t)argument % 3 * MS);
    return NULL;
}

static void *sleep_on(void *argument) {
    for (;;)
        nap(SECOND);
    return NULL;
}

static void *call_exec(void *argument) {
    unsigned state = (uintptr_t)argument | 1;
    nap(chance(&state, 3) * MS);
    execl(self, "execs", "leaf", NULL);
    _exit(3);
}

static void *fork_and_wait(void *argument) {
    for (;;) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    return NULL;
}

static void *vfork_and_wait(void *argument) {
    for (;;) {
        pid_t pid = vfork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    return NULL;
}

static void *make_threads(void *argument) {
    for (;;) {
        start_thread(nap_and_end, argument);
        sched_yield();
    }
    return NULL;
}

static void *leave_group(void *argument) {
    unsigned state = (uintptr_t)argument | 1;
    nap(chance(&state, 3) * MS);
    _exit(8);
}

static void *(*const bodies[])(void *) = {nap_and_end, sleep_on, call_exec, fork_and_wait,
                                          vfork_and_wait, make_threads, call_exec, leave_group};

static int play(unsigned state) {
    unsigned leader = chance(&state, 4);
    for (int i = 1 + chance(&state, 4); i; i--)
        start_thread(bodies[chance(&state, sizeof bodies / sizeof *bodies)], (void *)(uintptr_t)(state >> 3));
    start_thread(call_exec, (void *)(uintptr_t)(state >> 5));
    switch (leader) {
    case 0: pthread_exit(NULL);
    case 1: call_exec((void *)(uintptr_t)(state >> 7)); break;
    case 2: nap(chance(&state, 3) * MS); pthread_exit(NULL);
    default: sleep_on(NULL);
    }
    return 4;
}

int main(int argc, char **argv) {
    readlink("/proc/self/exe", self, sizeof self - 1); /* whose link is broken when the first thread has gone */
    if (!strcmp(argv[1], "leaf"))
        return 7;
    int rounds = atoi(argv[1]), counts[2] = {0, 0};
    unsigned state = atoi(argv[2]) * 2654435761u | 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int round = 0; round < rounds; round++) {
        int status, odd = 0;
        chance(&state, 2);
        pid_t child = fork();
        if (child == 0)
            return play(state);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFEXITED(status) && (WEXITSTATUS(status) == 7 || WEXITSTATUS(status) == 8))
            counts[WEXITSTATUS(status) - 7]++;
        else
            odd = printf("round %d: status %x\n", round, status);
        reap_all();
        if (odd)
            return 1;
    }
    fprintf(stderr, "%d new programs, %d exits\n", counts[0], counts[1]);
    printf("%d rounds\n", counts[0] + counts[1]);
    return 0;
}
