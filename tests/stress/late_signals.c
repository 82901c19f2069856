/* Signals to threads and processes that end at the same time. usage: late_signals ROUNDS SEED */
#include "stress.h"

static atomic_int handled;
static _Atomic pid_t target;

static void handler(int signo) { atomic_fetch_add(&handled, 1); }

static void *end_soon(void *argument) {
    unsigned state = (uintptr_t)argument | 1;
    target = syscall(SYS_gettid);
    for (int i = chance(&state, 3); i; i--)
        nap(chance(&state, 100) * 1000L);
    return NULL;
}

static void *signal_it(void *argument) {
    for (int i = 0; i < 20; i++) {
        syscall(SYS_tgkill, getpid(), target, SIGUSR1);
        kill(getpid(), SIGUSR2);
        if (i % 4 == 0)
            sched_yield();
    }
    return NULL;
}

static int threads(unsigned state) {
    pthread_t ending, signalling;
    pthread_create(&ending, NULL, end_soon, (void *)(uintptr_t)state);
    pthread_create(&signalling, NULL, signal_it, NULL);
    pthread_join(ending, NULL);
    pthread_join(signalling, NULL);
    return 0;
}

static int processes(unsigned state) {
    pid_t pid = fork();
    if (pid == 0) {
        nap(chance(&state, 100) * 1000L);
        _exit(0);
    }
    for (int i = 0; i < 10; i++) {
        kill(pid, i == 9 ? SIGKILL : i % 2 ? SIGUSR1 : SIGUSR2);
        if (i % 3 == 0)
            nap(chance(&state, 50) * 1000L);
    }
    return waitpid(pid, NULL, 0) != pid;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = handler};
    unsigned state = atoi(argv[2]) * 2654435761u | 1;
    int failed = 0;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    for (int round = 0; round < atoi(argv[1]); round++) {
        chance(&state, 2);
        failed += round % 2 ? threads(state) : processes(state);
    }
    printf("failed %d, some handled %d\n", failed, handled > 0);
    return failed;
}
