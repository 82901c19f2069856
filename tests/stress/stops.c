/* Processes that are stopped and continued in any order while they work. usage: stops PROCESSES ROUNDS SEED */
#include "stress.h"

static atomic_int *work;

static void *busy(void *argument) {
    for (;;) {
        atomic_fetch_add(work, 1);
        nap(2 * MS);
    }
    return NULL;
}

int main(int argc, char **argv) {
    int count = atoi(argv[1]), rounds = atoi(argv[2]), stopped = 0, continued = 0;
    static const int signals[] = {SIGSTOP, SIGCONT, SIGTSTP, SIGTTIN, SIGCONT, SIGUSR1};
    unsigned state = atoi(argv[3]) * 2654435761u | 1;
    pid_t pids[count];
    work = shared(sizeof *work);
    signal(SIGUSR1, SIG_IGN);
    for (int i = 0; i < count; i++)
        if (!(pids[i] = fork())) {
            start_thread(busy, NULL);
            busy(NULL);
        }
    for (int round = 0; round < rounds; round++) {
        int status;
        kill(pids[chance(&state, count)], signals[chance(&state, 6)]);
        if (chance(&state, 3) == 0)
            nap(chance(&state, 5) * MS);
        while (waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED) > 0) {
            stopped += WIFSTOPPED(status);
            continued += WIFCONTINUED(status);
        }
    }
    for (int i = 0; i < count; i++)
        kill(pids[i], SIGCONT);
    int before = *work;
    nap(100 * MS);
    printf("all work: %d\n", *work - before >= count * 20);
    for (int i = 0; i < count; i++) {
        kill(pids[i], SIGSTOP);
        kill(pids[i], SIGKILL);
    }
    printf("reaped %d\n", reap_all());
    fprintf(stderr, "%d stops, %d continues\n", stopped, continued);
    return stopped == 0 || continued == 0;
}
