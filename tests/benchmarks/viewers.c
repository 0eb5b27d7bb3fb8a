/* Viewers by the thousand in one process: cheaper than any server they watch, so that the server is what is measured.
 *
 *     viewers port=8080 path=/v1/live connections=1000 in_flight=1 ready=3 say='{"op":"subscribe",…}' …
 *
 * It connects (one after the other, or in a storm of `in_flight` at once), shakes hands, says each `say` (in which {n} is
 * the connection's number from `first` on) and is ready after `ready` messages. Orders come on stdin, a line each, and each
 * is answered by a line of JSON on stdout: `expect F` when every connection has had F messages since the last answer,
 * `report` at once, `target V` when every connection has come back and holds version V. It ends with its stdin, or after
 * `seconds`. With `next` it follows a drain: it comes back to that port when it was told to, and says `resume` with the
 * {epoch} and {version} it holds. With `ages` the first so many connections read each "score" as the nanosecond of its sending.
 *
 * Only ever against 127.0.0.1. */
#include "viewers.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct plan plan = {.connections = 1, .in_flight = 1, .seconds = 60, .cpu = -1, .path = "/", .first = 1};
struct tally tally;
struct viewer *viewers;
double *spans, *ages;
char *buffer;
uint64_t target;
int poller;

static uint64_t expected, started;
static bool announced, told;

uint64_t now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

