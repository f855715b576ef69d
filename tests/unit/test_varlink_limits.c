/* Tests the limits of a Varlink server: which peers may connect, and how much of its memory and how many
 * connections a user can occupy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/api/container_driver.h"
#include "lib/api/fetcher.h"
#include "lib/basic/cleanup.h"
#include "lib/varlink/client-sync.h"
#include "lib/varlink/client.h"
#include "lib/varlink/server.h"
#include "lib/varlink/stream.h"
#include "lib/varlink/unix.h"

#define MEBIBYTE ((size_t)1 << 20)

static sd_event *event;
static struct varlink_server *server;
static char *path;
static int listener = -1;
static bool allowed;
static unsigned calls;

/* Replies with the name from the call. */
static int on_resolve(struct varlink_call *call, const void *in, void *userdata, struct error *e)
{
    (void)userdata, (void)e;
    const struct fetcher_resolve_in *resolve = in;
    struct package_reference p = {.id = (char *)"x",
                                  .name = resolve->name,
                                  .version = (char *)"1",
                                  .os = (char *)"linux",
                                  .arch = (char *)"all"};
    calls++;
    varlink_reply(call, &(struct fetcher_resolve_out){&p});
    return 0;
}

static const struct varlink_handlers handlers[] = {{"Resolve", on_resolve}, {NULL, NULL}};

static bool peer_allowed(uid_t uid, gid_t gid, pid_t pid, void *userdata)
{
    (void)gid, (void)userdata;
    assert_int_equal(uid, geteuid());
    assert_true(pid > 0);
    return allowed;
}

static void begin(unsigned connections_max)
{
    struct error e = ERROR_INIT;
    struct varlink_server_options o = {.interface = &fetcher_interface,
                                       .handlers = handlers,
                                       .peer_allowed = peer_allowed,
                                       .connections_max = connections_max};
    allowed = true;
    calls = 0;
    path = xasprintf("/tmp/hostlet-test-%d.sock", getpid());
    listener = unix_listen(path, 0600, (gid_t)-1, NULL, &e);
    assert_true(listener >= 0);
    assert_true(sd_event_new(&event) >= 0 && varlink_server_new(event, &o, &server) >= 0 &&
                varlink_server_listen(server, listener, &e) >= 0);
}

static void end(void)
{
    varlink_server_free(server);
    sd_event_unref(event);
    close(listener);
    unlink(path);
    free(path);
}

/* Runs the event loop until no event is pending. */
static void turn(void)
{
    while (sd_event_run(event, 0) > 0)
        ;
}

static int connect_one(void)
{
    int fd = unix_connect(path, NULL);
    assert_true(fd >= 0);
    return fd;
}

/* Sends the data while the server runs. Returns the number of bytes that were accepted. */
static size_t send_while(int fd, const char *data, size_t size)
{
    size_t sent = 0;
    for (unsigned idle = 0; sent < size && idle < 3;) {
        ssize_t n = send(fd, data + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        idle = n > 0 ? 0 : idle + 1;
        sent += n > 0 ? (size_t)n : 0;
        turn();
    }
    return sent;
}

/* Reads the connection up to its end, which must have been reached (a reset when the server did not read all
 * data). The caller frees. */
static char *read_to_end(int fd)
{
    char *text = xcalloc(65536, 1);
    ssize_t got;
    for (size_t n = 0; (got = recv(fd, text + n, 65535 - n, MSG_DONTWAIT)) > 0; n += (size_t)got)
        ;
    assert_true(got == 0 || errno == ECONNRESET);
    return text;
}

static bool at_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0;
}

