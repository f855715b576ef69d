/* Tests which handlers the follower of a Watch calls, and when it calls Watch again. A function of this file
 * is the service, and the clock is simulated. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/varlink/follow.h"
#include "simulated_clock.h"

struct watch_out {
    int64_t number;
    bool complete;
    char *lost;
};
#define T struct watch_out
static const struct schema_field fields[] = {S_INT_OPT(T, number, NULL), S_BOOL_OPT(T, complete, NULL),
                                             S_STRING_OPT(T, lost, NULL), S_END};
static const struct schema_struct out_schema = {NULL, sizeof(T), NULL, fields};
#undef T
static const struct varlink_method methods[] = {{"Watch", VARLINK_MORE, NULL, &out_schema, NULL},
                                                {.name = NULL}};
static const struct varlink_interface interface = {"io.test", NULL, methods, NULL};

static struct {
    struct simulated_clock clock;
    struct follower *follower;
    varlink_answer_fn answer;
    void *answer_userdata;
    int calls, cancelled;
    char told[512];
    const char *free_at; /* the handler that frees the follower */
} t;

static void say(const char *word, const char *more)
{
    size_t n = strlen(t.told);
    snprintf(t.told + n, sizeof t.told - n, "%s%s%s", n ? " " : "", word, more);
    if (t.free_at && streq(t.free_at, word)) {
        follower_free(t.follower);
        t.follower = NULL;
    }
}

static void on_reset(void *userdata)
{
    (void)userdata;
    say("reset", "");
}

static void on_item(const void *out, void *userdata)
{
    (void)userdata;
    char number[24];
    snprintf(number, sizeof number, "%d", (int)((const struct watch_out *)out)->number);
    say("item", number);
}

static void on_complete(const void *out, void *userdata)
{
    (void)out, (void)userdata;
    say("complete", "");
}

static void on_lost(const struct error *e, bool quickly, void *userdata)
{
    (void)userdata;
    _cleanup_free_ char *text = xasprintf("%s(%s)", quickly ? "-quickly" : "", e->message);
    say("lost", text);
}

static void *fake_call(const struct varlink_call_options *options, varlink_answer_fn answer, void *follower,
                       void *userdata)
{
    (void)userdata;
    assert_string_equal(options->method, "Watch");
    assert_true(options->more);
    t.answer = answer;
    t.answer_userdata = follower;
    t.calls++;
    return &t.calls;
}

static void fake_cancel(void *request, void *userdata)
{
    (void)userdata;
    assert_ptr_equal(request, &t.calls);
    t.cancelled++;
    t.answer = NULL;
}

static void start(const char *free_at)
{
    static const struct follower_handlers handlers = {on_reset, on_item, on_complete, on_lost};
    memset(&t, 0, sizeof t);
    simulated_clock_init(&t.clock);
    t.free_at = free_at;
    t.follower = follower_new(&(struct follower_options){.clock = &t.clock.clock,
                                                         .interface = &interface,
                                                         .pauses = {USEC_PER_SEC, 4 * USEC_PER_SEC},
                                                         .handlers = &handlers,
                                                         .call = fake_call,
                                                         .cancel = fake_cancel});
    assert_int_equal(t.calls, 0);
    assert_true(simulated_clock_step(&t.clock));
    assert_int_equal(t.calls, 1);
}

static void answer(const struct watch_out *out, bool continues)
{
    t.answer(out, continues, NULL, t.answer_userdata);
}

static void end(enum error_class class, int errnum, const char *message)
{
    struct error e = ERROR_INIT;
    error_set(&e, class, errnum, "%s", message);
    t.answer(NULL, false, &e, t.answer_userdata);
}

static void item(int number)
{
    answer(&(struct watch_out){.number = number}, true);
}

static void complete(void)
{
    answer(&(struct watch_out){.complete = true}, true);
}

static void told(const char *expected)
{
    assert_string_equal(t.told, expected);
    t.told[0] = '\0';
}

/* Returns how long the follower waits before it calls Watch again. */
static uint64_t next_call(void)
{
    uint64_t before = t.clock.monotonic_usec;
    int calls = t.calls;
    assert_true(simulated_clock_step(&t.clock));
    assert_int_equal(t.calls, calls + 1);
    return t.clock.monotonic_usec - before;
}

