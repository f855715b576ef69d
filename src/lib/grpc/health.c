/* Implements health.h. */
#include "lib/grpc/health.h"

#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/call.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/health.pb-c.h"

typedef Grpc__Health__V1__HealthCheckResponse response;
typedef Grpc__Health__V1__HealthCheckRequest request;
#define RESPONSE(s)                                                                                          \
    {                                                                                                        \
        PROTOBUF_C_MESSAGE_INIT(&grpc__health__v1__health_check_response__descriptor), s                     \
    }
enum {
    SERVING = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING,
    NOT_SERVING = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING,
    SERVICE_UNKNOWN = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN,
};

#define REQUEST_MAX GRPC_MESSAGE_KIB(1) /* for the name of a service */

struct known {
    struct known *next;
    char *name;
    int status;
};

struct watch {
    struct watch *next;
    struct grpc_health *health;
    struct grpc_call *call;
    /* NULL: an unknown service. */
    const struct known *known;
};

struct grpc_health {
    struct known *known;
    struct watch *watches;
};

static const struct known *find(const struct grpc_health *h, const char *service)
{
    for (const struct known *k = h->known; k; k = k->next)
        if (streq(k->name, service))
            return k;
    return NULL;
}

static int on_check(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)e;
    const struct known *k = find(userdata, ((const request *)in)->service);
    if (!k) {
        grpc_call_finish(call, GRPC_NOT_FOUND, "unknown service");
        return 0;
    }
    response answer = RESPONSE(k->status);
    grpc_call_reply(call, &answer.base);
    return 0;
}

static void watch_end(struct watch *w)
{
    for (struct watch **at = &w->health->watches; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    free(w);
}

static void on_watcher_gone(struct grpc_call *call, void *userdata)
{
    (void)call;
    watch_end(userdata);
}

static void tell(struct watch *w)
{
    response answer = RESPONSE(w->known ? w->known->status : SERVICE_UNKNOWN);
    grpc_call_send(w->call, &answer.base);
}

static int on_watch(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)e;
    struct grpc_health *h = userdata;
    struct watch *w = xcalloc(1, sizeof *w);
    *w = (struct watch){
        .next = h->watches, .health = h, .call = call, .known = find(h, ((const request *)in)->service)};
    h->watches = w;
    grpc_call_on_gone(call, on_watcher_gone, w);
    tell(w);
    return 0;
}

static const struct grpc_method methods[] = {
    {"Check", REQUEST_MAX, &grpc__health__v1__health_check_request__descriptor, on_check},
    {"Watch", GRPC_STREAMS_OUT | REQUEST_MAX | GRPC_AT_ONCE(16),
     &grpc__health__v1__health_check_request__descriptor, on_watch},
    {.name = NULL},
};
static const struct grpc_service service = {"grpc.health.v1.Health", methods, NULL};

void grpc_health_set(struct grpc_health *h, const char *name, bool serving)
{
    struct known *k = (struct known *)find(h, name);
    int status = serving ? SERVING : NOT_SERVING;
    if (!k) {
        k = xcalloc(1, sizeof *k);
        *k = (struct known){.next = h->known, .name = xstrdup(name)};
        h->known = k;
    }
    if (k->status == status)
        return;
    k->status = status;
    for (struct watch *w = h->watches; w; w = w->next)
        if (w->known == k)
            tell(w);
}

struct grpc_health *grpc_health_new(struct grpc_server *server)
{
    struct grpc_health *h = xcalloc(1, sizeof *h);
    grpc_server_add(server, &service, h);
    grpc_health_set(h, "", true);
    return h;
}

void grpc_health_free(struct grpc_health *h)
{
    if (!h)
        return;
    while (h->watches)
        watch_end(h->watches);
    while (h->known) {
        struct known *k = h->known;
        h->known = k->next;
        free(k->name);
        free(k);
    }
    free(h);
}
