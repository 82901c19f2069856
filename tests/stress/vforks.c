/* What may happen to a process while one of its threads waits in vfork. usage: vforks ROUNDS */
#include "stress.h"

static const char *ways[] = {"exit_group", "exec", "kill", "kill of the child", "stop of the child", "all go on"};
enum { WAYS = sizeof ways / sizeof *ways };

static _Atomic pid_t *child;

static void *wait_in_vfork(void *argument) {
    pid_t pid = vfork();
    if (pid == 0) {
        *child = getpid();
        nap(30 * MS);
        _exit(5);
    }
    waitpid(pid, NULL, 0);
    if (argument)
        _exit(6);
    return NULL;
}

static void play(int way) {
    start_thread(wait_in_vfork, way >= 3 ? (void *)1 : NULL);
    nap(10 * MS);
    switch (way) {
    case 0: _exit(31);
    case 1: execl("/bin/sh", "sh", "-c", "exit 32", NULL); break;
    case 2: kill(getpid(), SIGKILL); break;
    case 3: kill(*child, SIGKILL); break;
    case 4:
        kill(*child, SIGSTOP);
        nap(100 * MS);
        kill(*child, SIGCONT);
        break;
    }
    pause();
}

int main(int argc, char **argv) {
    child = shared(sizeof *child);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int round = 0; round < atoi(argv[1]); round++)
        for (int way = 0; way < WAYS; way++) {
            pid_t pid = fork();
            if (pid == 0)
                play(way);
            int status;
            waitpid(pid, &status, 0);
            int others = reap_all();
            if (round == 0)
                printf("%s: %x, %d left\n", ways[way], status, others);
        }
    return 0;
}
