/* Tests the Varlink server and client on a real socket: replies, streams, errors, late replies and hostile
 * input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/api/fetcher.h"
#include "lib/basic/cleanup.h"
#include "lib/varlink/client-sync.h"
#include "lib/varlink/client.h"
#include "lib/varlink/server.h"
#include "lib/varlink/unix.h"

static sd_event *event;
static struct varlink_server *server;
static int listener = -1;
static char *path;
static unsigned gone;

static int on_resolve(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)userdata;
    const struct fetcher_resolve_in *resolve = in;
    if (streq(resolve->name, "late"))
        return 0;
    if (streq(resolve->name, "missing"))
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "no repository has '%s'", resolve->name);
    if (streq(resolve->name, "unplugged"))
        return error_retry(e, ECONNRESET, "the repository closed the connection");
    struct package_reference p = {.id = (char *)"x_1_linux_amd64",
                                  .name = resolve->name,
                                  .version = (char *)"1",
                                  .os = (char *)"linux",
                                  .arch = (char *)"amd64"};
    varlink_reply(call, &(struct fetcher_resolve_out){&p});
    return 0;
}

static int on_list(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)userdata, (void)e;
    for (int64_t i = 1; i <= 3; i++)
        varlink_notify(call, &(struct fetcher_list_out){.size = i});
    varlink_reply(call, &(struct fetcher_list_out){.size = 4});
    return 0;
}

static void on_gone(struct varlink_call *call, void *userdata)
{
    (void)call, (void)userdata;
    gone++;
}

static int on_fetch(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)in, (void)userdata, (void)e;
    varlink_call_on_gone(call, on_gone, NULL);
    return 0;
}

static const struct varlink_handlers handlers[] = {
    {"Resolve", on_resolve}, {"List", on_list}, {"Fetch", on_fetch}, {NULL, NULL}};

struct seen {
    unsigned answers;
    bool done;
    struct error e;
    int64_t last;
};

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out;
    struct seen *seen = userdata;
    seen->answers++;
    seen->done = !continues;
    if (e)
        seen->e = *e;
}

static void on_list_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    on_answer(out, continues, e, userdata);
    if (out)
        ((struct seen *)userdata)->last = ((const struct fetcher_list_out *)out)->size;
}

static void run_until(const bool *done)
{
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    while (!*done) {
        assert_true(now_monotonic_usec() < deadline);
        sd_event_run(event, 100000);
    }
}

static void call(const char *method, const void *in, bool more, uint64_t timeout, struct seen *seen)
{
    struct varlink_call_options o = {path, &fetcher_interface, method, in, more, timeout};
    *seen = (struct seen){.answers = 0};
    varlink_call_start(event, &o, streq(method, "List") ? on_list_answer : on_answer, seen);
    run_until(&seen->done);
}

static void test_replies_and_streams_arrive(void **state)
{
    (void)state;
    struct seen seen;
    call("Resolve", &(struct fetcher_resolve_in){.name = (char *)"x"}, false, 0, &seen);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.e.errnum, 0);
    call("Resolve", &(struct fetcher_resolve_in){.name = (char *)"missing"}, false, 0, &seen);
    assert_int_equal(seen.e.class, ERROR_NOT_FOUND);
    assert_string_equal(seen.e.message, "no repository has 'missing'");
    call("List", NULL, true, 0, &seen);
    assert_int_equal(seen.answers, 4);
    assert_int_equal(seen.last, 4);
}

static void test_a_late_reply_times_out(void **state)
{
    (void)state;
    struct seen seen;
    call("Resolve", &(struct fetcher_resolve_in){.name = (char *)"late"}, false, 50000, &seen);
    assert_int_equal(seen.e.class, ERROR_RETRY);
    assert_int_equal(seen.e.errnum, ETIMEDOUT);
}

static void test_the_handler_is_notified_when_the_client_hangs_up(void **state)
{
    (void)state;
    struct seen seen;
    struct package_reference p = {.id = (char *)"i",
                                  .name = (char *)"n",
                                  .version = (char *)"1",
                                  .os = (char *)"l",
                                  .arch = (char *)"a"};
    call("Fetch", &(struct fetcher_fetch_in){&p}, true, 50000, &seen);
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    while (gone == 0 && now_monotonic_usec() < deadline)
        sd_event_run(event, 100000);
    assert_int_equal(gone, 1);
}

/* Sends raw bytes, runs the server, and returns its first reply in 'answer' ("" when it hung up). */
static void exchange(const char *bytes, size_t size, char *answer, size_t room)
{
    struct error e = ERROR_INIT;
    int fd = unix_connect(path, &e);
    assert_true(fd >= 0);
    assert_true(send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size);
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    ssize_t n;
    while ((n = recv(fd, answer, room - 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN) {
        assert_true(now_monotonic_usec() < deadline);
        sd_event_run(event, 10000);
    }
    answer[n > 0 ? n : 0] = '\0';
    close(fd);
}

static void test_hostile_input_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *answer;
    } cases[] = {
        {"garbage", ""},
        {"[1]", ""},
        {"{\"method\":\"io.hostlet.Fetcher.Nope\"}",
         "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"io.hostlet.Fetcher."
         "Nope\"}}"},
        {"{\"method\":\"io.other.X\"}",
         "{\"error\":\"org.varlink.service.InterfaceNotFound\",\"parameters\":{\"interface\":\"io.other\"}}"},
        {"{\"method\":7}",
         "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"call\"}}"},
        {"{\"method\":\"io.hostlet.Fetcher.Resolve\",\"parameters\":{\"name\":\"x\",\"extra\":1}}",
         "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"/extra: "
         "unknown member\"}}"},
        {"{\"method\":\"io.hostlet.Fetcher.Resolve\"}",
         "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"/name: is "
         "missing\"}}"},
        {"{\"method\":\"io.hostlet.Fetcher.Resolve\",\"more\":true,\"parameters\":{\"name\":\"x\"}}",
         "{\"error\":\"org.varlink.service.InvalidParameter\",\"parameters\":{\"parameter\":\"more\"}}"},
        {"{\"method\":\"io.hostlet.Fetcher.Resolve\",\"method\":\"x\"}", ""},
        {"{\"method\":\"io.hostlet.Fetcher.Remove\",\"parameters\":{\"name\":\"x\",\"id\":\"y\"}}",
         "{\"error\":\"org.varlink.service.MethodNotImplemented\",\"parameters\":{\"method\":\"Remove\"}}"},
    };
    char answer[4096];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        exchange(cases[i].bytes, strlen(cases[i].bytes) + 1, answer, sizeof answer);
        assert_string_equal(answer, cases[i].answer);
    }
}

