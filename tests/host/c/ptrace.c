/* A tracee: it shows a blocked signal, a handler's siginfo, a variable and a call's result. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile long variable = 1;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)context;
    dprintf(1, "signal %d value %d\n", signal, info->si_value.sival_int);
}

int main(void)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
    sigset_t set;
    sigaction(SIGUSR1, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%ld\n", (long)&variable);
    getchar();
    printf("variable %ld\n", variable);
    printf("result %ld\n", syscall(SYS_getppid, 11, 22, 33, 44, 55, 66));
    return 7;
}
