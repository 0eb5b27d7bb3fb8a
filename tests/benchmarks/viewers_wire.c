/* The connections of `viewers`: connect, shake hands, say, and look at what comes. */
#include "viewers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* -- connecting -------------------------------------------------------------------------------------------------- */

static void await_again(struct viewer *v, uint64_t due) {
    v->state = WAITING;
    v->due = due;
    tally.pending++;
}

static void hang_up(struct viewer *v) {
    if (v->fd >= 0) close(v->fd);
    v->fd = -1;
    free(v->rest);
    v->rest = NULL;
    v->rest_length = 0;
    if (v->state == CONNECTING || v->state == SHAKING || (v->state == OPEN && !v->ready)) tally.shaking--;
    v->state = GONE;
}

static void try_later(struct viewer *v, uint64_t pause) {
    hang_up(v);
    if (v->retries++ < RETRIES) await_again(v, now() + pause + (uint64_t)(rand() % 100) * 1000000u);
    else tally.lost++;
}

void begin(struct viewer *v) {
    tally.pending--;
    v->began = now();
    v->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (v->fd < 0) die("socket");
    int on = 1;
    setsockopt(v->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    int port = v->returned && plan.next ? plan.next : plan.port;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)(v - viewers)};
    v->state = CONNECTING;
    v->ready = v->subscribed = false;
    v->messages = 0;
    tally.shaking++;
    if (connect(v->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
        tally.failed++;
        try_later(v, 100000000u);
    } else if (epoll_ctl(poller, EPOLL_CTL_ADD, v->fd, &event) < 0) {
        die("epoll_ctl");
    }
}

static void say_bytes(struct viewer *v, const char *text, size_t length) {
    if (send(v->fd, text, length, MSG_NOSIGNAL) != (ssize_t)length) tally.errors++;
}

/* A masked frame; the mask is zero, which leaves the payload as it is. */
static void say_frame(struct viewer *v, int opcode, const char *text, size_t length) {
    char frame[4096 + 8] = {(char)(0x80 | opcode)};
    size_t head = 2;
    if (length > 4096) return;
    if (length < 126) {
        frame[1] = (char)(0x80 | length);
    } else {
        frame[1] = (char)(0x80 | 126);
        frame[2] = (char)(length >> 8);
        frame[3] = (char)length;
        head = 4;
    }
    memcpy(frame + head + 4, text, length);
    say_bytes(v, frame, head + 4 + length);
}

static void say_text(struct viewer *v, const char *template) {
    char text[4096];
    size_t used = 0;
    for (const char *at = template; *at && used < sizeof text - 24;) {
        if (!strncmp(at, "{n}", 3)) used += (size_t)sprintf(text + used, "%d", v->number), at += 3;
        else if (!strncmp(at, "{epoch}", 7)) used += (size_t)sprintf(text + used, "%lu", v->epoch), at += 7;
        else if (!strncmp(at, "{version}", 9)) used += (size_t)sprintf(text + used, "%lu", v->version), at += 9;
        else text[used++] = *at++;
    }
    say_frame(v, 1, text, used);
}

static void count_ready(struct viewer *v) {
    if (v->ready || v->messages < (uint64_t)plan.ready) return;
    v->ready = true;
    tally.shaking--;
    if (v->returned) return;
    spans[tally.ready++] = (double)(now() - v->began) / 1e6;
    v->messages = 0;
}

static void opened(struct viewer *v) {
    v->state = OPEN;
    if (v->returned && plan.resume) say_text(v, plan.resume);
    else
        for (int index = 0; index < plan.says; index++) say_text(v, plan.say[index]);
    count_ready(v);
}

void connected(struct viewer *v) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(v->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        tally.failed++;
        try_later(v, 100000000u);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (uint32_t)(v - viewers)};
    epoll_ctl(poller, EPOLL_CTL_MOD, v->fd, &event);
    if (plan.raw) {
        opened(v);
        return;
    }
    char request[1024];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s%s%s%s\r\n",
                          plan.path, plan.port, plan.protocol ? "Sec-WebSocket-Protocol: " : "",
                          plan.protocol ? plan.protocol : "", plan.protocol ? "\r\n" : "",
                          plan.extensions ? "Sec-WebSocket-Extensions: " : "", plan.extensions ? plan.extensions : "",
                          plan.extensions ? "\r\n" : "");
    v->state = SHAKING;
    say_bytes(v, request, (size_t)length);
}

/* -- what comes -------------------------------------------------------------------------------------------------- */

static bool find_number(const char *text, size_t length, const char *name, uint64_t *value) {
    const char *at = memmem(text, length, name, strlen(name));
    if (!at || (size_t)(at - text) + strlen(name) >= length) return false;
    at += strlen(name);
    if (*at < '0' || *at > '9') return false;
    for (*value = 0; at < text + length && *at >= '0' && *at <= '9'; at++) *value = *value * 10 + (uint64_t)(*at - '0');
    return true;
}

static bool names(const char *text, size_t length, const char *type) {
    return memmem(text, length < 80 ? length : 80, type, strlen(type)) != NULL;
}

