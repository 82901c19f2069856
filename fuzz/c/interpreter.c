// Performs scripts with real calls and prints what Linux promises of them: fuzz/README.md says what a script is.
// usage: interpreter UNIT_US spin|sleep <SCRIPTS     many scripts, each ended by a line with a dot
//
// The ruler, outside of the script, gives each step to its task and waits until the task has done it or sleeps in it,
// and until all the others have finished what it set going: so nothing races, and what is printed is promised.
#include "stage.h"

struct stage *stage;
static bool spins; // natively: look at the tasks' states; else sleep, which ends when nobody can go on
static int stat_files[TASKS], syscall_files[TASKS];
static long long elapsed_units, latest_ns;
static int ruler_pid;
// Virtual time in which every task that can go on does so.
enum { SETTLE_NS = 100000 };

void say(struct player *player, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int room = (int)sizeof player->said - player->said_length;
    int length = vsnprintf(player->said + player->said_length, room, format, arguments);
    va_end(arguments);
    player->said_length += length < room ? length : room - 1;
}

struct player *myself(void) {
    int tid = SYS(SYS_gettid);
    for (int i = 0; i < TASKS; i++)
        if (stage->players[i].tid == tid)
            return &stage->players[i];
    return NULL;
}

const char *name_of(int pid) {
    static const char *const NAMES[TASKS] = {"0", "1", "2", "3"};
    for (int i = 0; i < TASKS; i++)
        if (stage->players[i].pid == pid && stage->players[i].process == i)
            return NAMES[i];
    return pid == 0 ? "kernel" : pid == ruler_pid ? "ruler" : "?";
}

void play(struct player *me) {
    me->tid = SYS(SYS_gettid);
    me->pid = SYS(SYS_getpid);
    uint32_t turn = me->turn;
    __atomic_store_n(&me->state, IDLE, __ATOMIC_SEQ_CST);
    for (;;) {
        while (me->turn == turn)
            SYS(SYS_futex, &me->turn, FUTEX_WAIT, turn, 0);
        turn = me->turn;
        struct step *step = &stage->steps[me->step];
        CALLS[step->call].perform(me, step->args, step->count);
        me->waits_for = me->takes = 0;
        me->waiting_with = me->blocked;
        __atomic_store_n(&me->state, IDLE, __ATOMIC_SEQ_CST);
    }
}

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void start_clock(void) {
    if (!stage->begun_ns)
        stage->begun_ns = now_ns();
}

