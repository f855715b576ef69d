/* Makes lib/grpc a program, for tests against other implementations of gRPC.
 *
 *   grpc-peer serve [OPTION=VALUE…] ADDRESS    serves until SIGTERM, then drains
 *   grpc-peer call [OPTION=VALUE…] ADDRESS     executes the lines of standard input
 *
 * "serve" prints a line "PATH STATUS" for each call, "call" a line for each event.
 *
 * It serves inapi.ZoneService (Ping, PackageList), inapi.HostInternalService with tokens of the key in
 * HOSTLET_TEST_KEY, health and reflection. The name of the requested package determines the response of
 * PackageList: "big:BYTES" has that size, "sleep:MS" is late, "never" gets no response, "error:TEXT" fails;
 * every other name is returned.
 *
 * The lines are "list ID TIMEOUT_MS NAME", "watch ID SERVICE" (health), "cancel ID", "renew" and "quit". */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <systemd/sd-event.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/log.h"
#include "lib/grpc/call.h"
#include "lib/grpc/call_answer.h"
#include "lib/grpc/client.h"
#include "lib/grpc/health.h"
#include "lib/grpc/health.pb-c.h"
#include "lib/grpc/reflection.h"
#include "lib/grpc/request.h"
#include "lib/grpc/resolve.h"
#include "lib/grpc/server.h"
#include "lib/grpc/tls.h"
#include "lib/inapi/descriptors.h"
#include "lib/inapi/token.h"
#include "lib/inapi/zone.pb-c.h"

static sd_event *event;
static struct grpc_health *health;
static struct access_key key;

static int64_t number(const char *text)
{
    int64_t v = 0;
    if (parse_int64(text, 0, INT64_MAX, &v) < 0)
        fatal(EXIT_USAGE, "'%s' is not a number", text);
    return v;
}

static void say(const char *fmt, ...) _printf_(1, 2);
static void say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    fflush(stdout);
}

/* Serving */

static void reply_list(struct grpc_call *call, const char *name, size_t size)
{
    Inapi__PackageListResponse out = INAPI__PACKAGE_LIST_RESPONSE__INIT;
    Inapi__Package item = INAPI__PACKAGE__INIT, *items[] = {&item};
    Inapi__PackageMetadata metadata = INAPI__PACKAGE_METADATA__INIT;
    _cleanup_free_ char *text = xcalloc(size + 1, 1);
    memset(text, 'x', size);
    metadata.name = (char *)name;
    metadata.description = text;
    item.metadata = &metadata;
    out.items = items;
    out.n_items = 1;
    grpc_call_reply(call, &out.base);
}

struct later {
    struct grpc_call *call;
    sd_event_source *timer;
};

static void later_end(struct later *l)
{
    sd_event_source_disable_unref(l->timer);
    free(l);
}

static void on_later_gone(struct grpc_call *call, void *userdata)
{
    (void)call;
    say("gone\n");
    later_end(userdata);
}

static int on_later(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source, (void)usec;
    struct later *l = userdata;
    reply_list(l->call, "later", 0);
    later_end(l);
    return 0;
}

static int on_list(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)userdata;
    const char *name = ((const Inapi__PackageListRequest *)in)->name, *rest;
    if ((rest = after_prefix(name, "error:")))
        return error_fail(e, EIO, "%s", rest);
    if ((rest = after_prefix(name, "big:")))
        reply_list(call, "big", (size_t)number(rest));
    else if ((rest = after_prefix(name, "sleep:")) || streq(name, "never")) {
        struct later *l = xcalloc(1, sizeof *l);
        l->call = call;
        grpc_call_on_gone(call, on_later_gone, l);
        if (rest)
            sd_event_add_time_relative(event, &l->timer, CLOCK_MONOTONIC, (uint64_t)number(rest) * 1000, 1,
                                       on_later, l);
    } else
        reply_list(call, name, 0);
    return 0;
}

static int on_ping(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)in, (void)userdata, (void)e;
    Inapi__PingResponse pong = INAPI__PING_RESPONSE__INIT;
    pong.message = (char *)"pong";
    grpc_call_reply(call, &pong.base);
    return 0;
}

static int on_host_init(struct grpc_call *call, const ProtobufCMessage *in, void *userdata, struct error *e)
{
    (void)userdata, (void)e;
    Inapi__HostInitResponse out = INAPI__HOST_INIT_RESPONSE__INIT;
    out.host_id = ((const Inapi__HostInitRequest *)in)->zone_name;
    grpc_call_reply(call, &out.base);
    return 0;
}

static int authorise(struct grpc_call *call, const struct grpc_method *method, void *userdata,
                     int *ret_status, struct error *e)
{
    (void)method, (void)userdata, (void)ret_status;
    return token_verify(&key, 1, grpc_call_metadata(call, INAPI_TOKEN_METADATA),
                        (int64_t)(now_realtime_usec() / USEC_PER_SEC), e)
               ? 0
               : -EACCES;
}