static void test_a_message_that_is_too_large_ends_the_connection(void **state)
{
    (void)state;
    char answer[4096];
    size_t big = VARLINK_MESSAGE_MAX + 10, sent = 0;
    char *flood = xcalloc(big, 1);
    memset(flood, ' ', big);
    struct error e = ERROR_INIT;
    int fd = unix_connect(path, &e);
    assert_true(fd >= 0);
    while (sent < big) {
        ssize_t n = send(fd, flood + sent, big - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        sd_event_run(event, 0);
    }
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    while (recv(fd, answer, sizeof answer, MSG_DONTWAIT) < 0 && errno == EAGAIN &&
           now_monotonic_usec() < deadline)
        sd_event_run(event, 10000);
    assert_true(now_monotonic_usec() < deadline);
    close(fd);
    free(flood);
}

static void test_the_interface_is_described(void **state)
{
    (void)state;
    char answer[16384];
    static const char ask[] =
        "{\"method\":\"org.varlink.service.GetInterfaceDescription\",\"parameters\":{\"interface\":"
        "\"io.hostlet.Fetcher\"}}";
    exchange(ask, sizeof ask, answer, sizeof answer);
    assert_non_null(strstr(answer, "method Fetch("));
    assert_non_null(strstr(answer, "package: PackageReference"));
}

static void test_a_socket_without_a_server_means_service_down(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct varlink_call_options o = {
        "/tmp/hostlet-no-such-socket", &fetcher_interface, "List", NULL, false, 1000000};
    assert_true(varlink_call_sync(&o, NULL, &e) < 0);
    assert_int_equal(e.class, ERROR_SERVICE_DOWN);
}

/* error_worker_lost() distinguishes a connection that ends without a reply from every reply of a worker. */
static void test_a_lost_worker_is_distinguished_from_a_reply(void **state)
{
    (void)state;
    struct seen seen;
    struct error e = ERROR_INIT;
    call("Resolve", &(struct fetcher_resolve_in){.name = (char *)"unplugged"}, false, 0, &seen);
    assert_int_equal(seen.e.class, ERROR_RETRY);
    assert_false(error_worker_lost(&seen.e));

    _cleanup_free_ char *other = xasprintf("%s.other", path);
    int fd = unix_listen(other, 0600, (gid_t)-1, NULL, &e);
    assert_true(fd >= 0);
    struct varlink_call_options o = {
        other, &fetcher_interface, "Resolve", &(struct fetcher_resolve_in){.name = (char *)"x"}, false, 0};
    seen = (struct seen){.answers = 0};
    varlink_call_start(event, &o, on_answer, &seen);
    int connection;
    while ((connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK)) < 0)
        sd_event_run(event, 100000);
    close(connection);
    run_until(&seen.done);
    close(fd);
    unlink(other);
    assert_true(error_worker_lost(&seen.e));

    error_os(&e, EPIPE, "cannot send");
    assert_true(error_worker_lost(&e));
    error_retry(&e, ETIMEDOUT, "no answer");
    assert_false(error_worker_lost(&e));
    error_fail(&e, ECONNRESET, "something else");
    assert_false(error_worker_lost(&e));
}

static int set_up(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    /* The path is longer than sun_path. */
    char dir[] = "/tmp/hostlet-test-XXXXXX";
    if (!mkdtemp(dir))
        return -1;
    path = xasprintf("%s/%0*d", dir, 60, 7);
    if (mkdir(path, 0700) < 0)
        return -1;
    free(path);
    path = xasprintf("%s/%0*d/%0*d.sock", dir, 60, 7, 60, 8);
    listener = unix_listen(path, 0600, (gid_t)-1, NULL, &e);
    struct varlink_server_options o = {.interface = &fetcher_interface, .handlers = handlers};
    return listener < 0 || sd_event_new(&event) < 0 || varlink_server_new(event, &o, &server) < 0 ||
                   varlink_server_listen(server, listener, &e) < 0
               ? -1
               : 0;
}

static int tear_down(void **state)
{
    (void)state;
    varlink_server_free(server);
    sd_event_unref(event);
    close(listener);
    unlink(path);
    for (int i = 0; i < 2; i++) {
        *strrchr(path, '/') = '\0';
        rmdir(path);
    }
    free(path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replies_and_streams_arrive),
        cmocka_unit_test(test_a_late_reply_times_out),
        cmocka_unit_test(test_the_handler_is_notified_when_the_client_hangs_up),
        cmocka_unit_test(test_hostile_input_is_refused),
        cmocka_unit_test(test_a_message_that_is_too_large_ends_the_connection),
        cmocka_unit_test(test_the_interface_is_described),
        cmocka_unit_test(test_a_socket_without_a_server_means_service_down),
        cmocka_unit_test(test_a_lost_worker_is_distinguished_from_a_reply),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
