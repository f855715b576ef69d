/* Fuzzes the gRPC client with the bytes of a server: each of two calls must end exactly once. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "fuzz.h"
#include "lib/grpc/client.h"
#include "lib/grpc/request.h"
#include "lib/inapi/zone.pb-c.h"

static sd_event *event;
static struct grpc_client *client;
static int listener = -1;
static unsigned ended;

static void on_done(struct grpc_request *request, const struct grpc_result *result, void *userdata)
{
    (void)request, (void)userdata;
    must((result->status == GRPC_OK) == (result->error.errnum == 0));
    must(result->status == GRPC_OK || *result->error.message);
    ended++;
}

static int on_data(struct grpc_request *request, const uint8_t *data, size_t size, void *userdata)
{
    (void)request, (void)userdata;
    ProtobufCMessage *m = NULL;
    struct error e = ERROR_INIT;
    int r = grpc_message_unpack(&inapi__host_status_update_response__descriptor, data, size, 1 << 20, &m, &e);
    grpc_message_free(m);
    return r;
}

static void start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    struct error e = ERROR_INIT;
    char text[32];
    must(sd_event_new(&event) >= 0);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    must(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 16) == 0);
    must(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port));
    must(grpc_client_new(event, &(struct grpc_client_options){.address = text, .message_max = 65536}, &client,
                         &e) == 0);
}

static void run_loop(int fd)
{
    char answer[65536];
    for (int i = 0; i < 1000 && sd_event_run(event, 0) > 0; i++)
        while (fd >= 0 && recv(fd, answer, sizeof answer, MSG_DONTWAIT) > 0)
            ;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const Inapi__PingRequest ping = INAPI__PING_REQUEST__INIT;
    if (!client)
        start();
    ended = 0;
    struct grpc_ask ask = {.path = "/a/B", .message = &ping.base, .on_done = on_done};
    grpc_call_start(client, &ask);
    ask.on_data = on_data;
    grpc_call_start(client, &ask);
    run_loop(-1);
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    must(fd >= 0);
    /* The socket is reset at its end, because connections in TIME_WAIT would use up the ports. */
    must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger)) == 0);
    size_t first = size / 2;
    (void)!send(fd, "\0\0\0\4\0\0\0\0\0", 9, MSG_NOSIGNAL);
    (void)!send(fd, data, first, MSG_NOSIGNAL);
    run_loop(fd);
    (void)!send(fd, data + first, size - first, MSG_NOSIGNAL);
    run_loop(fd);
    close(fd);
    /* A refused call is sent again over new connections, which end at once. */
    for (int i = 0; i < 100 && ended < 2; i++) {
        run_loop(-1);
        while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
            must(setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                            sizeof(struct linger)) == 0);
            close(fd);
        }
    }
    must(ended == 2);
    grpc_client_renew(client);
    run_loop(-1);
    return 0;
}
