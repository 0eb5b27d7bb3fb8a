/* The floor under every fan-out: one loop of send() over all sockets, nothing else.
 *
 *     floor PORT BYTES
 *
 * Takes every connection on 127.0.0.1 without a handshake; each line on stdin sends one frame of BYTES to all. Ends with
 * its stdin. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 100000, EVENTS = 256 };

static int sockets[MOST], count;
static char frame[70000];

static int listening(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0) {
        perror("floor");
        exit(1);
    }
    return fd;
}

static void take_all(int listener) {
    int fd, on = 1;
    while (count < MOST && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        sockets[count++] = fd;
    }
}

static void send_to_all(size_t length) {
    int kept = 0;
    for (int index = 0; index < count; index++) {
        if (send(sockets[index], frame, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN) close(sockets[index]);
        else sockets[kept++] = sockets[index];
    }
    count = kept;
}

int main(int arguments, char **values) {
    if (arguments != 3) return 2;
    int listener = listening(atoi(values[1])), poller = epoll_create1(0);
    size_t size = strtoul(values[2], NULL, 10);
    if (size < 126 || size > 65535) return 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    frame[0] = (char)0x81, frame[1] = 126, frame[2] = (char)(size >> 8), frame[3] = (char)size;
    memset(frame + 4, 'x', size);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    event.data.fd = 0;
    epoll_ctl(poller, EPOLL_CTL_ADD, 0, &event);
    for (;;) {
        int some = epoll_wait(poller, events, EVENTS, -1);
        for (int index = 0; index < some; index++) {
            char orders[64];
            if (events[index].data.fd == listener) {
                take_all(listener);
                continue;
            }
            ssize_t got = read(0, orders, sizeof orders);
            if (got <= 0) return 0;
            for (ssize_t each = 0; each < got; each++)
                if (orders[each] == '\n') send_to_all(size + 4);
        }
    }
}
