/* A child fills the code of its vDSO with traps. Its parent's is another, though both began as one page. vdso(7) */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(void)
{
    unsigned char *code = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
    size_t page = sysconf(_SC_PAGESIZE);
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (fork() == 0) {
        size_t size = page; /* of the whole mapping: it cannot be split */
        while (mprotect(code, size, PROT_READ | PROT_WRITE) != 0 && size < 16 * page)
            size += page;
        memset(code, 0xcc, size);
        puts("child: overwritten");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    sleep(3600);
    clock_gettime(CLOCK_MONOTONIC, &after);
    puts(after.tv_sec - before.tv_sec == 3600 ? "parent: an hour has passed" : "parent: lost");
}