static void sleep_until_ns(long long at_ns) {
    struct timespec at = {at_ns / 1000000000, at_ns % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        ;
}

// The start of a file of the task in /proc, which stays open in `*file`; its length, not above 0 if the task is gone.
static int look_up(int *file, int index, const char *name, char *text, int size) {
    if (*file < 0) {
        snprintf(text, size, "/proc/%d/task/%d/%s", stage->players[index].pid, stage->players[index].tid, name);
        *file = open(text, O_RDONLY | O_CLOEXEC);
    }
    int length = pread(*file, text, size - 1, 0);
    if (length > 0)
        text[length] = 0;
    return length;
}

// R, S, Z and so on; X if the task is gone. Calls say that they sleep before they look whether they have to: S counts
// only once the task is off its CPU and waits for none, which is what Linux tells a call's number for.
static char kernel_state(int index) {
    char text[256], *end;
    if (look_up(&stat_files[index], index, "stat", text, sizeof text) <= 0 || !(end = strrchr(text, ')')))
        return 'X';
    char state = end[2];
    if (state != 'S' || !spins)
        return state;
    bool runs = look_up(&syscall_files[index], index, "syscall", text, sizeof text) > 0 && text[0] == 'r';
    return runs ? 'R' : state;
}

// Whether all tasks sleep or are dead; `changed` if one was seen to have moved.
static bool look_at_all(bool *changed) {
    bool all_rest = true;
    for (int i = 0; i < TASKS; i++) {
        struct player *player = &stage->players[i];
        int state = player->state;
        if (state == ABSENT || state == DEAD)
            continue;
        char in_kernel = kernel_state(i);
        if (in_kernel == 'Z' || in_kernel == 'X') {
            player->state = DEAD;
            *changed = true;
        } else if (spins && in_kernel != 'S' && in_kernel != 'T')
            all_rest = false;
        if (player->state != state)
            *changed = true;
    }
    return all_rest;
}

// A task that is seen asleep may be woken by one that was looked at later: three looks without a change are enough.
static void settle(void) {
    if (!spins)
        sleep_until_ns(now_ns() + SETTLE_NS);
    bool changed = false;
    if (!spins) {
        look_at_all(&changed);
        return;
    }
    for (int calm = 0; calm < 3;) {
        changed = false;
        calm = look_at_all(&changed) && !changed ? calm + 1 : 0;
        if (changed)
            usleep(50); // a death is seen before its signal is sent
        else if (!calm)
            usleep(10); // on a busy machine sched_yield would give a whole time slice away
    }
}

static void write_down(int number, const struct step *step) {
    char line[4 * 4200];
    int length = 0;
    for (int i = 0; i < TASKS; i++) {
        struct player *player = &stage->players[i];
        length += sprintf(line + length, "%.*s%.*s", player->said_length, player->said, player->heard_length, player->heard);
        player->said_length = player->heard_length = 0;
        if (player->state == DEAD && player->tid) {
            length += sprintf(line + length, " %d:dead", i);
            player->tid = 0;
            player->waits_for = player->takes = 0;
        }
        if (step->task == i && player->state == CALLING && player->step == number)
            length += sprintf(line + length, " %d:sleeps", i);
    }
    if (length)
        printf("%d%s\n", number, line);
}

static void give_turn(int number, struct player *player) {
    if (player->state == ABSENT || player->state == DEAD || player->state == CALLING) {
        say(player, " %d:%s", (int)(player - stage->players), player->state == CALLING ? "busy" : "absent");
        return;
    }
    player->step = number;
    player->state = CALLING;
    __atomic_add_fetch(&player->turn, 1, __ATOMIC_SEQ_CST);
    SYS(SYS_futex, &player->turn, FUTEX_WAKE, 1);
}

static void advance(void) {
    if (!stage->begun_ns)
        return; // nothing can end yet
    elapsed_units++;
    sleep_until_ns(stage->begun_ns + elapsed_units * stage->unit_ns);
}

static long long since_mark_ns(void) {
    return stage->begun_ns ? now_ns() - stage->begun_ns - elapsed_units * stage->unit_ns : 0;
}

static void perform_script(int number) {
    elapsed_units = latest_ns = 0;
    for (int i = 0; i < stage->step_count; i++) {
        struct step *step = &stage->steps[i];
        if (step->task >= 0)
            give_turn(i, &stage->players[step->task]);
        else if (strcmp(CALLS[step->call].name, "advance") == 0)
            advance();
        else
            CALLS[step->call].perform(NULL, step->args, step->count);
        settle();
        write_down(i, step);
        if (since_mark_ns() > latest_ns)
            latest_ns = since_mark_ns();
    }
    // Time-outs end half a unit after the step that began them: steps in the first quarter are clear of all.
    if (elapsed_units && latest_ns > stage->unit_ns / 4)
        printf("late\n");
    printf("= %d\n", number);
}

static void stage_script(int number) {
    for (int i = 0; i < TASKS; i++)
        stat_files[i] = syscall_files[i] = -1;
    fflush(stdout);
    struct player *main = &stage->players[0];
    int pid = SYS(SYS_clone, SIGCHLD);
    if (pid == 0) {
        close(0);
        // A write that ends as another task closes the other end should not end that one, too, before it has told.
        sigaction(SIGPIPE, &(struct sigaction){.sa_sigaction = hear, .sa_flags = SA_SIGINFO}, NULL);
        play(main);
    }
    while (main->state != IDLE)
        usleep(10);
    settle();
    perform_script(number);
    for (int i = 0; i < TASKS; i++) {
        if (stage->players[i].process == i && stage->players[i].pid)
            kill(stage->players[i].pid, SIGKILL);
        if (stat_files[i] >= 0)
            close(stat_files[i]);
        if (syscall_files[i] >= 0)
            close(syscall_files[i]);
    }
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
}

static bool parse_step(char *line, struct step *step) {
    char *rest, *word = strtok_r(line, " \n", &rest);
    if (!word)
        return false;
    step->task = *word == '-' ? -1 : atoi(word);
    word = strtok_r(NULL, " \n", &rest);
    for (step->call = 0; CALLS[step->call].name && strcmp(CALLS[step->call].name, word); step->call++)
        ;
    if (!CALLS[step->call].name) {
        fprintf(stderr, "no call %s\n", word);
        exit(2);
    }
    memset(step->args, 0, sizeof step->args);
    for (step->count = 0; step->count < ARGUMENTS && (word = strtok_r(NULL, " \n", &rest)); step->count++)
        step->args[step->count] = strtoll(word, NULL, 0);
    return true;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (stage == MAP_FAILED)
        return 2;
    spins = strcmp(argv[2], "spin") == 0;
    ruler_pid = getpid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_TIMERSLACK, 1);
    char line[1000];
    for (int number = 0; fgets(line, sizeof line, stdin);) {
        if (line[0] == '.') {
            stage->unit_ns = atoll(argv[1]) * 1000;
            stage_script(number++);
            memset(stage, 0, sizeof *stage);
        } else if (stage->step_count < STEPS && parse_step(line, &stage->steps[stage->step_count]))
            stage->step_count++;
    }
    return 0;
}
