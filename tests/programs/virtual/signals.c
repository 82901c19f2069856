/* Waits for a line and names the signals that come meanwhile; with an argument, ends at the first of them.

   The signals are unblocked by ppoll alone, so that none can slip in before the wait. */
#define _GNU_SOURCE
#include "../c/facts.h"
#include <poll.h>

static volatile int caught;

static void catch(int number) { caught = number; }

int main(int argc, char **argv) {
    char line[64];
    sigset_t none;
    struct pollfd input = {0, POLLIN, 0};
    (void)argv;
    sigemptyset(&none);
    block_signals(SIGINT, SIGTERM, 0);
    on_signal(SIGINT, catch, 0);
    on_signal(SIGTERM, catch, 0);
    printf("ready\n");
    while (ppoll(&input, 1, NULL, &none) == -1 && errno == EINTR) {
        printf("%s\n", caught == SIGINT ? "int" : "term");
        if (argc > 1) return caught == SIGINT ? 3 : 4;
    }
    return read(0, line, sizeof line) > 0 ? 6 : 7;
}