static void look_at_ages(const char *text, size_t length) {
    if (names(text, length, "\"snapshot\"")) return;
    uint64_t at = now(), score;
    const char *end = text + length, *mark = "\"score\":";
    for (const char *here = text; (here = memmem(here, (size_t)(end - here), mark, strlen(mark))); here += strlen(mark)) {
        if (find_number(here, (size_t)(end - here), mark, &score) && score > 1000000000u && tally.ages_seen < AGES)
            ages[tally.ages_seen++] = ((double)at - (double)score) / 1e6;
    }
}

void look_if_current(struct viewer *v) {
    if (!target || v->current || !v->returned || !v->subscribed || v->version < target) return;
    v->current = true;
    tally.last_at = now();
    spans[tally.current++] = (double)(tally.last_at - v->began) / 1e6;
}

static void follow(struct viewer *v, const char *text, size_t length) {
    size_t head = length < 400 ? length : 400;
    uint64_t value;
    if (names(text, length, "\"type\":\"drain\"")) {
        if (!v->returned && find_number(text, head, "\"reconnect_in_ms\":", &value)) v->due = now() + value * 1000000u;
        return;
    }
    if (names(text, length, "\"type\":\"subscribed\"")) {
        v->subscribed = true;
        if (v->returned) *(memmem(text, length, "\"resumed\"", 9) ? &tally.resumed : &tally.snapshots) += 1;
    } else if (names(text, length, "\"type\":\"snapshot\"") || names(text, length, "\"type\":\"delta\"")) {
        if (find_number(text, head, "\"from\":", &value) && value != v->version) tally.gaps++;
        find_number(text, head, "\"epoch\":", &v->epoch);
        if (!find_number(text, head, "\"to\":", &v->version)) find_number(text, head, "\"version\":", &v->version);
    } else if (names(text, length, "\"type\":\"check\"")) {
        find_number(text, head, "\"version\":", &v->version);
    }
    look_if_current(v);
}

static void heard(struct viewer *v, const char *text, size_t length, size_t framed) {
    v->messages++;
    if (names(text, length, "\"type\":\"error\"")) {
        tally.errors++;
        snprintf(tally.last_error, sizeof tally.last_error, "%.*s", (int)(length < 200 ? length : 200), text);
    }
    if (plan.next) follow(v, text, length);
    if (!v->ready) {
        count_ready(v);
        return;
    }
    tally.messages++;
    tally.bytes += framed;
    if (v - viewers < plan.ages) look_at_ages(text, length);
}

void ended(struct viewer *v) {
    bool leads_on = plan.next && !v->returned;
    hang_up(v);
    if (leads_on) {
        v->returned = true;
        await_again(v, v->due);
    } else {
        tally.lost++;
    }
}

/* How much of `data` was whole messages; -1 where the connection has ended. */
static ssize_t take_frames(struct viewer *v, const char *data, size_t length) {
    size_t used = 0;
    while (length - used >= 2) {
        const unsigned char *at = (const unsigned char *)data + used;
        size_t size = at[1] & 127, head = size == 126 ? 4 : size == 127 ? 10 : 2;
        if (length - used < head) break;
        if (size == 126) size = (size_t)at[2] << 8 | at[3];
        else if (size == 127) size = (size_t)at[6] << 24 | (size_t)at[7] << 16 | (size_t)at[8] << 8 | at[9];
        if (length - used < head + size) break;
        const char *text = (const char *)at + head;
        used += head + size;
        int opcode = at[0] & 15;
        if (opcode == 8) {
            say_frame(v, 8, text, size < 2 ? 0 : 2);
            ended(v);
            return -1;
        }
        if (opcode == 9) say_frame(v, 10, text, size);
        else if (opcode < 3 && at[0] & 128) heard(v, text, size, head + size);
    }
    return (ssize_t)used;
}

static ssize_t take_answer(struct viewer *v, const char *data, size_t length) {
    const char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    if (strncmp(data, "HTTP/1.1 101", 12)) {
        tally.refused++;
        snprintf(tally.last_error, sizeof tally.last_error, "%.*s", (int)strcspn(data, "\r"), data);
        uint64_t seconds = 1;
        if (!find_number(data, length, "etry-after: ", &seconds)) find_number(data, length, "etry-After: ", &seconds);
        try_later(v, seconds * 1000000000u);
        return -1;
    }
    opened(v);
    size_t used = (size_t)(end + 4 - data);
    ssize_t more = take_frames(v, data + used, length - used);
    return more < 0 ? -1 : (ssize_t)used + more;
}

void readable(struct viewer *v) {
    for (;;) {
        size_t held = v->rest_length;
        if (held) memcpy(buffer, v->rest, held);
        ssize_t got = recv(v->fd, buffer + held, BUFFER - held, MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0 && v->state == SHAKING) {
            tally.failed++;
            try_later(v, 100000000u);
            return;
        }
        if (got <= 0) {
            ended(v);
            return;
        }
        size_t length = held + (size_t)got;
        ssize_t used = v->state == OPEN ? take_frames(v, buffer, length) : take_answer(v, buffer, length);
        if (used < 0) return;
        size_t rest = length - (size_t)used;
        if (rest > held) v->rest = realloc(v->rest, rest);
        if (rest) memcpy(v->rest, buffer + used, rest);
        v->rest_length = rest;
        if (length < BUFFER) return;
    }
}
