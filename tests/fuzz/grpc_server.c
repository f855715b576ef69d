/* Fuzzes the gRPC server with the bytes of a caller after the preface: frames, header blocks, messages, an
 * end within one of them. */
#include <fcntl.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/grpc/call.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/health.h"
#include "lib/grpc/reflection.h"
#include "lib/grpc/server.h"
#include "lib/inapi/descriptors.h"
#include "lib/inapi/zone.pb-c.h"

static sd_event *event;
static struct grpc_server *server;
static struct grpc_call *kept;

static void on_gone(struct grpc_call *call, void *userdata)
{
    (void)userdata;
    must(call == kept);
    kept = NULL;
}

/* Replies at once, fails, or keeps the call until the caller leaves. */
static int on_init(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)userdata;
    const Inapi__HostInitRequest *request = (const Inapi__HostInitRequest *)in;
    Inapi__HostInitResponse out = INAPI__HOST_INIT_RESPONSE__INIT;
    if (request->n_zone_hosts == 1)
        return error_fail(e, 5, "%s", request->zone_hosts[0]);
    if (request->n_zone_hosts > 1 && !kept) {
        kept = call;
        grpc_call_on_gone(call, on_gone, NULL);
        return 0;
    }
    out.host_id = request->zone_name;
    grpc_call_reply(call, &out.base);
    return 0;
}

static int authorise(struct grpc_call *call, const struct grpc_method *method, void *userdata,
                     int *ret_status, struct error *e)
{
    (void)method, (void)userdata, (void)ret_status;
    return grpc_call_metadata(call, "x-refuse") ? error_refuse(e, 13, "refused") : 0;
}

static const struct grpc_method methods[] = {{"HostInit", 0, &inapi__host_init_request__descriptor, on_init},
                                             {.name = NULL}};
static const struct grpc_service service = {"i", methods, authorise};

static void start(void)
{
    const struct grpc_server_options options = {.message_max = 65536};
    must(sd_event_new(&event) >= 0);
    must(grpc_server_new(event, &options, &server) == 0);
    grpc_server_add(server, &service, NULL);
    grpc_health_new(server);
    grpc_reflection_new(server, inapi_descriptors, inapi_descriptors_size);
}

static void run_loop(int fd)
{
    char answer[65536];
    for (int i = 0; i < 1000 && sd_event_run(event, 0) > 0; i++)
        while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
            ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    int fds[2];
    if (!server)
        start();
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    grpc_server_take(server, fds[0]);
    must(send(fds[1], begin, sizeof begin - 1, MSG_NOSIGNAL) == (ssize_t)sizeof begin - 1);
    size_t first = size / 2;
    (void)!send(fds[1], data, first, MSG_NOSIGNAL | MSG_DONTWAIT);
    run_loop(fds[1]);
    (void)!send(fds[1], data + first, size - first, MSG_NOSIGNAL | MSG_DONTWAIT);
    run_loop(fds[1]);
    close(fds[1]);
    for (int i = 0; i < 1000 && sd_event_run(event, 0) > 0; i++)
        ;
    must(grpc_server_connections(server) == 0);
    must(!kept);
    return 0;
}
