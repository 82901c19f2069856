/* A fork bomb, held by RLIMIT_NPROC; root gives up its privileges for it. usage: forkbomb LIMIT */
#include "stress.h"
#include <sys/resource.h>

int main(int argc, char **argv) {
    struct rlimit limit = {atoi(argv[1]), atoi(argv[1])};
    atomic_int *made = shared(2 * sizeof *made);
    setrlimit(RLIMIT_NPROC, &limit);
    if (getuid() == 0 && (setgid(54321) || setuid(54321)))
        return 2;
    pid_t first = getpid();
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        if (pid > 0)
            made[0]++;
        else if (pid < 0 && errno == EAGAIN)
            made[1]++;
        else if (pid < 0)
            return 3;
        nap(10 * MS);
        if (made[1] > 500)
            break;
    }
    while (wait(NULL) > 0)
        ;
    if (getpid() == first)
        printf("many made: %d, refused: %d\n", made[0] >= limit.rlim_cur / 2, made[1] > 0);
    return 0;
}
