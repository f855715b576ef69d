/* Tests the parts of the gateway that need no process: reports of agents, addresses and their rates,
 * histograms, counters, stages, the text of the metrics. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>

#include "lib/basic/cleanup.h"
#include "lib/peer/places.h"
#include "rpc-gateway/agent_report.h"
#include "rpc-gateway/metrics_text.h"
#include "rpc-gateway/openmetrics.h"

/* --- reports --- */

static enum agent_report_verdict parse(const char *text, struct reconciler_report_in *ret)
{
    *ret = (struct reconciler_report_in){.secret = NULL};
    return agent_report_parse(text, strlen(text), ret);
}

static void test_a_report_is_parsed_without_its_secret(void **state)
{
    (void)state;
    struct reconciler_report_in in;
    assert_int_equal(
        parse("{\"instance_name\":\"web\",\"replica_id\":7,\"updated\":1795468000999,\"secret\":\"mine\","
              "\"new\":[],\"ready\":true,\"status\":\"warm\","
              "\"tasks\":[{\"name\":\"build\",\"state\":\"failed\",\"exit_code\":3,\"new\":1}],"
              "\"stages\":[{\"name\":\"spec_load\",\"owner\":\"inagent\",\"revision\":3,\"state\":\"failed\","
              "\"message\":"
              "\"spec file "
              "empty\",\"attrs\":{\"a\":\"b\"},\"stages\":[{\"name\":\"x\",\"attrs\":{\"c\":\"d\"}}]}]}",
              &in),
        AGENT_REPORT_OK);
    assert_string_equal(in.instance_name, "web");
    assert_int_equal(in.replica_id, 7);
    assert_int_equal(in.updated, 1795468000999);
    assert_null(in.secret); /* the secret arrives only in a header */
    assert_int_equal(in.n_stages, 1);
    assert_string_equal(in.stages[0]->message, "spec file empty");
    assert_int_equal(in.stages[0]->n_stages + in.stages[0]->n_attrs, 0);
    assert_true(in.ready);
    assert_string_equal(in.status, "warm");
    assert_int_equal(in.n_tasks, 1);
    assert_int_equal(in.tasks[0]->exit_code, 3);
    agent_report_done(&in);
}

static void test_invalid_reports_are_rejected(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum agent_report_verdict expected;
    } table[] = {
        {"", AGENT_REPORT_BAD},
        {"1", AGENT_REPORT_BAD},
        {"{", AGENT_REPORT_BAD},
        {"null", AGENT_REPORT_BAD},
        {"{}", AGENT_REPORT_NAMELESS},
        {"{\"instance_name\":null}", AGENT_REPORT_NAMELESS},
        {"{\"instance_name\":\"\"}", AGENT_REPORT_NAMELESS},
        {"{\"instance_name\":\"web\",\"updated\":\"5\"}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"updated\":5.5}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"updated\":9223372036854775808}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"replica_id\":-1}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"replica_id\":4294967296}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\\u0000\"}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"a\",\"instance_name\":\"b\"}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"stages\":[1]}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"stages\":[null]}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"tasks\":[1]}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"tasks\":[{\"runs\":\"1\"}]}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"ready\":1}", AGENT_REPORT_BAD},
        {"{\"instance_name\":\"web\",\"status\":[]}", AGENT_REPORT_BAD},
    };
    struct reconciler_report_in in;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (parse(table[i].text, &in) != table[i].expected || in.instance_name)
            fail_msg("%s", table[i].text);
}

/* --- addresses --- */

static struct peer peer_of(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct peer peer = {.address = IN6ADDR_ANY_INIT};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        peer_from_socket((const struct sockaddr *)&four, &peer);
    else if (inet_pton(AF_INET6, text, &six.sin6_addr) == 1)
        peer_from_socket((const struct sockaddr *)&six, &peer);
    else
        fail_msg("%s", text);
    return peer;
}