static const struct grpc_method zone_methods[] = {
    {"Ping", 0, &inapi__ping_request__descriptor, on_ping},
    {"PackageList", 0, &inapi__package_list_request__descriptor, on_list},
    {.name = NULL},
};
static const struct grpc_method host_methods[] = {
    {"HostInit", 0, &inapi__host_init_request__descriptor, on_host_init},
    {.name = NULL},
};
static const struct grpc_service zone = {"inapi.ZoneService", zone_methods, NULL},
                                 host = {"inapi.HostInternalService", host_methods, authorise};

static void observe(const char *path, bool known, int status, uint64_t usec, void *userdata)
{
    (void)usec, (void)userdata;
    say("%s %s%s\n", path, grpc_status_name(status), known ? "" : " (unknown)");
}

static void on_drained(void *userdata)
{
    (void)userdata;
    say("drained\n");
    sd_event_exit(event, 0);
}

static int on_term(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si;
    grpc_server_drain(userdata, 5 * USEC_PER_SEC, on_drained, NULL);
    return 0;
}

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata)
{
    (void)source, (void)si, (void)userdata;
    grpc_health_set(health, "inapi.ZoneService", false);
    return 0;
}

static int listen_on(const char *address)
{
    _cleanup_free_ char *name = NULL;
    struct sockaddr_storage a;
    socklen_t size;
    uint16_t port;
    struct error e = ERROR_INIT;
    const int yes = 1;
    if (grpc_split_address(address, &name, &port, &e) < 0 || grpc_numeric_address(name, port, &a, &size) < 0)
        fatal(EXIT_USAGE, "cannot listen on '%s'", address);
    int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&a, size) < 0 || listen(fd, 64) < 0)
        fatal(EXIT_FAILED, "cannot listen on '%s': %s", address, strerror(errno));
    return fd;
}

static int serve(struct grpc_server_options *options, const char *address)
{
    struct grpc_server *server = NULL;
    struct error e = ERROR_INIT;
    const char *text = getenv("HOSTLET_TEST_KEY");
    if (text && access_key_parse(text, &key, &e) < 0)
        fatal(EXIT_USAGE, "%s", e.message);
    options->observe = observe;
    grpc_server_new(event, options, &server);
    grpc_server_add(server, &zone, NULL);
    if (text)
        grpc_server_add(server, &host, NULL);
    health = grpc_health_new(server);
    grpc_health_set(health, "inapi.ZoneService", true);
    struct grpc_reflection *reflection =
        grpc_reflection_new(server, inapi_descriptors, inapi_descriptors_size);
    _cleanup_close_ int fd = listen_on(address);
    if (grpc_server_listen(server, fd, &e) < 0)
        fatal(EXIT_FAILED, "%s", e.message);
    sd_event_add_signal(event, NULL, SIGTERM, on_term, server);
    sd_event_add_signal(event, NULL, SIGHUP, on_hangup, NULL);
    say("serving\n");
    int r = sd_event_loop(event);
    grpc_server_free(server);
    grpc_health_free(health);
    grpc_reflection_free(reflection);
    access_key_done(&key);
    return r;
}

/* Calling */

struct asked {
    struct asked *next;
    char *id;
    struct grpc_request *request;
};
static struct asked *all;
static struct grpc_client *client;

static void forget(struct asked *a)
{
    for (struct asked **at = &all; *at; at = &(*at)->next)
        if (*at == a) {
            *at = a->next;
            break;
        }
    free(a->id);
    free(a);
}

static void on_done(struct grpc_request *request, const struct grpc_result *result, void *userdata)
{
    (void)request;
    struct asked *a = userdata;
    say("done %s %s %zu %s\n", a->id, grpc_status_name(result->status), result->size,
        result->error.errnum ? result->error.message : "");
    forget(a);
}

static int on_data(struct grpc_request *request, const uint8_t *data, size_t size, void *userdata)
{
    (void)request;
    struct asked *a = userdata;
    ProtobufCMessage *m = NULL;
    struct error e = ERROR_INIT;
    int r = grpc_message_unpack(&grpc__health__v1__health_check_response__descriptor, data, size, 1 << 20, &m,
                                &e);
    if (r >= 0)
        say("data %s %d\n", a->id, ((Grpc__Health__V1__HealthCheckResponse *)m)->status);
    grpc_message_free(m);
    return r;
}

static struct asked *add(const char *id, struct grpc_ask *ask)
{
    struct asked *a = xcalloc(1, sizeof *a);
    a->id = xstrdup(id);
    a->next = all;
    all = a;
    ask->on_done = on_done;
    ask->userdata = a;
    a->request = grpc_call_start(client, ask);
    return a;
}

