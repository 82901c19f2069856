/* Memory with every protection. "native": what Linux says of copies there. "wait": leave it to the tracer.
   Prints one fact per line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
static char *base;
static int sockets[2];

static long outcome(long result) { return result < 0 ? -errno : result; }

/* copy_from_user of the whole length: a datagram. */
static long in(long offset, long length) { return outcome(send(sockets[0], base + offset, length, MSG_DONTWAIT)); }
/* copy_to_user up to the fault. */
static long out(long offset, long length) { return outcome(syscall(SYS_getrandom, base + offset, length, 0)); }
static long string(long offset) { return outcome(access(base + offset, F_OK)); }

static void *thread(void *unused)
{
    (void)unused;
    printf("thread %ld\n", (long)syscall(SYS_gettid));
    fflush(stdout);
    getchar();
    exit(0);
}

static long depth(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long start = 0;
    while (fgets(line, sizeof line, maps))
        if (strstr(line, "[stack]")) sscanf(line, "%lx", &start);
    fclose(maps);
    return start;
}

int main(int argc, char **argv)
{
    /* 0 RW  1 RW  2 R  3 RW  4 NONE  5 RW  6 none  7 RW */
    base = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(base, 'x', 8 * PAGE);
    strcpy(base + PAGE - 3, "/nowhere");
    strcpy(base + 4 * PAGE - 5, "/nul");
    memcpy(base + 6 * PAGE - 4, "/end", 4);
    mprotect(base + 2 * PAGE, PAGE, PROT_READ);
    mprotect(base + 4 * PAGE, PAGE, PROT_NONE);
    munmap(base + 6 * PAGE, PAGE);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "native")) {
        long a, b;
        char what[16];
        socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
        while (scanf("%15s %ld %ld", what, &a, &b) == 3)
            printf("%ld\n", !strcmp(what, "in") ? in(a, b) : !strcmp(what, "out") ? out(a, b) : string(a));
        printf("%ld\n", outcome(syscall(SYS_getrandom, (char *)depth() - 20 * PAGE, 30 * PAGE, 0)));
        return 0;
    }
    printf("base %ld\n", (long)base);
    printf("stack %ld\n", depth());
    if (argc > 2 && !strcmp(argv[2], "undumpable")) {
        getchar();
        prctl(PR_SET_DUMPABLE, 0);
        printf("undumpable %d\n", prctl(PR_GET_DUMPABLE));
    }
    if (argc > 2 && !strcmp(argv[2], "leaderless")) {
        pthread_t id;
        getchar();
        pthread_create(&id, NULL, thread, NULL);
        pthread_exit(NULL);
    }
    if (argc > 2 && !strcmp(argv[2], "protect")) {
        getchar();
        mprotect(base, PAGE, PROT_NONE);
        printf("protected %d\n", 1);
    }
    getchar();
    printf("saw %.8s\n", base);
    return 0;
}