static void test_an_address_is_found_in_its_network(void **state)
{
    (void)state;
    static const struct {
        const char *networks, *peer;
        bool in;
    } table[] = {
        {"", "127.0.0.1", false},
        {"127.0.0.0/8 ::1", "127.255.0.1", true},
        {"127.0.0.0/8 ::1", "128.0.0.1", false},
        {"127.0.0.0/8 ::1", "::1", true},
        {"127.0.0.0/8 ::1", "::2", false},
        {"10.1.2.3", "10.1.2.3", true},
        {"10.1.2.3", "10.1.2.2", false},
        {"10.1.2.0/23", "10.1.3.255", true},
        {"10.1.2.0/23", "10.1.4.0", false},
        {"10.1.2.0/23", "::ffff:10.1.3.1", true}, /* an IPv4 peer of a socket for IPv4 and IPv6 */
        {"0.0.0.0/0", "8.8.8.8", true},
        {"0.0.0.0/0", "fd00::1", false},
        {"::/0", "8.8.8.8", true},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fe00::1", false},
    };
    struct error e = ERROR_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct peer_networks networks;
        struct peer peer = peer_of(table[i].peer);
        assert_int_equal(peer_networks_parse(table[i].networks, &networks, &e), 0);
        if (peer_is_in(&peer, &networks) != table[i].in)
            fail_msg("%s in %s", table[i].peer, table[i].networks);
        peer_networks_done(&networks);
    }
    static const char *const wrong[] = {
        "10.0.0.0/33", "10.0.0/8",
        "::/129",      "fd00::/x",
        "localhost",   "/8",
        "10.0.0.0/",   "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee/8"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct peer_networks networks = {.n = 0};
        assert_int_equal(peer_networks_parse(wrong[i], &networks, &e), -EINVAL);
        assert_non_null(strstr(e.message, wrong[i]));
        assert_null(networks.items);
    }
}

static void test_an_address_is_refused_above_its_rate(void **state)
{
    (void)state;
    static struct peer_rate rate;
    const struct peer a = peer_of("10.0.0.1"), b = peer_of("10.0.0.2");
    uint64_t now = 5 * USEC_PER_SEC;
    peer_rate_init(&rate, 10, 3);
    for (int i = 0; i < 3; i++)
        assert_true(peer_rate_take(&rate, &a, now));
    assert_false(peer_rate_take(&rate, &a, now));
    assert_true(peer_rate_take(&rate, &b, now));
    assert_false(peer_rate_take(&rate, &a, now + 50000));
    assert_true(peer_rate_take(&rate, &a, now + 100000)); /* a refusal costs nothing */
    assert_false(peer_rate_take(&rate, &a, now + 100000));
    for (int i = 0; i < 3; i++)
        assert_true(peer_rate_take(&rate, &a, now + 100 * USEC_PER_SEC));
    assert_false(peer_rate_take(&rate, &a, now + 100 * USEC_PER_SEC));
    /* All addresses of an IPv6 /64 count as one. */
    const struct peer c = peer_of("fd00::1"), d = peer_of("fd00::2"), other = peer_of("fd00:0:0:1::1");
    for (int i = 0; i < 3; i++)
        assert_true(peer_rate_take(&rate, i % 2 ? &c : &d, now));
    assert_false(peer_rate_take(&rate, &c, now));
    assert_true(peer_rate_take(&rate, &other, now));
}

static void test_a_flooding_address_stays_refused_among_many(void **state)
{
    (void)state;
    static struct peer_rate rate;
    uint64_t now = USEC_PER_SEC;
    peer_rate_init(&rate, 1, 2);
    /* An address that floods stays refused while as many others connect as the table has room for. */
    const struct peer bad = peer_of("192.168.0.1");
    while (peer_rate_take(&rate, &bad, now))
        ;
    unsigned passed = 0;
    for (uint32_t i = 0; i < 100000; i++) {
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000000 + i)};
        struct peer good;
        peer_from_socket((const struct sockaddr *)&four, &good);
        assert_true(peer_rate_take(&rate, &good, now + i));
        passed += peer_rate_take(&rate, &bad, now + i);
    }
    assert_true(passed <= 1);
}

/* A site with many /64s gets as many connections as sixteen of them, and no more. */
static void test_a_site_is_refused_above_its_rate(void **state)
{
    (void)state;
    static struct peer_rate rate;
    unsigned passed = 0;
    peer_rate_init(&rate, 1, 4);
    for (unsigned i = 0; i < 1000; i++) {
        struct peer one = peer_of("fd00:1:2::1");
        one.address.s6_addr[6] = (uint8_t)(i >> 8);
        one.address.s6_addr[7] = (uint8_t)i;
        passed += peer_rate_take(&rate, &one, USEC_PER_SEC + i);
    }
    assert_int_equal(passed, 4 * PEER_RATE_WIDER);
    const struct peer other = peer_of("fd00:1:3::1"), four = peer_of("10.0.0.1");
    assert_true(peer_rate_take(&rate, &other, USEC_PER_SEC + 1000));
    assert_false(peer_rate_spend(&rate, &four, 5, USEC_PER_SEC));
    assert_true(peer_rate_spend(&rate, &four, 4, USEC_PER_SEC));
    assert_false(peer_rate_take(&rate, &four, USEC_PER_SEC));
}

