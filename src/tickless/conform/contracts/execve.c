/* execve(2), execveat(2), posix_spawn(3): errors, scripts, and what a new program keeps of the old one. */
#include "contract.h"
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/time.h>

#define NOWHERE ((void *)16)

static char *const NO_ARGUMENTS[] = {NULL};
static char *const ARGUMENTS[] = {"name", NULL};

static long call(const char *path, char *const *arguments, char *const *environment)
{
    return syscall(SYS_execve, path, arguments, environment);
}

static void file(const char *path, const char *content, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0700);
    if (fd < 0 || write(fd, content, strlen(content)) < 0 || fchmod(fd, mode) < 0)
        cannot_start(path);
    close(fd);
}

/* Run a script in a child; the shell's own status comes back. */
static const char *shell(const char *script)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    return status_name(status);
}

RULE(paths, "execve(2)", "ENOENT, ENOTDIR, EACCES for a folder and for a file that may not be run, EFAULT")
{
    file("plain", "data", 0600);
    SEE(call("missing", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("plain/more", ARGUMENTS, NO_ARGUMENTS));
    SEE(call(".", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("plain", ARGUMENTS, NO_ARGUMENTS));
    SEE(call(NOWHERE, ARGUMENTS, NO_ARGUMENTS));
}

RULE(formats, "execve(2)", "ENOEXEC for what is no program, an empty file too; ENOENT for a script without its interpreter")
{
    file("data", "neither this nor that\n", 0700);
    file("empty", "", 0700);
    file("script", "#!/missing/interpreter\n", 0700);
    file("nothing", "#!\n", 0700);
    file("truncated", "\177ELF", 0700);
    SEE(call("data", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("empty", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("script", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("nothing", ARGUMENTS, NO_ARGUMENTS));
    SEE(call("truncated", ARGUMENTS, NO_ARGUMENTS));
}

RULE(bad_arguments, "execve(2)", "EFAULT for arguments and an environment that cannot be read")
{
    static char *bad[] = {NOWHERE, NULL};
    SEE(call("/bin/sh", NOWHERE, NO_ARGUMENTS));
    SEE(call("/bin/sh", ARGUMENTS, NOWHERE));
    SEE(call("/bin/sh", bad, NO_ARGUMENTS));
    SEE(call("missing", NOWHERE, NOWHERE));
}

RULE(too_long, "execve(2)", "E2BIG for a string of more than 32 pages")
{
    char *longest = malloc(32 * 4096 + 100);
    memset(longest, 'x', 32 * 4096 + 99);
    longest[32 * 4096 + 99] = 0;
    char *arguments[] = {"sh", longest, NULL};
    SEE(call("/bin/sh", arguments, NO_ARGUMENTS));
}

RULE(loops, "execve(2)", "ELOOP for a link to itself, and for scripts that are each other's interpreters too deep")
{
    if (symlink("circle", "circle") < 0)
        cannot_start("symlink");
    SEE(call("circle", ARGUMENTS, NO_ARGUMENTS));
    file("self", "#!./self\n", 0700);
    SEE(call("self", ARGUMENTS, NO_ARGUMENTS));
}

RULE(script_arguments, "execve(2)", "a script's interpreter gets one optional argument, the path and the rest; argv[0] is lost")
{
    file("script", "#!/bin/sh -e\nfor word; do test \"$word\" = more || exit 9; done; exit $#\n", 0700);
    int status;
    pid_t child = fork();
    if (child == 0) {
        execl("./script", "lost", "more", "more", (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    observed("script", "%s", status_name(status));
}

RULE(at_errors, "execveat(2)", "EINVAL for unknown flags, EBADF, ENOTDIR; ELOOP for a link with AT_SYMLINK_NOFOLLOW")
{
    file("plain", "data", 0700);
    if (symlink("plain", "link") < 0)
        cannot_start("symlink");
    int fd = open("plain", O_RDONLY);
    SEE(syscall(SYS_execveat, AT_FDCWD, "plain", ARGUMENTS, NO_ARGUMENTS, 0x40000000));
    SEE(syscall(SYS_execveat, 99, "plain", ARGUMENTS, NO_ARGUMENTS, 0));
    SEE(syscall(SYS_execveat, fd, "plain", ARGUMENTS, NO_ARGUMENTS, 0));
    SEE(syscall(SYS_execveat, AT_FDCWD, "link", ARGUMENTS, NO_ARGUMENTS, AT_SYMLINK_NOFOLLOW));
    SEE(syscall(SYS_execveat, fd, "", ARGUMENTS, NO_ARGUMENTS, 0));
    SEE(syscall(SYS_execveat, fd, "", ARGUMENTS, NO_ARGUMENTS, 0x1000));
}

RULE(by_descriptor, "execveat(2)", "an open program can be run by its descriptor")
{
    int status, fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
    char *arguments[] = {"sh", "-c", "exit 7", NULL};
    pid_t child = fork();
    if (child == 0) {
        syscall(SYS_execveat, fd, "", arguments, NO_ARGUMENTS, 0x1000);
        _exit(99);
    }
    waitpid(child, &status, 0);
    observed("end", "%s", status_name(status));
}

RULE(keeps_ids, "execve(2)", "a new program has the pid, the parent and the group of the old one")
{
    char script[100];
    snprintf(script, sizeof script, "test $PPID = %d", (int)getpid());
    observed("parent", "%s", shell(script));
    observed("descriptors", "%s", (dup2(1, 7), shell("test -e /proc/self/fd/7")));
    fcntl(7, F_SETFD, FD_CLOEXEC);
    observed("close-on-exec", "%s", shell("test -e /proc/self/fd/7"));
    SEE(fcntl(7, F_GETFD));
}

RULE(keeps_signals, "execve(2)", "what is ignored stays so, what has a handler is reset; blocked and pending signals stay")
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    signal(SIGTERM, SIG_IGN);
    count_signal(SIGUSR1, 0);
    observed("ignored", "%s", shell("kill -TERM $$; exit 3"));
    observed("handled", "%s", shell("kill -USR1 $$; exit 3"));
    sigprocmask(SIG_BLOCK, &set, NULL);
    observed("blocked", "%s", shell("kill -USR2 $$; exit 3"));
    SEE(signals_counted);
}

RULE(pending_signal, "execve(2)", "a pending signal stays pending over it")
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        sigprocmask(SIG_BLOCK, &set, NULL);
        raise(SIGUSR2);
        execl("/bin/sh", "sh", "-c", "while read key value; do test $key = SigPnd: && echo \"$value\"; done < /proc/self/status >pending",
              (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    char text[20] = "";
    int fd = open("pending", O_RDONLY);
    SEE(read(fd, text, 16));
    observed("pending", "%s", text);
}

RULE(keeps_alarm, "execve(2)", "an alarm goes on; posix timers are gone")
{
    int status, timer, empty[2];
    if (pipe(empty) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        dup2(empty[0], 0);
        struct itimerval soon = {{0, 0}, {0, 10000}};
        setitimer(ITIMER_REAL, &soon, NULL);
        execl("/bin/sh", "sh", "-c", "read line", (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    observed("alarm", "%s", status_name(status));
    child = fork();
    if (child == 0) {
        struct itimerspec soon = {{0, 0}, {0, 10 * MS}};
        syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer);
        syscall(SYS_timer_settime, timer, 0, &soon, NULL);
        execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    observed("timer", "%s", status_name(status));
}

RULE(name_of_the_program, "execve(2)", "the thread's name is the file's, cut after 15 bytes")
{
    observed("sh", "%s", (prctl(PR_SET_NAME, "before"), shell("read name < /proc/self/comm; test $name = sh")));
}

RULE(process_group, "setpgid(2)", "EACCES for a child that has called execve")
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) < 0)
        cannot_start("pipe");
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "kill -STOP $$", (char *)NULL);
        _exit(99);
    }
    char byte;
    close(ready[1]);
    SEE(read(ready[0], &byte, 1));
    SEE(setpgid(child, child));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

RULE(vfork_and_exec, "vfork(2)", "the parent goes on when the child has called execve; an error comes back to the child")
{
    volatile int error = 0;
    int status;
    pid_t child = vfork();
    if (child == 0) {
        execl("missing", "missing", (char *)NULL);
        error = errno;
        execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
        _exit(99);
    }
    observed("error", "%s", errno_name(error));
    waitpid(child, &status, 0);
    observed("end", "%s", status_name(status));
}
