/* Everything that carries time to a program, read before and after a sleep of a day: "virtual" if the day is in it.
 * What is random is printed as it is: two runs show whether it repeats itself.
 * The names are those of scripts/time_sources.py. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/msg.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define SECOND 1000000000LL
#define DAY 86400

typedef long long ns;

static void demand(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        exit(1);
    }
}

static ns of_timespec(struct timespec time)
{
    return time.tv_sec * SECOND + time.tv_nsec;
}

static ns of_timeval(struct timeval time)
{
    return time.tv_sec * SECOND + time.tv_usec * 1000LL;
}

/* Clocks */

static ns clock_of(clockid_t clock)
{
    struct timespec time;
    demand(clock_gettime(clock, &time) == 0, "clock_gettime");
    return of_timespec(time);
}

static ns by_call(clockid_t clock)
{
    struct timespec time;
    demand(syscall(SYS_clock_gettime, clock, &time) == 0, "clock_gettime");
    return of_timespec(time);
}

static ns realtime(void) { return clock_of(CLOCK_REALTIME); }
static ns monotonic(void) { return clock_of(CLOCK_MONOTONIC); }
static ns boottime(void) { return clock_of(CLOCK_BOOTTIME); }
static ns tai(void) { return clock_of(CLOCK_TAI); }
static ns monotonic_raw(void) { return clock_of(CLOCK_MONOTONIC_RAW); }
static ns coarse(void) { return clock_of(CLOCK_REALTIME_COARSE); }
static ns without_vdso(void) { return by_call(CLOCK_MONOTONIC); }
static ns seconds(void) { return time(NULL) * SECOND; }

static ns of_day(void)
{
    struct timeval time;
    gettimeofday(&time, NULL);
    return of_timeval(time);
}

static ns adjusted(void)
{
    struct timex state = {0};
    demand(adjtimex(&state) >= 0, "adjtimex");
    return state.time.tv_sec * SECOND;
}

static ns ticks(void)
{
    struct tms used;
    return times(&used) * (SECOND / sysconf(_SC_CLK_TCK));
}

static ns uptime(void)
{
    struct sysinfo info;
    demand(sysinfo(&info) == 0, "sysinfo");
    return info.uptime * SECOND;
}

#if defined(__x86_64__)
static ns counter(void) { return __rdtsc(); } /* no CPU counts slower than ns */
#endif

/* CPU time: some of it is used on the way, which no virtual clock shows */

static void compute(void)
{
    for (volatile long turn = 0; turn < 30 * 1000 * 1000; turn++)
        ;
}

static ns of_process(void) { compute(); return clock_of(CLOCK_PROCESS_CPUTIME_ID); }
static ns of_thread(void) { compute(); return clock_of(CLOCK_THREAD_CPUTIME_ID); }

static ns of_usage(void)
{
    struct rusage usage;
    compute();
    getrusage(RUSAGE_SELF, &usage);
    return of_timeval(usage.ru_utime);
}

static ns of_children(void)
{
    struct rusage usage;
    pid_t child = fork();
    if (child == 0) {
        compute();
        _exit(0);
    }
    demand(wait4(child, NULL, 0, &usage) == child, "wait4");
    return of_timeval(usage.ru_utime);
}

static ns of_ticks(void)
{
    struct tms used;
    compute();
    times(&used);
    return used.tms_utime * (SECOND / sysconf(_SC_CLK_TCK));
}

/* /proc */

static ns number_after(const char *path, const char *word)
{
    char text[65536];
    int file = open(path, O_RDONLY);
    demand(file >= 0, path);
    ssize_t size = 0, more;
    while ((more = read(file, text + size, sizeof text - 1 - size)) > 0)
        size += more;
    close(file);
    text[size] = 0;
    const char *found = strstr(text, word);
    demand(found != NULL, word);
    return (ns)(strtod(found + strlen(word), NULL) * 1e9);
}

static ns proc_uptime(void) { return number_after("/proc/uptime", ""); }

/* What it should be is when CLOCK_BOOTTIME began: moves with the clock only if it is on that clock at all. */
static ns proc_btime(void)
{
    ns began = realtime() - boottime();
    ns said = number_after("/proc/stat", "\nbtime ");
    return llabs(said - began) < 60 * SECOND ? boottime() : 0;
}

