/* A thread that blocks in a call of Linux that tickless does not know to block, and what happens to it there. */
#include "stress.h"
#include <linux/aio_abi.h>

static atomic_int handled, returned;
static _Atomic pid_t blocked_tid;

static void handler(int signo) { handled++; }

static void *block(void *argument) {
    aio_context_t context = 0;
    struct io_event event;
    blocked_tid = syscall(SYS_gettid);
    syscall(SYS_io_setup, 1, &context);
    int result = syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
    returned = result < 0 ? errno : -1;
    return NULL;
}

static void play(int way) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(SIGUSR1, &action, NULL);
    start_thread(block, NULL);
    nap(50 * MS);
    pid_t child;
    switch (way) {
    case 0: _exit(11);
    case 1: execl("/bin/sh", "sh", "-c", "exit 12", NULL); break;
    case 2: raise(SIGKILL); break;
    case 3: syscall(SYS_tgkill, getpid(), blocked_tid, SIGUSR1); break;
    case 4:
        if ((child = fork()) == 0) {
            nap(10 * MS);
            kill(getppid(), SIGTERM);
            _exit(0);
        }
        pause();
        break;
    case 5: syscall(SYS_exit, 0); break; /* nobody is left but the one that blocks: an alarm ends it */
    case 6: kill(getpid(), SIGSTOP); break;
    }
    nap(50 * MS);
    _exit(returned == EINTR && handled == 1 ? 13 : 14);
}

int main(void) {
    static const char *ways[] = {"exit", "exec", "kill", "signal", "term", "leader", "stop"};
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int way = 0; way < 7; way++) {
        pid_t pid = fork();
        if (pid == 0)
            play(way);
        int status;
        if (way == 5) {
            nap(200 * MS);
            kill(pid, SIGALRM);
        }
        if (way == 6) {
            waitpid(pid, &status, WUNTRACED);
            printf("stopped %d\n", WIFSTOPPED(status));
            nap(20 * MS);
            kill(pid, SIGCONT);
        }
        waitpid(pid, &status, 0);
        printf("%s: %x\n", ways[way], status);
    }
    return 0;
}
