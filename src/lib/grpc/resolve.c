/* Implements resolve.h. */
#include "lib/grpc/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/loop/work.h"

struct grpc_resolve {
    struct work work;        /* the first member */
    struct workers *workers; /* for this work only: cancelling frees them, which drops the work */
    char *host;
    uint16_t port;
    struct sockaddr_storage address;
    socklen_t size;
    int failure; /* result of getaddrinfo() */
    grpc_resolved_fn on_resolved;
    void *userdata;
};

static void resolve_free(struct work *work)
{
    struct grpc_resolve *r = (struct grpc_resolve *)work;
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

static void resolve_run(struct work *work)
{
    struct grpc_resolve *r = (struct grpc_resolve *)work;
    r->failure = look_up(r->host, r->port, 0, &r->address, &r->size);
}

static void resolve_done(struct work *work)
{
    struct grpc_resolve *r = (struct grpc_resolve *)work;
    struct error e = ERROR_INIT;
    if (r->failure)
        error_retry(&e, EHOSTUNREACH, "cannot look up '%s': %s", r->host, gai_strerror(r->failure));
    r->on_resolved(r->failure ? NULL : &r->address, r->size, r->failure ? &e : NULL, r->userdata);
    workers_free(r->workers);
    resolve_free(work);
}

struct grpc_resolve *grpc_resolve_start(sd_event *event, const char *host, uint16_t port,
                                        grpc_resolved_fn on_resolved, void *userdata, struct error *e)
{
    struct workers *workers;
    if (workers_new(event, 1, WORKERS_PATIENT, &workers, e) < 0) {
        error_prefix(e, "cannot look up '%s'", host);
        return NULL;
    }
    struct grpc_resolve *r = xcalloc(1, sizeof *r);
    r->work = (struct work){.run = resolve_run, .done = resolve_done, .drop = resolve_free};
    r->workers = workers;
    r->host = xstrdup(host);
    r->port = port;
    r->on_resolved = on_resolved;
    r->userdata = userdata;
    workers_add(workers, &r->work);
    return r;
}

void grpc_resolve_cancel(struct grpc_resolve *r)
{
    if (r)
        workers_free(r->workers);
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
        /* More than one colon is valid only with brackets. */
        end = begin;
    if (!colon || end <= begin || end - begin > 253 || parse_int64(colon + 1, 1, 65535, &port) < 0)
        return error_refuse(e, EINVAL, "'%.300s' is not an address: HOST:PORT is expected", address);
    *ret_host = xstrndup(begin, (size_t)(end - begin));
    *ret_port = (uint16_t)port;
    return 0;
}