/* --- places --- */

static void test_addresses_have_an_origin_and_a_site(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same, same_site;
    } table[] = {
        {"10.0.0.1", "10.0.0.1", true, true},
        {"10.0.0.1", "10.0.0.2", false, false},
        {"10.0.0.1", "::ffff:10.0.0.1", true, true},
        {"::ffff:10.0.0.1", "::ffff:10.0.0.2", false, false},
        {"fd00:1::1", "fd00:1::ffff:1", true, true},
        {"fd00:1:0:1::1", "fd00:1:0:2::1", false, true},
        {"fd00:1:0:1::1", "fd00:1:1:1::1", false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        const struct peer a = peer_of(table[i].a), b = peer_of(table[i].b);
        const struct peer x = peer_origin(&a), y = peer_origin(&b), wx = peer_wider_origin(&a),
                          wy = peer_wider_origin(&b);
        if (peer_equal(&x, &y) != table[i].same || peer_equal(&wx, &wy) != table[i].same_site)
            fail_msg("%s and %s", table[i].a, table[i].b);
    }
}

static void test_the_origin_with_most_places_yields(void **state)
{
    (void)state;
    const struct peer a = peer_of("10.0.0.1"), b = peer_of("10.0.0.2"), c = peer_of("fd00:1:0:1::1"),
                      d = peer_of("fd00:1:0:2::1");
    struct peer_places places = {.n = 0};
    struct peer_place p[6];
    const struct peer *const who[] = {&a, &b, &b, &b, &c, &d};
    for (size_t i = 0; i < ARRAY_SIZE(p); i++)
        peer_places_add(&places, &p[i], who[i]);
    assert_int_equal(places.n, 6);
    assert_int_equal(peer_places_of(&places, &b), 3);
    /* The oldest of the origin with most places. */
    assert_ptr_equal(peer_places_least_welcome(&places, 0), &p[1]);
    assert_ptr_equal(peer_places_least_welcome(&places, 2), &p[1]);
    assert_null(peer_places_least_welcome(&places, 3));
    p[1].busy = true;
    assert_ptr_equal(peer_places_least_welcome(&places, 0), &p[2]);
    assert_ptr_equal(peer_places_silent_of(&places, &b), &p[2]);
    peer_places_make_safe(&places, &p[2]);
    assert_int_equal(peer_places_of(&places, &b), 3);
    assert_int_equal(p[3].n, 2);
    assert_ptr_equal(peer_places_least_welcome(&places, 1), &p[3]);
    peer_places_remove(&places, &p[3]);
    peer_places_remove(&places, &p[2]);
    /* Each origin has one: the victim is of a site that has more. */
    assert_ptr_equal(peer_places_least_welcome(&places, 0), &p[4]);
    assert_null(peer_places_least_welcome(&places, 1));
    peer_places_remove(&places, &p[4]);
    assert_ptr_equal(peer_places_least_welcome(&places, 0), &p[0]);
    peer_places_remove(&places, &p[0]);
    assert_ptr_equal(peer_places_least_welcome(&places, 0), &p[5]);
    peer_places_remove(&places, &p[5]);
    assert_ptr_equal(peer_places_least_welcome(&places, 0), &p[1]); /* busy, but there is no other */
    peer_places_remove(&places, &p[1]);
    assert_null(places.oldest);
    assert_null(places.newest);
}

/* --- counters --- */

static void test_a_histogram_counts_by_bounds(void **state)
{
    (void)state;
    struct histogram h = {.sum = 0};
    histogram_add(&h, histogram_calls, 0.0005); /* a value equal to a bound is counted at the bound */
    histogram_add(&h, histogram_calls, 0.00051);
    histogram_add(&h, histogram_calls, 99);
    histogram_add(&h, histogram_calls, -1); /* the clock was set back */
    assert_int_equal(h.counts[0], 2);
    assert_int_equal(h.counts[1], 1);
    assert_int_equal(h.counts[HISTOGRAM_BOUNDS], 1);
    assert_int_equal(histogram_count(&h), 4);
    assert_true(h.sum > 99.0 && h.sum < 99.1);
    for (size_t i = 1; i < HISTOGRAM_BOUNDS; i++)
        assert_true(histogram_calls[i] > histogram_calls[i - 1] &&
                    histogram_stages[i] > histogram_stages[i - 1]);
}

