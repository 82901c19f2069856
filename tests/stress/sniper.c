/* Kills processes of a session at random, by real time, until it has none but the spared. usage: sniper SESSION SPARED… */
#include "stress.h"
#include <dirent.h>

/* Of a process that is alive. */
static int session_of(int pid) {
    char path[64], text[512];
    int session = -1;
    char state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    int length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = 0;
    char *fields = strrchr(text, ')');
    if (fields)
        sscanf(fields + 1, " %c %*d %*d %d", &state, &session);
    return state == 'Z' ? -1 : session;
}

int main(int argc, char **argv) {
    unsigned state = getpid() * 2654435761u | 1;
    int kills = 0, session = atoi(argv[1]);
    while (session_of(session) == session) {
        int pids[4096], count = 0;
        DIR *proc = opendir("/proc");
        for (struct dirent *entry; (entry = readdir(proc)) && count < 4096;) {
            int pid = atoi(entry->d_name), spared = pid == 0 || session_of(pid) != session;
            for (int i = 1; i < argc; i++)
                spared |= pid == atoi(argv[i]);
            if (!spared)
                pids[count++] = pid;
        }
        closedir(proc);
        /* The newest are those that are being made. */
        if (count)
            kills += kill(pids[chance(&state, 2) ? count - 1 : chance(&state, count)], SIGKILL) == 0;
        usleep(chance(&state, 3000));
    }
    printf("%d kills\n", kills);
    return 0;
}
