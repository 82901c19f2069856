/* A task looks for the clock's cells in its own memory and writes absurd ones over it; another one reads the clock. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000L + now.tv_nsec;
}

static uintptr_t end_of_stack(void)
{
    unsigned long start, end = 0;
    char line[256];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "[stack]") != NULL)
            sscanf(line, "%lx-%lx", &start, &end);
    return end;
}

/* Read the clock until it is read without a call; then overwrite whatever above our arguments looks like it. */
static int spoil(int64_t *from, int64_t with)
{
    int64_t *end = (int64_t *)end_of_stack();
    int spoilt = 0;
    for (int i = 0; i < 1000; i++)
        now_ns();
    int64_t now = now_ns();
    for (int64_t *word = from; word < end; word++)
        if (*word < now + 1000000000L && *word > now - 1000000000L) {
            *word = with;
            spoilt++;
        }
    return spoilt;
}

int main(int argc, char **argv)
{
    const int64_t absurd[] = {INT64_MAX, INT64_MIN, 0, -1, 1};
    int64_t start = now_ns();
    for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
        if (fork() == 0) {
            printf("overwritten: %s\n", spoil((int64_t *)(argv + argc), absurd[i]) > 0 ? "yes" : "no");
            fflush(stdout);
            now_ns();
            _exit(0);
        }
        wait(NULL);
    }
    int64_t passed = now_ns() - start;
    puts(passed > 0 && passed < 1000000000L ? "the other task: time goes on" : "the other task: time is lost");
}
