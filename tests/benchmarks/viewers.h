/* What the two halves of `viewers` share: viewers.c (the plan, orders and answers) and viewers_wire.c (the connections). */
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAYS = 8, EVENTS = 512, BUFFER = 1 << 21, RETRIES = 40, AGES = 1 << 22 };
enum state { WAITING, CONNECTING, SHAKING, OPEN, GONE };

struct viewer {
    int fd, retries, number;
    enum state state;
    bool ready, returned, subscribed, current;
    char *rest; /* the beginning of a message of which more is to come */
    size_t rest_length;
    uint64_t due, began, messages, epoch, version;
};

struct plan {
    int port, next, connections, in_flight, ready, seconds, nice, cpu, ages, first, raw;
    const char *path, *protocol, *extensions, *resume, *say[SAYS];
    int says;
};

/* Since the start, but for messages and bytes: those are since the last answer. */
struct tally {
    int pending, shaking, ready, current, lost, refused, failed, errors, gaps, resumed, snapshots;
    uint64_t messages, bytes, last_at;
    size_t ages_seen;
    char last_error[256];
};

extern struct plan plan;
extern struct tally tally;
extern struct viewer *viewers;
extern double *spans, *ages; /* milliseconds until each was there; milliseconds from each score's sending */
extern char *buffer;
extern uint64_t target;
extern int poller;

uint64_t now(void);
void die(const char *what);

void begin(struct viewer *v);
void connected(struct viewer *v);
void readable(struct viewer *v);
void ended(struct viewer *v);
void look_if_current(struct viewer *v);