void die(const char *what) {
    fprintf(stderr, "viewers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double part(const double *sorted, size_t count, double share) {
    return count ? sorted[(size_t)((double)(count - 1) * share)] : 0;
}

static void answer(const char *event, const double *sorted, size_t count, int uneven) {
    const struct tally *t = &tally;
    printf("{\"event\":\"%s\",\"seconds\":%.6f,\"last_ns\":%lu,\"messages\":%lu,\"bytes\":%lu,\"uneven\":%d,\"lost\":%d,"
           "\"refused\":%d,\"failed\":%d,\"errors\":%d,\"gaps\":%d,\"resumed\":%d,\"snapshots\":%d,\"count\":%zu,"
           "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f,\"ready\":%d,\"last_error\":\"",
           event, (double)(now() - started) / 1e9, t->last_at, t->messages, t->bytes, uneven, t->lost, t->refused,
           t->failed, t->errors, t->gaps, t->resumed, t->snapshots, count, part(sorted, count, 0.5),
           part(sorted, count, 0.99), part(sorted, count, 0.999), part(sorted, count, 1), t->ready);
    for (const char *at = t->last_error; *at; at++) putchar(*at == '"' || *at == '\\' || *at < ' ' ? '\'' : *at);
    puts("\"}");
    fflush(stdout);
}

static void forget_counts(void) {
    tally.messages = tally.bytes = expected = 0;
    for (int index = 0; index < plan.connections; index++) viewers[index].messages = 0;
}

static void look_if_done(void) {
    if (!announced && tally.ready == plan.connections) {
        announced = true;
        qsort(spans, (size_t)tally.ready, sizeof *spans, ascending);
        answer("ready", spans, (size_t)tally.ready, 0);
        forget_counts();
    }
    if (expected && tally.messages >= expected * (uint64_t)plan.connections) {
        int uneven = 0;
        tally.last_at = now();
        for (int index = 0; index < plan.connections; index++) uneven += viewers[index].messages != expected;
        answer("got", NULL, 0, uneven);
        forget_counts();
    }
    if (target && !told && tally.current == plan.connections) {
        told = true;
        qsort(spans, (size_t)tally.current, sizeof *spans, ascending);
        answer("current", spans, (size_t)tally.current, 0);
    }
}

static void obey(char *line) {
    if (!strncmp(line, "expect ", 7)) {
        expected = strtoull(line + 7, NULL, 10);
    } else if (!strncmp(line, "target ", 7)) {
        target = strtoull(line + 7, NULL, 10);
        for (int index = 0; index < plan.connections; index++) look_if_current(&viewers[index]);
    } else if (!strncmp(line, "report", 6)) {
        qsort(ages, tally.ages_seen, sizeof *ages, ascending);
        answer("report", ages, tally.ages_seen, 0);
        tally.ages_seen = 0;
        forget_counts();
    }
}

static bool orders(void) {
    static char held[256];
    static size_t length;
    ssize_t got = read(0, held + length, sizeof held - 1 - length);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    length += (size_t)got;
    char *end;
    while ((end = memchr(held, '\n', length))) {
        *end = 0;
        obey(held);
        length -= (size_t)(end + 1 - held);
        memmove(held, end + 1, length);
    }
    return true;
}

static void look_who_is_due(void) {
    if (!tally.pending && !plan.next) return;
    static int from;
    uint64_t at = now();
    for (int step = 0; step < plan.connections; step++) {
        struct viewer *v = &viewers[(from + step) % plan.connections];
        if (v->state == OPEN && plan.next && !v->returned && v->due && v->due <= at) ended(v);
        if (v->state != WAITING || v->due > at) continue;
        if (tally.shaking >= plan.in_flight) {
            from = (from + step) % plan.connections;
            return;
        }
        begin(v);
    }
}

static bool text_of(const char *argument, const char *name, const char **value) {
    size_t length = strlen(name);
    if (strncmp(argument, name, length) || argument[length] != '=') return false;
    *value = argument + length + 1;
    return true;
}

static void read_plan(int count, char **arguments) {
    struct { const char *name; int *value; } numbers[] = {
        {"port", &plan.port}, {"next", &plan.next}, {"connections", &plan.connections}, {"in_flight", &plan.in_flight},
        {"ready", &plan.ready}, {"seconds", &plan.seconds}, {"nice", &plan.nice}, {"cpu", &plan.cpu},
        {"ages", &plan.ages}, {"first", &plan.first}, {"raw", &plan.raw}};
    struct { const char *name; const char **value; } texts[] = {
        {"path", &plan.path}, {"protocol", &plan.protocol}, {"extensions", &plan.extensions}, {"resume", &plan.resume}};
    for (int index = 1; index < count; index++) {
        const char *value;
        for (size_t each = 0; each < sizeof numbers / sizeof *numbers; each++)
            if (text_of(arguments[index], numbers[each].name, &value)) *numbers[each].value = atoi(value);
        for (size_t each = 0; each < sizeof texts / sizeof *texts; each++)
            text_of(arguments[index], texts[each].name, texts[each].value);
        if (text_of(arguments[index], "say", &value) && plan.says < SAYS) plan.say[plan.says++] = value;
    }
    if (plan.connections < 1 || plan.connections > 100000 || plan.seconds > 900) exit(2);
}

static void prepare(void) {
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (plan.nice && setpriority(PRIO_PROCESS, 0, plan.nice) < 0) die("setpriority");
    if (plan.cpu >= 0) {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        CPU_SET(plan.cpu, &cpus);
        if (sched_setaffinity(0, sizeof cpus, &cpus) < 0) die("sched_setaffinity");
    }
    viewers = calloc((size_t)plan.connections, sizeof *viewers);
    spans = calloc((size_t)plan.connections, sizeof *spans);
    ages = plan.ages ? calloc(AGES, sizeof *ages) : calloc(1, sizeof *ages);
    buffer = malloc(BUFFER);
    poller = epoll_create1(0);
    if (!viewers || !spans || !ages || !buffer || poller < 0) die("memory");
    tally.pending = plan.connections;
    for (int index = 0; index < plan.connections; index++) {
        viewers[index].fd = -1;
        viewers[index].number = plan.first + index;
    }
    fcntl(0, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
}

int main(int count, char **arguments) {
    read_plan(count, arguments);
    prepare();
    started = now();
    uint64_t until = started + (uint64_t)plan.seconds * 1000000000u;
    struct epoll_event events[EVENTS];
    while (now() < until && (announced || !tally.lost)) {
        look_who_is_due();
        look_if_done();
        int some = epoll_wait(poller, events, EVENTS, tally.pending || plan.next ? 5 : 200);
        for (int index = 0; index < some; index++) {
            if (events[index].data.u32 == UINT32_MAX) {
                if (!orders()) return 0;
                continue;
            }
            struct viewer *v = &viewers[events[index].data.u32];
            if (v->fd < 0) continue;
            if (v->state == CONNECTING) connected(v);
            else readable(v);
        }
    }
    answer("late", NULL, 0, 0);
    return 1;
}
