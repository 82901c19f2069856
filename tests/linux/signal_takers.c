/* Who takes a signal that is sent to a process, when threads come, go and change their masks. signal(7). */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int handled;
static atomic_int interrupted;

static void handler(int signo) { atomic_fetch_add(&handled, 1); }

static void nap(long ms) {
    struct timespec span = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&span, &span) && errno == EINTR)
        atomic_fetch_add(&interrupted, 1);
}

static void block(int how) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(how, &set, NULL);
}

/* The older thread lets the signal through again, after a younger one had to take one. */
static void *older(void *argument) {
    block(SIG_BLOCK);
    nap(30);
    block(SIG_UNBLOCK);
    nap(70);
    return NULL;
}

static void *younger(void *argument) {
    nap(100);
    return NULL;
}

static void *sender(void *argument) {
    block(SIG_BLOCK);
    nap(10);
    kill(getpid(), SIGUSR1);
    nap(10);
    printf("while one blocks it: handled %d, interrupted sleeps %d\n", handled, interrupted);
    nap(30);
    kill(getpid(), SIGUSR1);
    nap(10);
    printf("when none does: handled %d, interrupted sleeps %d\n", handled, interrupted);
    nap(100);
    printf("in the end: handled %d, interrupted sleeps %d\n", handled, interrupted);
    fflush(stdout);
    _exit(0);
}

int main(void) {
    pthread_t thread;
    signal(SIGUSR1, handler);
    pthread_create(&thread, NULL, older, NULL);
    pthread_create(&thread, NULL, younger, NULL);
    pthread_create(&thread, NULL, sender, NULL);
    syscall(SYS_exit, 0); /* the first thread would take them all */
}
