/* Each round a process makes others in every way there is; outside somebody kills one of them, at a later event each time.
 * usage: aimed ROUNDS     build: -static */
#include "stress.h"
#include <spawn.h>

extern char **environ;
static int killed; /* children that were, or could not be made because they were */

static void note(pid_t pid) {
    int status = 0;
    if (pid > 0 && waitpid(pid, &status, __WALL) == pid)
        killed |= WIFSIGNALED(status) || WEXITSTATUS(status);
    else
        killed |= pid < 0;
}

static void become_a_leaf(void) {
    char *arguments[] = {"aimed", "leaf", NULL};
    execv("/proc/self/exe", arguments);
    _exit(1);
}

static void *live(void *argument) {
    nap(MS);
    return NULL;
}

static void *become_another(void *argument) {
    become_a_leaf();
    return NULL;
}

/* Everything that makes a task or changes what it runs. */
static void make(int told) {
    char *arguments[] = {"aimed", "leaf", NULL};
    pthread_t thread;
    pid_t pid = fork();
    if (pid == 0) {
        write(told, "x", 1);
        _exit(0);
    }
    note(pid);
    if ((pid = vfork()) == 0)
        _exit(0);
    note(pid);
    if ((pid = vfork()) == 0) {
        execv("/proc/self/exe", arguments);
        _exit(1);
    }
    note(pid);
    if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ))
        pid = -1;
    note(pid);
    if (pthread_create(&thread, NULL, live, NULL) == 0)
        pthread_join(thread, NULL);
    if ((pid = fork()) == 0) {
        pthread_create(&thread, NULL, live, NULL);
        become_a_leaf(); /* which ends the thread */
    }
    note(pid);
    if ((pid = fork()) == 0) {
        pthread_create(&thread, NULL, become_another, NULL);
        pthread_join(thread, NULL); /* the thread takes our place */
        _exit(1);
    }
    note(pid);
    _exit(killed ? 3 : 0);
}

int main(int argc, char **argv) {
    int status, ended = 0;
    if (!strcmp(argv[1], "leaf"))
        return 0;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int round = 0; round < atoi(argv[1]); round++) {
        int ends[2];
        char byte;
        pipe(ends);
        pid_t maker = fork();
        if (maker == 0)
            make(ends[1]);
        close(ends[1]);
        while (read(ends[0], &byte, 1) > 0) /* until nobody of the round is left */
            ;
        close(ends[0]);
        if (waitpid(maker, &status, 0) != maker)
            return 1;
        ended += WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 3;
        reap_all();
    }
    printf("%d rounds\n", ended);
    return 0;
}