static bool answered(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

static const char info[] = "{\"method\":\"org.varlink.service.GetInfo\"}";

struct seen {
    bool done;
    struct error e;
};

static void on_answer(const void *out, bool continues, const struct error *e, void *userdata)
{
    (void)out, (void)continues;
    struct seen *seen = userdata;
    seen->done = true;
    if (e)
        seen->e = *e;
}

static void test_a_refused_peer_receives_the_reason(void **state)
{
    (void)state;
    begin(0);
    allowed = false;
    _cleanup_close_ int silent = connect_one(), sender = connect_one();
    assert_true(send(sender, info, 20, MSG_NOSIGNAL) == 20); /* the beginning of a message */
    turn();
    assert_int_equal(varlink_server_connections(server), 0);
    _cleanup_free_ char *one = read_to_end(silent), *two = read_to_end(sender);
    assert_non_null(strstr(one, "org.varlink.service.PermissionDenied"));
    assert_string_equal(one, two);

    /* hostlet's clients receive the reason, although the server does not accept their data. */
    struct varlink_call_options o = {path, &fetcher_interface, "List", NULL, true, 5 * USEC_PER_SEC};
    struct seen seen = {.done = false};
    varlink_call_start(event, &o, on_answer, &seen);
    while (!seen.done)
        sd_event_run(event, 100000);
    assert_int_equal(seen.e.class, ERROR_REFUSED);
    assert_non_null(strstr(seen.e.message, "may not call this service"));
    pid_t child = fork();
    if (child == 0) {
        struct varlink_call_options logs = {
            path, &container_driver_interface, "Logs", NULL, false, 5 * USEC_PER_SEC};
        struct error e = ERROR_INIT;
        int fd, r = varlink_call_upgrade(&logs, NULL, &fd, &e);
        _exit(r < 0 && e.class == ERROR_REFUSED && strstr(e.message, "may not call") ? 0 : 1);
    }
    int status;
    while (waitpid(child, &status, WNOHANG) == 0)
        sd_event_run(event, 10000);
    assert_int_equal(status, 0);
    end();
}

static void test_the_connections_of_a_user_are_limited(void **state)
{
    (void)state;
    int fds[7];
    begin(4);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = connect_one();
    turn();
    assert_int_equal(varlink_server_connections(server), 4);
    assert_true(send(fds[4], info, sizeof info, MSG_NOSIGNAL) > 0);
    turn();
    assert_false(answered(fds[4])); /* it waits for a place */
    close(fds[1]);
    turn();
    assert_true(answered(fds[4]));
    assert_int_equal(varlink_server_connections(server), 4);
    /* Idle connections end in favour of waiting ones. */
    assert_true(send(fds[6], info, sizeof info, MSG_NOSIGNAL) > 0);
    uint64_t deadline = now_monotonic_usec() + 10 * USEC_PER_SEC;
    while (!answered(fds[6])) {
        assert_true(now_monotonic_usec() < deadline);
        sd_event_run(event, 10000);
    }
    assert_true(at_end(fds[0]));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        if (i != 1)
            close(fds[i]);
    turn();
    assert_int_equal(varlink_server_connections(server), 0);
    end();
}

static void test_connections_beyond_the_queue_are_refused(void **state)
{
    (void)state;
    int fds[600];
    begin(4);
    size_t told = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = connect_one();
        turn();
        told += at_end(fds[i]);
    }
    assert_int_equal(told, 600 - 512 - 4);
    _cleanup_free_ char *text = read_to_end(fds[599]);
    assert_non_null(strstr(text, "io.hostlet.RetryLater"));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    end();
}

/* Of a user's many unfinished messages, the server reads one completely and of the others only the beginning.
 */
static void test_one_large_message_of_a_user_is_read_at_a_time(void **state)
{
    (void)state;
    int fds[32];
    const size_t size = 2 * MEBIBYTE;
    _cleanup_free_ char *data = xcalloc(1, size);
    memset(data, ' ', size);
    begin(0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = connect_one();
        size_t sent = send_while(fds[i], data, size);
        assert_true(i == 0 ? sent == size : sent < size / 2); /* the socket's buffer accepts a part */
    }
    /* When the first message is complete, the server reads the next one. */
    char last[] = "{}";
    assert_int_equal(send_while(fds[0], last, sizeof last), sizeof last);
    assert_int_equal(send_while(fds[1], data, size), size);
    assert_true(send_while(fds[2], data, size) < size / 2);
    /* The server still handles small messages. */
    _cleanup_close_ int small = connect_one();
    assert_true(send(small, info, sizeof info, MSG_NOSIGNAL) > 0);
    turn();
    assert_true(answered(small));
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    end();
}

static char *resolve_call(size_t size)
{
    char *name = xcalloc(size + 1, 1);
    memset(name, 'x', size);
    char *text =
        xasprintf("{\"method\":\"io.hostlet.Fetcher.Resolve\",\"parameters\":{\"name\":\"%s\"}}", name);
    free(name);
    return text;
}

/* Hundreds of calls that arrive at once do not delay the next call of another connection. */
static void test_one_call_of_each_connection_is_handled_at_a_time(void **state)
{
    (void)state;
    begin(0);
    _cleanup_free_ char *text = resolve_call(1);
    size_t size = strlen(text) + 1, n = 500;
    _cleanup_free_ char *many = xcalloc(n, size);
    for (size_t i = 0; i < n; i++)
        memcpy(many + i * size, text, size);
    _cleanup_close_ int greedy = connect_one(), other = connect_one();
    turn();
    assert_int_equal(send(greedy, many, n * size, MSG_NOSIGNAL), n * size);
    while (calls == 0)
        sd_event_run(event, 0);
    assert_true(send(other, info, sizeof info, MSG_NOSIGNAL) > 0);
    while (!answered(other))
        assert_true(sd_event_run(event, 0) > 0);
    assert_in_range(calls, 1, 10);
    turn();
    assert_int_equal(calls, n); /* none is lost */
    end();
}

