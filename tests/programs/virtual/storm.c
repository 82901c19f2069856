/* Signals from another process hit calls that never block: none of them may fail with EINTR. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>

static volatile sig_atomic_t handled;
static void handle(int number) { (void)number; handled++; }

int main(void) {
    struct sigaction action = {.sa_handler = handle};
    sigaction(SIGUSR1, &action, NULL);
    printf("ready\n");
    fflush(stdout);
    int counter = eventfd(0, 0), zero = open("/dev/zero", O_RDONLY);
    long failed = 0, calls = 0;
    while (handled < 300) {
        uint64_t one = 1;
        struct timespec now;
        failed += write(counter, &one, 8) != 8;
        failed += read(counter, &one, 8) != 8;
        failed += read(zero, &one, 8) != 8;
        failed += syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0;
        failed += kill(getpid(), 0) != 0;
        calls += 5;
    }
    printf("failed: %ld\n", failed);
    return 0;
}
