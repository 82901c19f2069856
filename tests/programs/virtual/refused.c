/* Calls that are refused rather than answered wrongly: io_uring, and system calls of 32-bit and x32 programs. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <sys/syscall.h>

enum { IO_URING_SETUP = 425, X32 = 0x40000000, GETPID_OF_32_BITS = 20 };

static long call_of_32_bits(long number) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory");
    return result;
}

int main(void) {
    char parameters[120] = {0};
    int refused = 38; /* ENOSYS */
    printf("io_uring: refused %d\n", syscall(IO_URING_SETUP, 4, parameters) == -1 && errno == refused);
    printf("x32: refused %d\n", syscall(X32 | SYS_getpid) == -1 && errno == refused);
    printf("int 0x80: refused %d\n", call_of_32_bits(GETPID_OF_32_BITS) == -refused);
}
