// `scale TASKS FDS ROUNDS`: children with virtual files that wait, then rounds of calls; tells the parent's memory.
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>

static void tell_memory(void) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", getppid());
    FILE *status = fopen(path, "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL)
        if (strncmp(line, "VmRSS:", 6) == 0)
            fputs(line, stderr);
}

int main(int argc, char **argv) {
    if (argc != 4)
        errx(2, "usage: scale TASKS FDS ROUNDS");
    int tasks = atoi(argv[1]), fds = atoi(argv[2]), ready = eventfd(0, 0), own = eventfd(0, 0);
    pid_t group = getpgrp();
    uint64_t one = 1;
    for (int i = 0; i < tasks; i++)
        if (fork() == 0) {
            for (int fd = 0; fd < fds; fd++)
                if (eventfd(0, 0) < 0)
                    err(1, "eventfd");
            if (write(ready, &one, sizeof one) < 0)
                err(1, "write");
            for (;;)
                pause();
        }
    for (uint64_t count, seen = 0; seen < (uint64_t)tasks; seen += count)
        if (read(ready, &count, sizeof count) < 0)
            err(1, "read");
    tell_memory();
    for (long round = atol(argv[3]); round > 0; round--)
        if (write(own, &one, sizeof one) < 0 || read(own, &one, sizeof one) < 0)
            err(1, "call");
    signal(SIGTERM, SIG_IGN);
    kill(-group, SIGTERM);
    while (wait(NULL) > 0)
        continue;
    return 0;
}
