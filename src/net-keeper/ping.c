/* Implements ping.h. */
#include "net-keeper/ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/api/net_keeper.h"
#include "lib/basic/cleanup.h"
#include "lib/loop/timer.h"
#include "net-keeper/ipv4.h"

#define PINGS_MAX    16                 /* at the same time */
#define ATTEMPTS     3                  /* echo requests */
#define ATTEMPT_USEC (1 * USEC_PER_SEC) /* between two of them */
#define TCP_USEC     (ATTEMPTS * ATTEMPT_USEC)

struct ping {
    struct pings *pings;
    struct varlink_call *call;
    char *host;
    struct sockaddr_in to;
    enum net_ping_method method;
    int fd;
    sd_event_source *source;
    struct timer timer;
    unsigned sent;
    uint64_t begun; /* monotonic microseconds of the last request */
    int errnum;     /* the last error; 0: none */
    struct ping *next;
};

struct pings {
    sd_event *event;
    unsigned port, n;
    struct ping *first;
};

struct pings *pings_new(sd_event *event, unsigned port)
{
    struct pings *pings = xcalloc(1, sizeof *pings);
    *pings = (struct pings){.event = event, .port = port};
    return pings;
}

static void ping_free(struct ping *p)
{
    for (struct ping **at = &p->pings->first; *at; at = &(*at)->next)
        if (*at == p) {
            *at = p->next;
            p->pings->n--;
            break;
        }
    timer_stop(&p->timer);
    sd_event_source_disable_unref(p->source);
    close_fd(p->fd);
    free(p->host);
    free(p);
}

void pings_free(struct pings *pings)
{
    while (pings && pings->first)
        ping_free(pings->first);
    free(pings);
}

static void succeed(struct ping *p)
{
    char text[IPV4_TEXT];
    const struct net_ping_out out = {
        .address = (char *)ipv4_text(ntohl(p->to.sin_addr.s_addr), text),
        .method = (int)p->method,
        .usec = (int64_t)(now_monotonic_usec() - p->begun),
    };
    varlink_reply(p->call, &out);
    ping_free(p);
}

static void fail(struct ping *p)
{
    struct error e = ERROR_INIT;
    char text[IPV4_TEXT];
    const char *why = p->errnum ? strerror(p->errnum) : "no reply";
    ipv4_text(ntohl(p->to.sin_addr.s_addr), text);
    if (p->method == NET_PING_ICMP)
        error_fail(&e, EHOSTUNREACH, "host '%.40s' is not reachable: %u ICMP echo requests to %s: %s",
                   p->host, p->sent, text, why);
    else
        error_fail(&e, EHOSTUNREACH, "host '%.40s' is not reachable: a TCP connection to port %u of %s: %s",
                   p->host, ntohs(p->to.sin_port), text, why);
    varlink_error(p->call, &e);
    ping_free(p);
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call;
    ping_free(userdata);
}

/* The kernel sets the identifier and the checksum of such a socket's requests, and gives it only its replies.
 */
static void send_echo(void *userdata)
{
    struct ping *p = userdata;
    if (p->sent == ATTEMPTS) {
        fail(p);
        return;
    }
    struct icmphdr echo = {.type = ICMP_ECHO, .un.echo.sequence = htons((uint16_t)++p->sent)};
    p->begun = now_monotonic_usec();
    if (send(p->fd, &echo, sizeof echo, MSG_NOSIGNAL) < 0)
        p->errnum = errno;
    timer_arm(&p->timer, p->pings->event, ATTEMPT_USEC, send_echo, p);
}

static int on_icmp(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)events;
    struct ping *p = userdata;
    struct icmphdr echo;
    ssize_t n = recv(fd, &echo, sizeof echo, MSG_TRUNC);
    if (n < 0) {
        if (errno != EAGAIN)
            p->errnum = errno; /* another machine replied that the host is unreachable */
    } else if ((size_t)n >= sizeof echo && echo.type == ICMP_ECHOREPLY &&
               echo.un.echo.sequence == htons((uint16_t)p->sent))
        succeed(p);
    return 0;
}

static int on_tcp(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)events;
    struct ping *p = userdata;
    socklen_t size = sizeof p->errnum;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &p->errnum, &size) < 0)
        p->errnum = errno;
    if (p->errnum == 0 || p->errnum == ECONNREFUSED)
        succeed(p);
    else
        fail(p);
    return 0;
}

static void on_tcp_timer(void *userdata)
{
    fail(userdata);
}

static int begin_tcp(struct ping *p)
{
    p->method = NET_PING_TCP;
    p->to.sin_port = htons((uint16_t)p->pings->port);
    p->begun = now_monotonic_usec();
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->fd < 0 ||
        (connect(p->fd, (const struct sockaddr *)&p->to, sizeof p->to) < 0 && errno != EINPROGRESS))
        return -errno;
    timer_arm(&p->timer, p->pings->event, TCP_USEC, on_tcp_timer, p);
    return sd_event_add_io(p->pings->event, &p->source, p->fd, EPOLLOUT, on_tcp, p);
}

static int begin(struct ping *p)
{
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (p->fd < 0)
        return begin_tcp(p);
    if (connect(p->fd, (const struct sockaddr *)&p->to, sizeof p->to) < 0)
        return -errno;
    int r = sd_event_add_io(p->pings->event, &p->source, p->fd, EPOLLIN, on_icmp, p);
    if (r >= 0)
        send_echo(p);
    return r;
}

int ping_begin(struct pings *pings, struct varlink_call *call, const char *host, uint32_t address,
               struct error *e)
{
    if (pings->n == PINGS_MAX)
        return error_retry(e, EBUSY, "%d hosts are being asked for a sign of life at this moment", PINGS_MAX);
    struct ping *p = xcalloc(1, sizeof *p);
    *p = (struct ping){.pings = pings, .call = call, .host = xstrdup(host), .fd = -1, .next = pings->first};
    p->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    pings->first = p;
    pings->n++;
    int r = begin(p);
    if (r < 0) {
        ping_free(p);
        return error_fail(e, -r, "host '%.40s' is not reachable: %s", host, strerror(-r));
    }
    varlink_call_on_gone(call, on_gone, p);
    return 0;
}
