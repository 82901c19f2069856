/* Families whose elders end first. usage: orphans subreaper|init DEPTH
 * With a subreaper the first process reaps all; without, it ends at once, and the run goes on until the last has. */
#include "stress.h"

static void descend(int depth, int out) {
    for (int i = 0; i < 2; i++) {
        if (depth == 0 || fork() > 0)
            continue;
        if (depth % 3 == 0)
            setsid();
        nap((depth + 1) * 10 * MS);
        descend(depth - 1, out);
        dprintf(out, "depth %d\n", depth);
        _exit(0);
    }
}

int main(int argc, char **argv) {
    int depth = atoi(argv[2]);
    int is_reaper = !strcmp(argv[1], "subreaper");
    if (is_reaper)
        prctl(PR_SET_CHILD_SUBREAPER, 1);
    descend(depth, 1);
    if (!is_reaper)
        return 9;
    printf("reaped %d\n", reap_all());
    return 0;
}
