/* Four threads wait at one pipe, one after the other; then bytes come to it, one after the other. Who gets the first? */
#include "../c/facts.h"
#include <pthread.h>

static int ends[2];

static void *wait_for_a_byte(void *number) {
    char byte;
    if (read(ends[0], &byte, 1) == 1) printf("pipe %ld\n", (long)number), fflush(stdout);
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    if (pipe(ends) != 0) return 1;
    for (long number = 0; number < 4; number++) {
        pthread_create(&threads[number], NULL, wait_for_a_byte, (void *)(number + 1));
        nap_ms(1000);
    }
    for (int i = 0; i < 4; i++) {
        if (write(ends[1], "x", 1) != 1) return 1;
        nap_ms(1000);
    }
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}
