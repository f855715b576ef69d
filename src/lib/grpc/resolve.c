/* Looking up host names; see resolve.h. */
#include "lib/grpc/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "lib/basic/cleanup.h"

/* Held by the loop and by the thread: whoever lets go last frees it. */
struct grpc_resolve {
    atomic_int holders;
    char *host;
    uint16_t port;
    int done_fd; /* the thread writes to it when the rest is filled in */
    struct sockaddr_storage address;
    socklen_t size;
    int failure; /* of getaddrinfo */
    sd_event_source *source;
    grpc_resolved_fn on_resolved;
    void *userdata;
};

static void let_go(struct grpc_resolve *r)
{
    if (atomic_fetch_sub(&r->holders, 1) > 1)
        return;
    close_fd(r->done_fd);
    free(r->host);
    free(r);
}

static int look_up(const char *host, uint16_t port, int flags, struct sockaddr_storage *ret,
                   socklen_t *ret_size)
{
    char service[8];
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | flags};
    struct addrinfo *found = NULL;
    snprintf(service, sizeof service, "%u", port);
    int x = getaddrinfo(host, service, &hints, &found);
    if (x != 0)
        return x;
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    *ret_size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static void *thread_main(void *userdata)
{
    struct grpc_resolve *r = userdata;
    uint64_t one = 1;
    r->failure = look_up(r->host, r->port, 0, &r->address, &r->size);
    (void)!write(r->done_fd, &one, sizeof one);
    let_go(r);
    return NULL;
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source, (void)events;
    struct grpc_resolve *r = userdata;
    struct error e = ERROR_INIT;
    uint64_t count;
    if (read(fd, &count, sizeof count) != sizeof count)
        return 0;
    sd_event_source_disable_unref(TAKE_PTR(r->source));
    if (r->failure)
        error_retry(&e, EHOSTUNREACH, "cannot look up '%s': %s", r->host, gai_strerror(r->failure));
    r->on_resolved(r->failure ? NULL : &r->address, r->size, r->failure ? &e : NULL, r->userdata);
    let_go(r);
    return 0;
}

static int start_thread(struct grpc_resolve *r)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    atomic_store(&r->holders, 2);
    int x = pthread_create(&thread, &attributes, thread_main, r);
    pthread_attr_destroy(&attributes);
    return x;
}

struct grpc_resolve *grpc_resolve_start(sd_event *event, const char *host, uint16_t port,
                                        grpc_resolved_fn on_resolved, void *userdata, struct error *e)
{
    struct grpc_resolve *r = xcalloc(1, sizeof *r);
    *r = (struct grpc_resolve){
        .holders = 1, .host = xstrdup(host), .port = port, .on_resolved = on_resolved, .userdata = userdata};
    r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int x = r->done_fd < 0 ? errno : -sd_event_add_io(event, &r->source, r->done_fd, EPOLLIN, on_done, r);
    if (x <= 0)
        x = start_thread(r);
    if (x == 0)
        return r;
    error_os(e, x, "cannot look up '%s'", host);
    sd_event_source_disable_unref(r->source);
    atomic_store(&r->holders, 1);
    let_go(r);
    return NULL;
}

void grpc_resolve_cancel(struct grpc_resolve *r)
{
    if (!r)
        return;
    sd_event_source_disable_unref(TAKE_PTR(r->source));
    let_go(r);
}

int grpc_numeric_address(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_size)
{
    return look_up(host, port, AI_NUMERICHOST, ret, ret_size) == 0 ? 0 : -EINVAL;
}

int grpc_split_address(const char *address, char **ret_host, uint16_t *ret_port, struct error *e)
{
    const char *colon = strrchr(address, ':'), *begin = address, *end = colon;
    int64_t port = 0;
    if (colon && *address == '[' && colon > address + 1 && colon[-1] == ']') {
        begin++;
        end--;
    } else if (colon && memchr(address, ':', (size_t)(colon - address)))
        end = begin; /* more than one colon, and no brackets */
    if (!colon || end <= begin || end - begin > 253 || parse_int64(colon + 1, 1, 65535, &port) < 0)
        return error_refuse(e, EINVAL, "'%.300s' is no address: HOST:PORT is expected", address);
    *ret_host = xstrndup(begin, (size_t)(end - begin));
    *ret_port = (uint16_t)port;
    return 0;
}