static ns start_of_child(void)
{
    char path[64], text[4096], *field;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    snprintf(path, sizeof path, "/proc/%d/stat", child);
    FILE *file = fopen(path, "r");
    demand(file != NULL && fgets(text, sizeof text, file) != NULL, path);
    fclose(file);
    field = strrchr(text, ')') + 1;
    for (int number = 3; number < 22; number++)
        field = strchr(field + 1, ' ');
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return atoll(field) * (SECOND / sysconf(_SC_CLK_TCK));
}

/* Files */

static int new_file(void)
{
    int file = open("new", O_RDWR | O_CREAT | O_EXCL, 0600);
    demand(file >= 0, "open");
    unlink("new");
    return file;
}

static struct stat status_of(int file)
{
    struct stat status;
    demand(fstat(file, &status) == 0, "fstat");
    return status;
}

static ns of_new_file(void)
{
    int file = new_file();
    ns time = of_timespec(status_of(file).st_mtim);
    close(file);
    return time;
}

static ns of_birth(void)
{
    struct statx status;
    int file = new_file();
    demand(statx(file, "", AT_EMPTY_PATH, STATX_BTIME, &status) == 0, "statx");
    close(file);
    return status.stx_btime.tv_sec * SECOND;
}

static ns touched(const struct timespec times[2])
{
    int file = new_file();
    demand(futimens(file, times) == 0, "futimens");
    ns time = of_timespec(status_of(file).st_mtim);
    close(file);
    return time;
}

static ns of_touch(void) { return touched(NULL); }
static ns of_touch_now(void) { return touched((struct timespec[]){{0, UTIME_NOW}, {0, UTIME_NOW}}); }
static ns of_given_time(void) { return touched((struct timespec[]){{time(NULL), 0}, {time(NULL), 0}}); }

static ns of_message_queue(void)
{
    struct msqid_ds status;
    struct { long type; char text[1]; } message = {1, "x"};
    int queue = msgget(IPC_PRIVATE, 0600);
    demand(queue >= 0 && msgsnd(queue, &message, 1, 0) == 0, "msgsnd");
    demand(msgctl(queue, IPC_STAT, &status) == 0, "msgctl");
    msgctl(queue, IPC_RMID, NULL);
    return status.msg_stime * SECOND;
}

/* Sockets */

static int socket_with_datagram(int option)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int on = 1, receiver = socket(AF_INET, SOCK_DGRAM, 0);
    demand(receiver >= 0 && bind(receiver, (void *)&address, size) == 0, "bind");
    getsockname(receiver, (void *)&address, &size);
    if (option)
        demand(setsockopt(receiver, SOL_SOCKET, option, &on, sizeof on) == 0, "setsockopt");
    demand(sendto(receiver, "x", 1, 0, (void *)&address, size) == 1, "sendto");
    return receiver;
}

