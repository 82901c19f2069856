/* Who never waits leaves others their turn all the same: here they end by what the others do. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ENOUGH = 20 };

static volatile int *heard;

/* A socket's writer that nothing makes wait, and its reader. */
static void datagrams(int blocking)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int in = socket(AF_INET, SOCK_DGRAM, 0), out = socket(AF_INET, SOCK_DGRAM | (blocking ? 0 : SOCK_NONBLOCK), 0);
    char data[100] = "";
    bind(in, (void *)&address, sizeof address);
    getsockname(in, (void *)&address, &length);
    connect(out, (void *)&address, length);
    *heard = 0;
    pid_t pid = fork();
    if (pid == 0) {
        while (*heard < ENOUGH)
            *heard += recv(in, data, sizeof data, 0) == sizeof data;
        _exit(0);
    }
    while (*heard < ENOUGH)
        send(out, data, sizeof data, 0);
    waitpid(pid, NULL, 0);
    printf("datagrams heard while they are sent, blocking %d: %d\n", blocking, *heard);
    close(in);
    close(out);
}

/* One that gives way, but only where there is nothing to see. */
static void stopped_and_continued(void)
{
    int status, continued = 0;
    pid_t stopped = fork();
    if (stopped == 0)
        for (;;)
            pause();
    pid_t driver = fork();
    while (driver == 0) {
        kill(stopped, SIGSTOP);
        sched_yield();
        kill(stopped, SIGCONT);
    }
    while (continued < ENOUGH)
        continued += waitpid(stopped, &status, WCONTINUED) == stopped;
    kill(driver, SIGKILL);
    kill(stopped, SIGKILL);
    while (wait(&status) > 0)
        ;
    printf("a process seen to go on: %d\n", continued);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    heard = mmap(NULL, sizeof *heard, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    datagrams(1);
    datagrams(0);
    stopped_and_continued();
    return 0;
}