static void obey(char *line)
{
    char *words[4] = {NULL}, *save = NULL;
    for (int i = 0; i < 4; i++)
        words[i] = strtok_r(i ? NULL : line, i == 3 ? "\n" : " \n", &save);
    if (!words[0] || streq(words[0], "quit"))
        sd_event_exit(event, 0);
    else if (streq(words[0], "list") && words[2]) {
        Inapi__PackageListRequest in = INAPI__PACKAGE_LIST_REQUEST__INIT;
        in.name = words[3] ?: (char *)"";
        _cleanup_free_ char *token =
            key.id ? token_sign(&key, (int64_t)(now_realtime_usec() / USEC_PER_SEC), "x") : NULL;
        const struct grpc_header header = {INAPI_TOKEN_METADATA, token};
        add(words[1], &(struct grpc_ask){.path = "/inapi.ZoneService/PackageList",
                                         .message = &in.base,
                                         .headers = &header,
                                         .n_headers = token ? 1 : 0,
                                         .timeout_usec = (uint64_t)number(words[2]) * 1000});
    } else if (streq(words[0], "watch") && words[1]) {
        Grpc__Health__V1__HealthCheckRequest in = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
        in.service = words[2] ?: (char *)"";
        add(words[1], &(struct grpc_ask){
                          .path = "/grpc.health.v1.Health/Watch", .message = &in.base, .on_data = on_data});
    } else if (streq(words[0], "cancel") && words[1]) {
        for (struct asked *a = all; a; a = a->next)
            if (streq(a->id, words[1])) {
                grpc_request_cancel(a->request);
                forget(a);
                break;
            }
    } else if (streq(words[0], "renew"))
        grpc_client_renew(client);
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source, (void)events, (void)userdata;
    static char line[4096];
    static size_t n;
    char c;
    ssize_t got;
    while ((got = read(fd, &c, 1)) == 1) {
        if (n < sizeof line - 1)
            line[n++] = c;
        if (c == '\n') {
            line[n] = '\0';
            n = 0;
            obey(line);
        }
    }
    if (got == 0)
        sd_event_exit(event, 0);
    return 0;
}

static int call(struct grpc_client_options *options, const char *address)
{
    struct error e = ERROR_INIT;
    const char *text = getenv("HOSTLET_TEST_KEY");
    if (text && access_key_parse(text, &key, &e) < 0)
        fatal(EXIT_USAGE, "%s", e.message);
    options->address = address;
    if (grpc_client_new(event, options, &client, &e) < 0)
        fatal(EXIT_FAILED, "%s", e.message);
    fcntl(0, F_SETFL, O_NONBLOCK);
    sd_event_add_io(event, NULL, 0, EPOLLIN, on_input, NULL);
    say("ready\n");
    int r = sd_event_loop(event);
    grpc_client_free(client);
    while (all)
        forget(all);
    access_key_done(&key);
    return r;
}

static const char *option(int argc, char **argv, const char *name, const char *standard)
{
    for (int i = 2; i < argc - 1; i++) {
        const char *value = after_prefix(argv[i], name);
        if (value && *value == '=')
            return value + 1;
    }
    return standard;
}

int main(int argc, char **argv)
{
    struct grpc_tls_settings *tls = NULL;
    struct error e = ERROR_INIT;
    sigset_t blocked;
    if (fill_standard_descriptors() < 0)
        return EXIT_FAILED;
    if (argc < 3)
        fatal(EXIT_USAGE, "usage: grpc-peer serve|call [OPTION=VALUE…] ADDRESS");
    bool server = streq(argv[1], "serve");
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGHUP);
    if (server)
        sigprocmask(SIG_BLOCK, &blocked, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_open("grpc-peer", LOG_FORMAT_PLAIN, LOG_LEVEL_DEBUG);
    sd_event_default(&event);
#define OPTION(name)      number(option(argc, argv, name, "0"))
#define OPTION_USEC(name) ((uint64_t)OPTION(name) * 1000)
    const char *ca = option(argc, argv, "ca", NULL), *certificate = option(argc, argv, "certificate", NULL);
    if ((ca || certificate) &&
        grpc_tls_settings_new(server, certificate, option(argc, argv, "key", NULL), ca, &tls, &e) < 0)
        fatal(EXIT_FAILED, "%s", e.message);
    struct grpc_server_options s = {
        .connections_max = (unsigned)OPTION("connections"),
        .connections_per_address_max = (unsigned)OPTION("per_address"),
        .streams_max = (unsigned)OPTION("streams"),
        .message_max = (size_t)OPTION("message_max"),
        .buffered_max = (size_t)OPTION("buffered_max"),
        .request_timeout_usec = OPTION_USEC("request_ms"),
        .answer_timeout_usec = OPTION_USEC("answer_ms"),
        .handshake_timeout_usec = OPTION_USEC("handshake_ms"),
        .keepalive_usec = OPTION_USEC("keepalive_ms"),
        .idle_timeout_usec = OPTION_USEC("idle_ms"),
        .tls = tls,
    };
    struct grpc_client_options c = {
        .tls = tls,
        .message_max = (size_t)OPTION("message_max"),
        .connect_timeout_usec = OPTION_USEC("connect_ms"),
        .keepalive_usec = OPTION_USEC("keepalive_ms"),
        .idle_timeout_usec = OPTION_USEC("idle_ms"),
    };
    int r = server ? serve(&s, argv[argc - 1]) : call(&c, argv[argc - 1]);
    grpc_tls_settings_free(tls);
    sd_event_unref(event);
    return r < 0 ? EXIT_FAILED : r;
}