static ns of_datagram(int option)
{
    char data[16], control[256];
    struct iovec buffer = {data, sizeof data};
    struct msghdr message = {
        .msg_iov = &buffer, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    int receiver = socket_with_datagram(option);
    demand(recvmsg(receiver, &message, 0) == 1, "recvmsg");
    close(receiver);
    struct cmsghdr *stamp = CMSG_FIRSTHDR(&message);
    demand(stamp != NULL && stamp->cmsg_type == option, "no time stamp");
    struct timespec time;
    memcpy(&time, CMSG_DATA(stamp), sizeof time);
    return time.tv_sec * SECOND;
}

static ns of_datagram_us(void) { return of_datagram(SO_TIMESTAMP); }
static ns of_datagram_ns(void) { return of_datagram(SO_TIMESTAMPNS); }

static ns of_last_datagram(void)
{
    struct timeval time;
    char data[16];
    int receiver = socket_with_datagram(0);
    ioctl(receiver, SIOCGSTAMP, &time); /* fails, and switches the stamps on */
    demand(recv(receiver, data, sizeof data, 0) == 1, "recv");
    demand(ioctl(receiver, SIOCGSTAMP, &time) == 0, "SIOCGSTAMP");
    close(receiver);
    return of_timeval(time);
}

static ns of_receive_timeout(void)
{
    struct timeval limit = {DAY / 2, 0};
    char data[16];
    static ns waited;
    int receiver = socket(AF_INET, SOCK_DGRAM, 0);
    ns start = monotonic();
    demand(setsockopt(receiver, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0, "SO_RCVTIMEO");
    demand(recv(receiver, data, sizeof data, 0) == -1, "recv");
    close(receiver);
    waited += 2 * (monotonic() - start); /* two of these must be a day */
    return waited;
}

static const struct {
    const char *name;
    ns (*read)(void);
} sources[] = {
    {"CLOCK_REALTIME", realtime},
    {"CLOCK_REALTIME_COARSE", coarse},
    {"CLOCK_TAI", tai},
    {"CLOCK_MONOTONIC", monotonic},
    {"CLOCK_MONOTONIC_RAW", monotonic_raw},
    {"CLOCK_BOOTTIME", boottime},
    {"clock_gettime without vDSO", without_vdso},
    {"gettimeofday", of_day},
    {"time", seconds},
    {"adjtimex", adjusted},
    {"times", ticks},
    {"sysinfo", uptime},
    {"SO_RCVTIMEO", of_receive_timeout},
#if defined(__x86_64__)
    {"rdtsc", counter},
#endif
    {"CLOCK_PROCESS_CPUTIME_ID", of_process},
    {"CLOCK_THREAD_CPUTIME_ID", of_thread},
    {"getrusage", of_usage},
    {"wait4 rusage", of_children},
    {"times tms_utime", of_ticks},
    {"/proc/uptime", proc_uptime},
    {"/proc/stat btime", proc_btime},
    {"/proc/PID/stat starttime", start_of_child},
    {"st_mtime of a new file", of_new_file},
    {"stx_btime of a new file", of_birth},
    {"futimens NULL", of_touch},
    {"futimens UTIME_NOW", of_touch_now},
    {"futimens with a time", of_given_time},
    {"msg_stime", of_message_queue},
    {"SO_TIMESTAMP", of_datagram_us},
    {"SO_TIMESTAMPNS", of_datagram_ns},
    {"SIOCGSTAMP", of_last_datagram},
};
enum { SOURCES = sizeof sources / sizeof *sources };

static void print_bytes(const char *name, const void *bytes, size_t size)
{
    printf("%s: ", name);
    for (size_t place = 0; place < size; place++)
        printf("%02x", ((const unsigned char *)bytes)[place]);
    puts("");
}

static void print_file(const char *name, const char *path)
{
    char bytes[16];
    int file = open(path, O_RDONLY);
    demand(file >= 0 && read(file, bytes, sizeof bytes) == sizeof bytes, path);
    print_bytes(name, bytes, sizeof bytes);
    close(file);
}

static void print_chance(void)
{
    unsigned char drawn[16];
    pid_t pid = getpid();
    const void *address = &pid;
    demand(getrandom(drawn, sizeof drawn, 0) == sizeof drawn, "getrandom");
    print_bytes("getrandom", drawn, sizeof drawn);
    print_bytes("AT_RANDOM", (void *)getauxval(AT_RANDOM), 16);
    print_file("/dev/urandom", "/dev/urandom");
    print_file("boot_id", "/proc/sys/kernel/random/boot_id");
    print_file("uuid", "/proc/sys/kernel/random/uuid");
    print_bytes("address of a variable", &address, sizeof address);
    print_bytes("getpid", &pid, sizeof pid);
}

int main(void)
{
    ns before[SOURCES];
    for (int number = 0; number < SOURCES; number++)
        before[number] = sources[number].read();
    demand(sleep(DAY) == 0, "sleep");
    for (int number = 0; number < SOURCES; number++) {
        ns passed = sources[number].read() - before[number];
        const char *verdict = passed >= DAY * SECOND ? "virtual" : llabs(passed) < 60 * SECOND ? "host" : "odd";
        printf("%s: %s\n", sources[number].name, verdict);
    }
    print_chance();
    return 0;
}