static void test_calls_are_bounded(void **state)
{
    (void)state;
    static struct call_stats stats;
    for (int i = 0; i < 1000; i++) {
        _cleanup_free_ char *name = xasprintf("m%d", i);
        call_stats_add(&stats, "grpc", "zone", "Ping", name, 1000);
        call_stats_add(&stats, "grpc", "zone", name, "ok", 1000);
    }
    assert_int_equal(stats.n, CALL_STATS_MAX);
    assert_int_equal(stats.items[0].n_outcomes, ARRAY_SIZE(stats.items[0].outcomes));
    uint64_t n = 0;
    for (size_t i = 0; i < stats.items[0].n_outcomes; i++)
        n += stats.items[0].outcomes[i].n;
    assert_int_equal(n, 1000);
    assert_string_equal(stats.items[0].outcomes[15].outcome, "other");
    assert_string_equal(stats.items[CALL_STATS_MAX - 1].method, "other");
    assert_int_equal(histogram_count(&stats.items[CALL_STATS_MAX - 1].latency), 1000 - (CALL_STATS_MAX - 2));
    call_stats_done(&stats);
}

static void set_stage(struct app_stage *stage, const char *name, const char *stage_state, int64_t created,
                      int64_t finished)
{
    *stage = (struct app_stage){.name = (char *)(uintptr_t)name,
                                .state = (char *)(uintptr_t)stage_state,
                                .revision = 2,
                                .created = created,
                                .finished = finished};
}

static void test_each_end_of_a_stage_counts_once(void **state)
{
    (void)state;
    struct stage_stats stats = {.counting = false};
    struct app_stage a, b, *list[] = {&a, &b};
    struct reconciler_replica replica = {.id = 1, .stages = list, .n_stages = 2}, *replicas[] = {&replica};
    struct reconciler_instance now = {.replicas = replicas, .n_replicas = 1};
    struct app_stage old_a, old_b, *old_list[] = {&old_a, &old_b};
    struct reconciler_replica old_replica = {.id = 1, .stages = old_list, .n_stages = 2},
                              *old_replicas[] = {&old_replica};
    struct reconciler_instance before = {.replicas = old_replicas, .n_replicas = 1};

    set_stage(&a, "image_pull", "running", 2000, 0);
    set_stage(&b, "provision", "success", 400, 900);
    stage_stats_add(&stats, NULL, &now); /* of the first snapshot */
    stats.counting = true;
    old_a = a;
    old_b = b;
    set_stage(&a, "image_pull", "success", 2000, 4500);
    stage_stats_add(&stats, &before, &now);
    old_a = a;
    stage_stats_add(&stats, &before, &now); /* counted before */
    set_stage(&a, "image_pull", "failed", 2000, 9000);
    set_stage(&b, "what a tenant wrote", "failed", 5000, 5000);
    stage_stats_add(&stats, &before, &now);
    stage_stats_add(&stats, &now, NULL);
    size_t pull = 0;
    while (!streq(stage_stats_name(pull), "image_pull"))
        pull++;
    assert_int_equal(stats.stages[pull].success, 1);
    assert_int_equal(stats.stages[pull].failed, 1);
    assert_true(stats.stages[pull].duration.sum == 2.5 + 7.0);
    assert_int_equal(stats.stages[STAGE_STATS_NAMES - 1].failed, 1);
    assert_string_equal(stage_stats_name(STAGE_STATS_NAMES - 1), "other");
}

/* --- text --- */

