/* A small daemon on libsystemd's sd-event, as many are: one epoll with a timerfd and a signalfd in it.

   It feeds a watchdog every second, starts a job every hour, reaps its children on SIGCHLD, reads its settings again
   on SIGHUP and ends on SIGTERM. `make demo` lets it live a simulated day. */
#define _GNU_SOURCE
#include <err.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000) /* sd-event counts microseconds */
#define HOUR (3600 * SECOND)

static struct {
    unsigned fed; /* times the watchdog was fed */
    unsigned started, done; /* jobs, and those of them that were reaped with status 0 */
    unsigned reloads;
} counts;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char stamp[32];
    time_t now = time(NULL);
    va_list arguments;
    strftime(stamp, sizeof stamp, "%F %T", localtime(&now));
    printf("%s  ", stamp);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout); /* a child must not inherit half a line */
}

static void must(int result, const char *what) {
    if (result < 0) errx(1, "%s: %s", what, strerror(-result));
}

/* Let a timer fire again, `span` after it was due: counted so, it never drifts. */
static void again_after(sd_event_source *timer, uint64_t due, uint64_t span) {
    must(sd_event_source_set_time(timer, due + span), "set a timer");
    must(sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT), "enable a timer");
}

static int feed_watchdog(sd_event_source *timer, uint64_t due, void *unused) {
    (void)unused;
    counts.fed++;
    again_after(timer, due, SECOND);
    return 0;
}

/* A job is a program of its own. This one takes a minute and a half, asleep. */
static int start_job(sd_event_source *timer, uint64_t due, void *unused) {
    (void)unused;
    counts.started++;
    again_after(timer, due, HOUR);
    pid_t child = fork();
    if (child < 0) err(1, "fork");
    if (child == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL); /* sd-event's mask is not for the job */
        execlp("sleep", "sleep", "90", NULL);
        _exit(127);
    }
    return 0;
}

/* One SIGCHLD may stand for several children. */
static int reap_children(sd_event_source *source, const struct signalfd_siginfo *info, void *unused) {
    int status;
    (void)source, (void)info, (void)unused;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        if (status == 0) counts.done++;
        say("a job ended with status %d, %u are done", WEXITSTATUS(status), counts.done);
    }
    return 0;
}

static int reload(sd_event_source *source, const struct signalfd_siginfo *info, void *unused) {
    (void)source, (void)info, (void)unused;
    counts.reloads++;
    say("SIGHUP: settings are read again");
    return 0;
}

static int stop(sd_event_source *source, const struct signalfd_siginfo *info, void *unused) {
    (void)info, (void)unused;
    say("SIGTERM: fed the watchdog %u times, %u of %u jobs are done, %u reload",
        counts.fed, counts.done, counts.started, counts.reloads);
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void handle(sd_event *event, int number, sd_event_signal_handler_t handler) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_BLOCK, &set, NULL); /* a signalfd reports only what is blocked */
    must(sd_event_add_signal(event, NULL, number, handler, NULL), "add a signal");
}

int main(void) {
    sd_event *event;
    must(sd_event_new(&event), "make an event loop");
    handle(event, SIGCHLD, reap_children);
    handle(event, SIGHUP, reload);
    handle(event, SIGTERM, stop);
    must(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, SECOND, 1, feed_watchdog, NULL), "add the watchdog");
    must(sd_event_add_time_relative(event, NULL, CLOCK_MONOTONIC, HOUR / 2, 1, start_job, NULL), "add the job");
    say("the daemon starts");
    int status = sd_event_loop(event);
    sd_event_unref(event);
    return status;
}
