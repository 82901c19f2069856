/* A daemon that outlives PROGRAM, in a session of its own, and ends after a virtual day. usage: daemon FILE */
#include "stress.h"
#include <sys/stat.h>

int main(int argc, char **argv) {
    if (fork() > 0)
        return 4;
    setsid();
    if (fork() > 0)
        _exit(0);
    umask(0);
    close(0);
    close(1);
    close(2);
    for (int hour = 0; hour < 24; hour++)
        nap(3600 * SECOND);
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dprintf(fd, "a day later, parent %d\n", getppid() == 1);
    return 0;
}
