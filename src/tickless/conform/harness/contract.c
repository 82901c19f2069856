/* The main program of every file of rules: each rule runs in a child, in an empty folder, and what is left of it is killed. */
#include "contract.h"
#include <dirent.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/utsname.h>

#define LIMIT_S 20

static struct rule *rules;
static volatile pid_t running;
static volatile sig_atomic_t too_long;

void add_rule(struct rule *rule)
{
    struct rule **next = &rules;
    while (*next && (*next)->line < rule->line)
        next = &(*next)->next;
    rule->next = *next;
    *next = rule;
}

/* Printing: one write a line, so that processes do not mix theirs. */

static void print_line(const char *what, const char *format, va_list arguments)
{
    char value[1024], line[2048];
    vsnprintf(value, sizeof value, format, arguments);
    int length = snprintf(line, sizeof line, "    %s: %s\n", what, value);
    if (write(1, line, length) != length)
        _exit(125);
}

void observed(const char *what, const char *format, ...)
{
    va_list arguments;
    int error = errno;
    va_start(arguments, format);
    print_line(what, format, arguments);
    va_end(arguments);
    errno = error;
}

long see(const char *what, long result)
{
    if (result < 0)
        observed(what, "%s", errno_name(errno));
    else
        observed(what, "%ld", result);
    return result;
}

int see_error(const char *what, int error)
{
    observed(what, "%s", error ? errno_name(error) : "0");
    return error;
}

int see_whether(const char *what, int holds)
{
    observed(what, "%s", holds ? "yes" : "no");
    return holds;
}

void not_here(const char *why)
{
    observed("not here", "%s", why);
    _exit(0);
}

void since(int major, int minor)
{
    struct utsname name;
    int here[2] = {0, 0};
    char why[40];
    uname(&name);
    sscanf(name.release, "%d.%d", &here[0], &here[1]);
    if (here[0] > major || (here[0] == major && here[1] >= minor))
        return;
    snprintf(why, sizeof why, "another way before Linux %d.%d", major, minor);
    not_here(why);
}

void cannot_start(const char *why)
{
    observed("cannot start", "%s: %s", why, errno_name(errno));
    _exit(0);
}

/* Waiting */

volatile sig_atomic_t signals_counted;
static struct sigaction before;

static void count(int signo)
{
    (void)signo;
    signals_counted++;
}

void count_signal(int signo, int flags)
{
    struct sigaction action = {.sa_handler = count, .sa_flags = flags};
    sigaction(signo, &action, NULL);
}

static void interrupt(int signo)
{
    (void)signo;
}

void interrupt_soon(void)
{
    struct sigaction action = {.sa_handler = interrupt};
    struct itimerval often = {{0, 10000}, {0, 10000}};
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &often, NULL);
}

long see_blocked(const char *what, long result)
{
    struct itimerval never = {{0, 0}, {0, 0}};
    int error = errno;
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    errno = error;
    if (result < 0 && error == EINTR) {
        observed(what, "blocks");
        return result;
    }
    return see(what, result);
}

int64_t now_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

void nap(int ms)
{
    struct timespec span = {ms / 1000, ms % 1000 * MS};
    while (nanosleep(&span, &span) < 0 && errno == EINTR)
        ;
}

static char state_of(pid_t task)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)task);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length > 0 ? length : 0] = 0;
    char *name_end = strrchr(text, ')');
    return name_end ? name_end[2] : 0;
}

void until_asleep(pid_t task)
{
    char state;
    do {
        nap(1);
        state = state_of(task);
    } while (state == 'R' || state == 'D');
    if (!state)
        nap(50); /* there is no /proc that tells */
}

/* The rules, one after the other */

static void on_limit(int signo)
{
    (void)signo;
    too_long = 1;
    kill(-running, SIGKILL);
}

static void start_afresh(void)
{
    sigset_t none;
    // Of the kernel: a libc would leave out the signals of its own, which make(1) ignores.
    char by_default[64] = {0};
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        syscall(SYS_rt_sigaction, signo, by_default, NULL, 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
}

static int run_child(const struct rule *rule)
{
    int status = 0;
    too_long = 0;
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        start_afresh();
        rule->run();
        _exit(0);
    }
    if (child < 0)
        return 125 << 8;
    setpgid(child, child);
    running = child;
    alarm(LIMIT_S);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    alarm(0);
    kill(-child, SIGKILL);
    return status;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void run(const struct rule *rule)
{
    char folder[256];
    const char *parent = getenv("TMPDIR");
    dprintf(1, "%s: %s: %s\n", rule->name, rule->page, rule->claim);
    snprintf(folder, sizeof folder, "%s/contract.XXXXXX", parent ? parent : "/tmp");
    int made = mkdtemp(folder) && chdir(folder) == 0;
    int status = run_child(rule);
    if (too_long)
        observed("ended", "not over after %d s", LIMIT_S);
    else if (status)
        observed("ended", "%s", status_name(status));
    if (made && chdir("/") == 0)
        nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct rule *find(const char *name)
{
    for (struct rule *rule = rules; rule; rule = rule->next)
        if (strcmp(rule->name, name) == 0)
            return rule;
    return NULL;
}

static void only_three_fds(void)
{
    for (int fd = 3; fd < 256; fd++)
        close(fd);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (struct rule *rule = rules; rule; rule = rule->next)
            dprintf(1, "%s\t%s\t%s\n", rule->name, rule->page, rule->claim);
        return 0;
    }
    struct sigaction limit = {.sa_handler = on_limit, .sa_flags = SA_RESTART};
    only_three_fds();
    sigaction(SIGALRM, &limit, NULL);
    signal(SIGCHLD, SIG_DFL);
    for (int i = 1; i < argc; i++)
        if (!find(argv[i])) {
            dprintf(2, "%s: no rule %s\n", argv[0], argv[i]);
            return 2;
        }
    for (int i = 1; i < argc; i++)
        run(find(argv[i]));
    for (struct rule *rule = argc == 1 ? rules : NULL; rule; rule = rule->next)
        run(rule);
    return 0;
}
