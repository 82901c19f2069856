/* Reads the processor's time stamp counter around an hour's sleep, in a child and after exec as well, and tells how far it
   moved; then a fault of its own, which is the program's affair. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <setjmp.h>
#include <string.h>
#include <x86intrin.h>

static sigjmp_buf before_fault;
static volatile int code;

static void on_fault(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    code = info->si_code;
    siglongjmp(before_fault, 1);
}

static void read_twice(const char *who) {
    unsigned cpu = 1;
    unsigned long long first = __rdtsc(), second = __rdtsc(), third = __rdtscp(&cpu);
    printf("%s: it moved on %d, on CPU %u\n", who, first < second && second < third, cpu);
}

int main(int argc, char **argv) {
    if (argc == 2) return read_twice("after exec"), 0;
    unsigned long long start = __rdtsc();
    nap_ms(3600000);
    printf("an hour is %llu e9\n", (__rdtsc() - start) / 1000000000);
    read_twice("it"), fflush(stdout);
    if (fork() == 0) {
        read_twice("a child"), fflush(stdout);
        execl(argv[0], argv[0], "again", NULL);
    }
    wait(NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    if (!sigsetjmp(before_fault, 1)) *(volatile char *)8 = 1;
    printf("a fault: %s\n", code == SEGV_MAPERR ? "SEGV_MAPERR" : "?");
    if (!sigsetjmp(before_fault, 1)) __asm__ volatile("hlt");
    printf("a privileged instruction: %s\n", code == SI_KERNEL ? "SI_KERNEL" : "?");
}