static void test_openmetrics_text_is_escaped(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    struct openmetrics m = {.file = open_memstream(&text, &size)};
    struct histogram h = {.sum = 0.25};
    h.counts[0] = 1;
    openmetrics_family(&m, "x_seconds", "gauge", "seconds", "One \"line\"\nand \\ another.");
    openmetrics_sample(&m, "", 1.5, NULL);
    openmetrics_sample(&m, "_total", 9007199254740, "a", "q\"\\\n", "left_out", NULL, "b", "", NULL);
    openmetrics_family(&m, "h", "histogram", NULL, "H.");
    openmetrics_histogram(&m, &h, histogram_calls, "k", "v", NULL);
    openmetrics_end(&m);
    fclose(m.file);
    static const char begin[] =
        "# TYPE x_seconds gauge\n# UNIT x_seconds seconds\n"
        "# HELP x_seconds One \\\"line\\\"\\nand \\\\ another.\nx_seconds 1.5\n"
        "x_seconds_total{a=\"q\\\"\\\\\\n\",b=\"\"} 9007199254740\n# TYPE h histogram\n# HELP h H.\n"
        "h_bucket{k=\"v\",le=\"0.0005\"} 1\nh_bucket{k=\"v\",le=\"0.001\"} 1\n";
    static const char end[] =
        "h_bucket{k=\"v\",le=\"1.0\"} 1\nh_bucket{k=\"v\",le=\"2.5\"} 1\nh_bucket{k=\"v\",le=\"10.0\"} 1\n"
        "h_bucket{k=\"v\",le=\"+Inf\"} 1\nh_count{k=\"v\"} 1\nh_sum{k=\"v\"} 0.25\n# EOF\n";
    assert_int_equal(strncmp(text, begin, sizeof begin - 1), 0);
    assert_true(has_suffix(text, end));
    free(text);
}

static void test_unknown_figures_are_left_out(void **state)
{
    (void)state;
    static const struct call_stats calls;
    static const struct stage_stats stages;
    static const struct http_counts http;
    static const struct host_status host;
    struct metrics_sources sources = {.calls = &calls, .stages = &stages, .http = &http, .host = &host};
    size_t size;
    _cleanup_free_ char *text = metrics_text(&sources, &size);
    assert_int_equal(size, strlen(text));
    assert_null(strstr(text, "hostlet_service_"));
    assert_null(strstr(text, "hostlet_quota_"));
    assert_null(strstr(text, "hostlet_replicas"));
    assert_true(has_suffix(text, "\n# EOF\n"));
    struct quota_values limited = {.container = (char *)(uintptr_t) "i8k_web_0", .used = 5, .hard = 100},
                        free_of = {.container = (char *)(uintptr_t) "i8k_web_1",
                                   .not_enforced = (char *)(uintptr_t) "no quotas"},
                        *quotas[] = {&limited, &free_of};
    struct reconciler_replica replica = {.container = (char *)(uintptr_t) "i8k_web_0",
                                         .state = REPLICA_PAUSED,
                                         .exits = 4,
                                         .oom_kills = 3},
                              *replicas[] = {&replica};
    struct reconciler_instance instance = {.replicas = replicas, .n_replicas = 1};
    const struct reconciler_instance *instances[] = {&instance};
    sources.instances = instances;
    sources.n_instances = 1;
    sources.quotas = quotas;
    sources.n_quotas = 2;
    sources.quotas_known = true;
    sources.instances_known = true;
    _cleanup_free_ char *more = metrics_text(&sources, &size);
    assert_non_null(strstr(more, "hostlet_replicas{state=\"crash_looping\"} 0\n"));
    assert_non_null(strstr(more, "hostlet_replicas{state=\"paused\"} 1\n"));
    assert_non_null(strstr(more, "hostlet_container_exits_total{container=\"i8k_web_0\"} 4\n"));
    assert_non_null(strstr(more, "hostlet_container_oom_kills_total{container=\"i8k_web_0\"} 3\n"));
    assert_non_null(strstr(more, "hostlet_quota_used_bytes{container=\"i8k_web_0\"} 5\n"));
    assert_non_null(strstr(more, "hostlet_quota_limit_bytes{container=\"i8k_web_0\"} 100\n"));
    assert_null(strstr(more, "hostlet_quota_limit_bytes{container=\"i8k_web_1\"}"));
    assert_non_null(strstr(more, "hostlet_quota_enforced{container=\"i8k_web_1\"} 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_is_parsed_without_its_secret),
        cmocka_unit_test(test_invalid_reports_are_rejected),
        cmocka_unit_test(test_an_address_is_found_in_its_network),
        cmocka_unit_test(test_an_address_is_refused_above_its_rate),
        cmocka_unit_test(test_a_flooding_address_stays_refused_among_many),
        cmocka_unit_test(test_a_site_is_refused_above_its_rate),
        cmocka_unit_test(test_addresses_have_an_origin_and_a_site),
        cmocka_unit_test(test_the_origin_with_most_places_yields),
        cmocka_unit_test(test_a_histogram_counts_by_bounds),
        cmocka_unit_test(test_calls_are_bounded),
        cmocka_unit_test(test_each_end_of_a_stage_counts_once),
        cmocka_unit_test(test_openmetrics_text_is_escaped),
        cmocka_unit_test(test_unknown_figures_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