/* No connection of the user is read: connections end until the unsent replies are within the user's limit. */
static void test_unread_replies_of_a_user_are_limited(void **state)
{
    (void)state;
    int fds[160];
    _cleanup_free_ char *text = resolve_call(MEBIBYTE);
    begin(0);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        fds[i] = connect_one();
        assert_int_equal(send_while(fds[i], text, strlen(text) + 1), strlen(text) + 1);
    }
    assert_int_equal(calls, ARRAY_SIZE(fds));
    size_t cut = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        cut += at_end(fds[i]);
    size_t most = (geteuid() == 0 ? 2 : 1) * VARLINK_OUTPUT_MAX / (MEBIBYTE / 2);
    assert_true(cut > 0 && ARRAY_SIZE(fds) - cut <= most);
    assert_int_equal(varlink_server_connections(server), ARRAY_SIZE(fds) - cut);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    end();
}

static void test_a_message_with_too_many_values_is_refused(void **state)
{
    (void)state;
    begin(0);
    size_t n = VARLINK_VALUES_MAX;
    _cleanup_free_ char *many = xcalloc(1, 3 * n + 64);
    char *at = stpcpy(many, "{\"method\":\"io.hostlet.Fetcher.Resolve\",\"parameters\":{\"name\":[");
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, "[],");
    memcpy(at - 1, "]}}", 4);
    _cleanup_close_ int one = connect_one(), two = connect_one();
    send_while(one, many, strlen(many) + 1);
    assert_true(at_end(one));
    assert_false(answered(one) && recv(one, many, 1, MSG_DONTWAIT) > 0);
    /* Commas in a string are not values. */
    _cleanup_free_ char *commas = xcalloc(1, 2 * n);
    memset(commas, ',', 2 * n - 1);
    memcpy(commas, "\\\"", 2);
    _cleanup_free_ char *text =
        xasprintf("{\"method\":\"io.hostlet.Fetcher.Resolve\",\"parameters\":{\"name\":\"%s\"}}", commas);
    assert_int_equal(send_while(two, text, strlen(text) + 1), strlen(text) + 1);
    assert_int_equal(calls, 1);
    end();
}

static void test_a_reply_that_is_too_large_becomes_an_error(void **state)
{
    (void)state;
    begin(0);
    static const char head[] = "{\"method\":\"io.hostlet.Fetcher.Resolve\",\"parameters\":{\"name\":\"";
    _cleanup_free_ char *largest = xcalloc(1, VARLINK_MESSAGE_MAX + 1);
    memset(largest, 'n', VARLINK_MESSAGE_MAX);
    memcpy(largest, head, strlen(head));
    memcpy(largest + VARLINK_MESSAGE_MAX - 3, "\"}}", 3);
    _cleanup_close_ int fd = connect_one();
    assert_int_equal(send_while(fd, largest, VARLINK_MESSAGE_MAX + 1), VARLINK_MESSAGE_MAX + 1);
    assert_int_equal(calls, 1);
    char answer[512] = "";
    assert_true(recv(fd, answer, sizeof answer - 1, MSG_DONTWAIT) > 0);
    assert_non_null(strstr(answer, "\"error\""));
    assert_non_null(strstr(answer, "the reply is larger than a message may be"));
    /* The connection remains usable. */
    assert_int_equal(send_while(fd, info, sizeof info), sizeof info);
    assert_true(answered(fd));
    end();
}

static void test_connections_wait_while_no_descriptor_is_left(void **state)
{
    (void)state;
    begin(0);
    struct rlimit before, none_left;
    _cleanup_close_ int fd = connect_one();
    assert_int_equal(send(fd, info, sizeof info, 0), sizeof info);
    int next = dup(fd);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none_left = before;
    none_left.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    unsigned turns = 0;
    while (turns < 10 && sd_event_run(event, 0) > 0)
        turns++;
    assert_true(turns > 0 && turns < 10); /* the event loop does not spin */
    assert_int_equal(varlink_server_connections(server), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned i = 0; i < 50 && !answered(fd); i++)
        sd_event_run(event, 100000);
    assert_true(answered(fd)); /* the waiting connection was accepted */
    /* Further connections are accepted without a pause. */
    _cleanup_close_ int other = connect_one();
    assert_true(other >= 0);
    turn();
    assert_int_equal(varlink_server_connections(server), 2);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refused_peer_receives_the_reason),
        cmocka_unit_test(test_the_connections_of_a_user_are_limited),
        cmocka_unit_test(test_connections_beyond_the_queue_are_refused),
        cmocka_unit_test(test_one_large_message_of_a_user_is_read_at_a_time),
        cmocka_unit_test(test_one_call_of_each_connection_is_handled_at_a_time),
        cmocka_unit_test(test_unread_replies_of_a_user_are_limited),
        cmocka_unit_test(test_a_message_with_too_many_values_is_refused),
        cmocka_unit_test(test_a_reply_that_is_too_large_becomes_an_error),
        cmocka_unit_test(test_connections_wait_while_no_descriptor_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
