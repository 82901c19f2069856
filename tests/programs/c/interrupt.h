/* Interrupts calls by a handler, with and without SA_RESTART, and tells what came of each. */
#ifndef INTERRUPT_H
#define INTERRUPT_H
#include "facts.h"
#include <sys/time.h>

enum {
    INTERRUPT_MS = 30, /* the handler runs this long after the call began to block */
    FINISH_MS = 20,    /* a call that goes on is ended this long after the handler has run */
    LONG_MS = 500,     /* the time-out of a call that has one: never reached */
};

/* A call that blocks, and what ends its wait if the handler does not; NULL where it ends by itself. */
struct call {
    const char *name;
    long (*block)(void);
    void (*finish)(void);
};

static volatile int handled, finished;

static void count_signal(int number) { (void)number, handled++; }

static void *finish_later(void *argument) {
    const struct call *call = argument;
    for (int turn = 0; turn < 100 && !handled; turn++) nap_ms(FINISH_MS);
    nap_ms(FINISH_MS);
    finished = 1;
    call->finish();
    return NULL;
}

/* The finisher blocks all signals: the handler interrupts the caller. */
static pthread_t start_finisher(const struct call *call) {
    pthread_t finisher;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&finisher, NULL, finish_later, (void *)call);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return finisher;
}

static void interrupt(const struct call *call, const char *how, int flags) {
    struct itimerval soon = {.it_value.tv_usec = INTERRUPT_MS * 1000};
    pthread_t finisher = 0;
    on_signal(SIGALRM, count_signal, flags);
    handled = finished = 0;
    if (call->finish) finisher = start_finisher(call);
    setitimer(ITIMER_REAL, &soon, NULL);
    errno = 0;
    long result = call->block();
    int error = errno, was_finished = finished;
    if (call->finish) pthread_join(finisher, NULL);
    printf("%s, %s: ", call->name, how);
    if (result < 0) printf("%s", errno_name(error));
    else printf("%ld", result);
    printf(", handled %d%s\n", handled, was_finished ? ", went on to the end" : "");
}

/* Every call on fresh files: set_up and clean_up surround each. */
static void interrupt_all(const struct call *calls, size_t count, void (*set_up)(void), void (*clean_up)(void)) {
    static const struct { const char *name; int flags; } ways[] = {{"no restart", 0}, {"SA_RESTART", SA_RESTART}};
    for (size_t i = 0; i < count; i++)
        for (size_t way = 0; way < COUNT_OF(ways); way++) {
            set_up();
            interrupt(&calls[i], ways[way].name, ways[way].flags);
            clean_up();
        }
}
#endif
