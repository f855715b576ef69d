/* Implements post.h. */
#include "inagent/post.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/basic/cleanup.h"

/* The path of the contract's request, at a Unix socket, whose URL has none. */
#define STATUS_PATH "/in/api/v2/hostlet/inagent/status"
/* How long connect() may wait while the socket's backlog is full: the kernel then lets those who wait in, in
 * their order. */
#define CONNECT_USEC (500 * USEC_PER_MSEC)

struct target {
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_un un;
    } address;
    socklen_t size;
    char host[64]; /* with the port, as in the URL */
    const char *path;
};

/* "unix:PATH". */
static int parse_unix(const char *path, struct target *t, struct error *e)
{
    *t = (struct target){.address.un.sun_family = AF_UNIX,
                         .size = sizeof t->address.un,
                         .host = "localhost",
                         .path = STATUS_PATH};
    if (*path != '/' || strlen(path) >= sizeof t->address.un.sun_path)
        return error_refuse(e, EINVAL, "'%.120s' is no absolute path of a socket", path);
    memcpy(t->address.un.sun_path, path, strlen(path) + 1);
    return 0;
}

static int parse_url(const char *url, struct target *t, struct error *e)
{
    const char *rest = after_prefix(url, "http://"), *socket = after_prefix(url, "unix:");
    if (socket)
        return parse_unix(socket, t, e);
    size_t n = rest ? strcspn(rest, "/") : 0;
    char text[sizeof t->host];
    int64_t port = 80;
    *t = (struct target){.address.in.sin_family = AF_INET, .size = sizeof t->address.in};
    /* The path becomes part of the request's first line. */
    for (const char *c = rest; rest && *c; c++)
        if (*c <= ' ' || *c > '~')
            rest = NULL;
    if (!rest || n == 0 || n >= sizeof t->host)
        return error_refuse(e, EINVAL, "'%.100s' is no URL of the form http://ADDRESS:PORT/PATH or unix:PATH",
                            url);
    (void)snprintf(t->host, sizeof t->host, "%.*s", (int)n, rest);
    (void)snprintf(text, sizeof text, "%s", t->host);
    char *colon = strchr(text, ':');
    if (colon)
        *colon = '\0';
    if (inet_pton(AF_INET, text, &t->address.in.sin_addr) != 1 ||
        (colon && parse_int64(colon + 1, 1, 65535, &port) < 0))
        return error_refuse(e, EINVAL, "'%s' is no numeric address and port", t->host);
    t->address.in.sin_port = htons((uint16_t)port);
    t->path = rest[n] ? rest + n : "/";
    return 0;
}

/* Connects to the Unix socket, which is done at once, or not at all while nothing listens. */
static int connect_unix(const struct target *t, int fd)
{
    const struct timeval wait = {.tv_usec = CONNECT_USEC};
    int flags = fcntl(fd, F_GETFL);
    if (connect(fd, &t->address.any, t->size) == 0)
        return 0;
    if (errno != EAGAIN || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) < 0 ||
        fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
        return -1;
    int r = connect(fd, &t->address.any, t->size);
    return r < 0 ? r : fcntl(fd, F_SETFL, flags);
}

static int connect_to(const struct target *t, int *ret, struct error *e)
{
    bool local = t->address.any.sa_family == AF_UNIX;
    *ret = socket(t->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*ret < 0)
        return error_os(e, errno, "cannot make a socket");
    int r = local ? connect_unix(t, *ret) : connect(*ret, &t->address.any, t->size);
    return r >= 0 || errno == EINPROGRESS
               ? 0
               : error_os(e, errno, "cannot connect to %s", local ? t->address.un.sun_path : t->host);
}

int post_begin(struct post *post, const char *url, const char *secret, const char *body, uint64_t now,
               struct error *e)
{
    struct target t;
    int r = parse_url(url, &t, e);
    if (r < 0)
        return r;
    if (strpbrk(secret, "\r\n"))
        return error_refuse(e, EINVAL, "the secret has a line break");
    post_end(post);
    r = connect_to(&t, &post->fd, e);
    if (r < 0) {
        post_end(post);
        return r;
    }
    post->request =
        xasprintf("POST %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                  "X-Secret-Key: %s\r\nContent-Length: %zu\r\n\r\n%s",
                  t.path, t.host, secret, strlen(body), body);
    post->size = strlen(post->request);
    post->deadline = now + POST_TIMEOUT_USEC;
    return 0;
}

short post_events(const struct post *post)
{
    return post->sent < post->size ? POLLOUT : POLLIN;
}

static bool would_block(ssize_t n)
{
    return n < 0 && (errno == EAGAIN || errno == EINPROGRESS || errno == ENOTCONN || errno == EINTR);
}

/* Returns the status of "HTTP/1.1 200 OK", 0 if it is incomplete, −1 if it is invalid. */
static int read_status(const struct post *post)
{
    int64_t status;
    char digits[4] = "";
    if (post->received < 12)
        return 0;
    memcpy(digits, post->answer + 9, 3);
    if (memcmp(post->answer, "HTTP/1.", 7) != 0 || post->answer[8] != ' ' ||
        parse_int64(digits, 100, 999, &status) < 0)
        return -1;
    return (int)status;
}

static enum post_result step(struct post *post, uint64_t now, struct error *e)
{
    while (post->sent < post->size) {
        ssize_t n = send(post->fd, post->request + post->sent, post->size - post->sent, MSG_NOSIGNAL);
        if (would_block(n))
            break;
        if (n < 0) {
            error_os(e, errno, "cannot send");
            return POST_FAILED;
        }
        post->sent += (size_t)n;
    }
    while (post->sent == post->size && read_status(post) == 0) {
        ssize_t n = recv(post->fd, post->answer + post->received, sizeof post->answer - post->received, 0);
        if (would_block(n))
            break;
        if (n <= 0) {
            error_retry(e, n < 0 ? errno : ECONNRESET, "the connection ended without a response");
            return POST_FAILED;
        }
        post->received += (size_t)n;
    }
    int status = read_status(post);
    if (status == 200)
        return POST_DONE;
    if (status != 0)
        error_retry(e, EPROTO, status < 0 ? "the response is not HTTP" : "the response is %d", status);
    else if (now < post->deadline)
        return POST_WAITING;
    else
        error_retry(e, ETIMEDOUT, "no response within 3 s");
    return POST_FAILED;
}

enum post_result post_step(struct post *post, uint64_t now, struct error *e)
{
    enum post_result result = step(post, now, e);
    if (result != POST_WAITING)
        post_end(post);
    return result;
}

void post_end(struct post *post)
{
    close_fd(post->fd);
    if (post->request)
        memset(post->request, 0, post->size); /* it contains the secret */
    free(post->request);
    *post = (struct post)POST_INIT;
}
