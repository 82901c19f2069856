/* Sleeps for argv[1] hours and prints how many hours each clock moved. */
#define _GNU_SOURCE
#include "../c/facts.h"

static const struct { clockid_t clock; const char *name; } clocks[] = {
    {CLOCK_REALTIME, "REALTIME"}, {CLOCK_MONOTONIC, "MONOTONIC"}, {CLOCK_BOOTTIME, "BOOTTIME"},
};

int main(int argc, char **argv) {
    struct timespec before[COUNT_OF(clocks)], after;
    for (size_t i = 0; i < COUNT_OF(clocks); i++) clock_gettime(clocks[i].clock, &before[i]);
    nap_ms(argc == 2 ? atol(argv[1]) * 3600000 : 0);
    for (size_t i = 0; i < COUNT_OF(clocks); i++) {
        clock_gettime(clocks[i].clock, &after);
        printf("%s %ld\n", clocks[i].name, (after.tv_sec - before[i].tv_sec + 1800) / 3600);
    }
}
