/* A process's first thread leaves; the others go on, and end the process in one way or another. usage: leaders ROUNDS */
#include "stress.h"

static const char *ways[] = {"exit_group", "exec", "kill", "last thread", "child", "stop", "abort"};
enum { WAYS = sizeof ways / sizeof *ways };

static void *go_on(void *argument) {
    nap(50 * MS);
    switch ((uintptr_t)argument) {
    case 0: exit(11);
    case 1: execl("/bin/sh", "sh", "-c", "exit 12", NULL); break;
    case 2: kill(getpid(), SIGKILL); break;
    case 3: syscall(SYS_exit, 13); break;
    case 4: {
        pid_t pid = fork();
        if (pid == 0)
            _exit(14);
        int status;
        waitpid(pid, &status, 0);
        _exit(WEXITSTATUS(status));
    }
    case 5: {
        kill(getpid(), SIGSTOP);
        nap(MS);
        _exit(15);
    }
    case 6: abort();
    }
    return NULL;
}

static void *accompany(void *argument) {
    if (argument)
        nap(10 * MS);
    return NULL;
}

static void play(uintptr_t way) {
    start_thread(accompany, NULL);
    start_thread(accompany, (void *)1);
    start_thread(go_on, (void *)way);
    syscall(SYS_exit, 0);
}

int main(int argc, char **argv) {
    for (int round = 0; round < atoi(argv[1]); round++)
        for (uintptr_t way = 0; way < WAYS; way++) {
            pid_t child = fork();
            if (child == 0)
                play(way);
            int status;
            if (way == 5) {
                waitpid(child, &status, WUNTRACED);
                if (!WIFSTOPPED(status))
                    printf("not stopped\n");
                nap(20 * MS);
                kill(child, SIGCONT);
            }
            waitpid(child, &status, 0);
            if (round == 0)
                printf("%s: %x\n", ways[way], status & ~0x80);
        }
    return 0;
}
