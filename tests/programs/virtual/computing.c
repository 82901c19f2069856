/* Two children compute while their parent waits, and one spins on memory until the other's thread has written to it. */
#define _GNU_SOURCE
#include "../c/facts.h"

static volatile int flag;

static void compute(int ms) {
    struct timespec start, now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

static void *set_flag(void *unused) {
    flag = 1;
    return unused;
}

int main(void) {
    int status;
    for (int child = 1; child <= 2; child++)
        if (fork() == 0) {
            for (volatile long n = 0; n < 600000000L; n++) continue;
            _exit(child);
        }
    for (int sum = 0, child = 0; child < 2; child++) {
        wait(&status);
        sum += WEXITSTATUS(status);
        if (child) printf("both have ended: %d\n", sum);
    }
    pthread_t thread;
    pthread_create(&thread, NULL, set_flag, NULL);
    while (!flag) continue;
    pthread_join(thread, NULL);
    printf("the flag was seen\n");
    compute(300);
    return 0;
}