static void a_snapshot_and_its_changes_reach_the_handlers(void **state)
{
    (void)state;
    start(NULL);
    item(1);
    item(2);
    assert_false(follower_is_complete(t.follower));
    complete();
    assert_true(follower_is_complete(t.follower));
    item(3);
    told("reset item1 item2 complete item3");
    follower_free(t.follower);
    assert_int_equal(t.cancelled, 1);
}

static void an_empty_snapshot_is_complete(void **state)
{
    (void)state;
    start(NULL);
    complete();
    told("reset complete");
    follower_free(t.follower);
}

static void a_lost_snapshot_is_reported_and_replaced(void **state)
{
    (void)state;
    start(NULL);
    answer(&(struct watch_out){.lost = (char *)"no runtime"}, true);
    told("lost(no runtime)");
    item(1);
    complete();
    told("reset item1 complete");
    answer(&(struct watch_out){.lost = (char *)"gone again"}, true);
    assert_false(follower_is_complete(t.follower));
    complete();
    told("lost(gone again) reset complete");
    assert_int_equal(t.calls, 1);
    follower_free(t.follower);
}

static void a_service_that_exits_is_called_again_at_once(void **state)
{
    (void)state;
    start(NULL);
    complete();
    end(ERROR_RETRY, ECONNRESET, "died");
    assert_false(follower_is_complete(t.follower));
    told("reset complete lost-quickly(died)");
    assert_true(next_call() < 100 * USEC_PER_MSEC);
    item(7);
    told("reset item7");
    follower_free(t.follower);
}

/* An incomplete snapshot does not count as a success, so that the number of quick retries is limited. */
static void the_number_of_quick_retries_is_limited(void **state)
{
    (void)state;
    start(NULL);
    for (int i = 0; i < RETRY_QUICK_TRIES; i++) {
        item(i);
        end(ERROR_RETRY, ECONNRESET, "died");
        assert_true(next_call() < 100 * USEC_PER_MSEC);
    }
    t.told[0] = '\0';
    end(ERROR_RETRY, ECONNRESET, "died");
    told("lost(died)");
    assert_true(next_call() >= 800 * USEC_PER_MSEC);
    complete();
    end(ERROR_RETRY, ECONNRESET, "died");
    told("reset complete lost-quickly(died)");
    assert_true(next_call() < 100 * USEC_PER_MSEC);
    follower_free(t.follower);
}

static void failed_calls_are_retried_with_backoff(void **state)
{
    (void)state;
    static const uint64_t pauses[] = {1, 2, 4, 4, 4};
    start(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(pauses); i++) {
        end(ERROR_SERVICE_DOWN, EIO, "stopped");
        told("lost(stopped)");
        uint64_t pause = next_call();
        assert_true(pause >= pauses[i] * 800 * USEC_PER_MSEC && pause <= pauses[i] * 1200 * USEC_PER_MSEC);
    }
    follower_free(t.follower);
}

static void a_stream_that_ends_is_followed_by_a_new_call(void **state)
{
    (void)state;
    start(NULL);
    complete();
    answer(&(struct watch_out){.number = 0}, false);
    told("reset complete lost-quickly(io.test.Watch ended)");
    assert_true(next_call() < 100 * USEC_PER_MSEC);
    answer(&(struct watch_out){.number = 5}, false); /* a last reply with content */
    told("reset item5 lost-quickly(io.test.Watch ended)");
    follower_free(t.follower);
    assert_false(simulated_clock_step(&t.clock));
    assert_int_equal(t.cancelled, 0);
}

static void every_handler_may_free_the_follower(void **state)
{
    (void)state;
    static const char *const places[] = {"reset", "item", "complete", "lost"};
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        start(places[i]);
        item(1);
        if (t.follower)
            complete();
        if (t.follower)
            end(ERROR_RETRY, ECONNRESET, "died");
        assert_null(t.follower);
        assert_false(simulated_clock_step(&t.clock));
        assert_int_equal(t.cancelled, streq(places[i], "lost") ? 0 : 1);
    }
    follower_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_and_its_changes_reach_the_handlers),
        cmocka_unit_test(an_empty_snapshot_is_complete),
        cmocka_unit_test(a_lost_snapshot_is_reported_and_replaced),
        cmocka_unit_test(a_service_that_exits_is_called_again_at_once),
        cmocka_unit_test(the_number_of_quick_retries_is_limited),
        cmocka_unit_test(failed_calls_are_retried_with_backoff),
        cmocka_unit_test(a_stream_that_ends_is_followed_by_a_new_call),
        cmocka_unit_test(every_handler_may_free_the_follower),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
