/* getrandom(2): lengths, flags and faults. Not the bytes: those differ on Linux. */
#define _GNU_SOURCE
#include "facts.h"
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>

static char bytes[100000];

int main(void) {
    show("nothing", getrandom(bytes, 0, 0));
    show("a few", getrandom(bytes, 10, GRND_NONBLOCK));
    show("many", getrandom(bytes, sizeof bytes, 0));
    show("unknown flags", getrandom(bytes, 1, 0x80));
    /* libc may do without the kernel: it takes any flags for valid, and crashes at a bad address. */
    show("random and insecure", syscall(SYS_getrandom, bytes, 1, GRND_RANDOM | 4));
    show("a bad address", syscall(SYS_getrandom, (char *)8, 1, 0));
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + 4096, 4096, PROT_NONE);
    show("up to a page that faults", syscall(SYS_getrandom, pages + 4000, 1000, 0));
    int different = 0;
    for (int at = 1; at < 16; at++) different += ((char *)getauxval(AT_RANDOM))[at] != *(char *)getauxval(AT_RANDOM);
    printf("AT_RANDOM is random: %d\n", different > 8);
    return 0;
}
