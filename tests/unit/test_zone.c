/* The zone's pure parts in rpc-gateway: which stages are due, what an answer says of us, and what is known of
 * its instances. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "rpc-gateway/deliver_known.h"
#include "rpc-gateway/stage_reports.h"
#include "rpc-gateway/zone_answer.h"
#include "rpc-gateway/zone_map.h"

/* An instance with replicas 0 to n−1, all at one stage in this state (NULL: none). */
static void tell(struct stage_reports *r, const char *name, int n, const char *stage_state)
{
    struct app_stage stage = {.name = (char *)"image_pull", .state = (char *)stage_state},
                     *stages[] = {&stage};
    struct reconciler_replica replicas[4], *list[4];
    for (int i = 0; i < n; i++) {
        replicas[i] = (struct reconciler_replica){.id = i, .stages = stages, .n_stages = stage_state ? 1 : 0};
        list[i] = &replicas[i];
    }
    const struct reconciler_instance instance = {
        .name = (char *)name, .origin = (char *)"zone", .replicas = list, .n_replicas = (size_t)n};
    stage_reports_put(r, NULL, &instance);
}

/* How many replicas the next update carries. */
static size_t take(struct stage_reports *r, size_t bytes_max)
{
    size_t n = 0;
    Inapi__HostReplicaStageReport **reports = stage_reports_take(r, bytes_max, &n);
    stage_reports_free(reports, n);
    return n;
}

static void only_what_changed(void **state)
{
    (void)state;
    struct stage_reports r = {.n = 0};
    assert_int_equal(take(&r, 1000), 0);
    tell(&r, "new", 1, NULL); /* nothing to say yet */
    assert_int_equal(stage_reports_due(&r), 0);
    tell(&r, "web", 2, "running");
    assert_int_equal(take(&r, 1000), 2);
    stage_reports_accepted(&r);
    tell(&r, "web", 2, "running");
    assert_int_equal(stage_reports_due(&r), 0);
    tell(&r, "web", 2, "success");
    assert_int_equal(take(&r, 1000), 2);
    assert_int_equal(take(&r, 1000), 2); /* that one failed: again */
    tell(&r, "web", 2, "failed");        /* meanwhile */
    stage_reports_accepted(&r);
    assert_int_equal(take(&r, 1000), 2); /* what changed during the call */
    stage_reports_accepted(&r);
    tell(&r, "web", 2, NULL); /* an empty list clears */
    assert_int_equal(take(&r, 1000), 2);
    stage_reports_accepted(&r);
    assert_int_equal(stage_reports_due(&r), 0);
    stage_reports_done(&r);
}

static void gone_and_other_leaders(void **state)
{
    (void)state;
    struct stage_reports r = {.n = 0};
    const struct reconciler_instance db = {.name = (char *)"db", .origin = (char *)"zone"};
    tell(&r, "web", 3, "running");
    tell(&r, "db", 1, "running");
    assert_int_equal(stage_reports_due(&r), 4);
    tell(&r, "web", 1, "running"); /* two replicas fewer */
    assert_int_equal(stage_reports_due(&r), 2);
    take(&r, 1000);
    stage_reports_put(&r, &db, NULL); /* it goes while that is under way */
    stage_reports_accepted(&r);
    assert_int_equal(stage_reports_due(&r), 0);
    tell(&r, "other", 1, "running");
    assert_int_equal(take(&r, 1000), 1);
    stage_reports_renew(&r);    /* another leader took this one: */
    stage_reports_accepted(&r); /* it has what was in it, and nothing else */
    assert_int_equal(stage_reports_due(&r), 1);
    stage_reports_done(&r);
}

static void not_more_than_fits(void **state)
{
    (void)state;
    struct stage_reports r = {.n = 0};
    tell(&r, "web", 4, "running");
    assert_int_equal(take(&r, 1), 1); /* one in any case */
    stage_reports_accepted(&r);
    assert_int_equal(stage_reports_due(&r), 3);
    assert_int_equal(take(&r, 1000), 3);
    stage_reports_done(&r);
}

/* A tenant can change his replicas' stages between all reports. */
static void replicas_that_change_all_the_time_leave_room_for_others(void **state)
{
    (void)state;
    struct stage_reports r = {.n = 0};
    tell(&r, "noisy", 4, "running");
    tell(&r, "web", 1, "running");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(take(&r, 1), 1);
        stage_reports_accepted(&r);
        tell(&r, "noisy", 4, i % 2 ? "running" : "success");
    }
    assert_int_equal(stage_reports_due(&r), 4);
    stage_reports_done(&r);
}

static void only_the_zone_s(void **state)
{
    (void)state;
    struct stage_reports r = {.n = 0};
    struct app_stage stage = {.name = (char *)"host_recv"}, *stages[] = {&stage};
    struct reconciler_replica replica = {.stages = stages, .n_stages = 1}, *replicas[] = {&replica};
    struct reconciler_stage_report clash = {.replica_id = 3, .stages = stages, .n_stages = 1},
                                   *clashes[] = {&clash};
    struct reconciler_instance local = {
        .name = (char *)"web", .origin = (char *)"local", .replicas = replicas, .n_replicas = 1};
    stage_reports_put(&r, NULL, &local);
    assert_int_equal(stage_reports_due(&r), 0);
    local.clash = clashes; /* the zone uses the name too: it is told why not */
    local.n_clash = 1;
    stage_reports_put(&r, NULL, &local);
    assert_int_equal(stage_reports_due(&r), 1);
    stage_reports_done(&r);
}

static void a_real_answer(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct zone_answer answer;
    char *data = NULL;
    size_t size;
    assert_int_equal(
        read_file_at(AT_FDCWD, VECTORS "/host_status_update.resp.bin", 1 << 20, &data, &size, &e), 0);
    zone_answer_read((const uint8_t *)data, size, &answer);
    assert_int_equal(answer.n_instances, 1);
    assert_string_equal(answer.vpc_bridge_ip, "192.168.10.3");
    assert_string_equal(answer.vpc_instance_cidr, "10.10.3.0/24");
    assert_non_null(answer.map);
    assert_int_equal(zone_map_revision(answer.map, answer.map_size), 5);
    struct zone_map map;
    assert_int_equal(zone_map_read(answer.map, answer.map_size, NULL, 0, &map, &e), 0);
    const struct net_network *n = &map.network;
    assert_string_equal(n->domain, "local");
    assert_string_equal(n->vpc_bridge_cidr, "192.168.10.0/24");
    assert_string_equal(n->vpc_instance_cidr, "10.10.0.0/16");
    assert_int_equal(n->n_hosts, 2);
    assert_string_equal(n->hosts[0]->id, "6b0426d9a433");
    assert_string_equal(n->hosts[0]->peer, "192.168.200.11");
    assert_string_equal(n->hosts[0]->bridge, "192.168.10.3");
    assert_string_equal(n->hosts[0]->instance, "10.10.3.0/24");
    assert_int_equal(n->n_records, 2);
    assert_string_equal(n->records[0]->name, "web1_0");
    assert_string_equal(n->records[0]->address, "10.10.3.3");
    assert_int_equal(map.problems.n, 0);
    zone_map_done(&map);
    zone_answer_done(&answer);
    free(data);
}

static void answers_that_say_nothing_good(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"", 0},
        {"\x1a\x04spam\x22\x0b"
         "10.10.3.0/7",
         19}, /* no address; too large a network */
        {"\x1a\x07"
         "1.2.3.4\x1a\x03"
         "1.2",
         14}, /* the last one counts */
        {"\x32\x04\x22\x02"
         "a ",
         6},                     /* a domain with a space */
        {"\x32\x02\x22\x09", 4}, /* a map that is cut off */
        {"\x22\x09"
         "10.0.0.0/",
         11},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct zone_answer answer;
        zone_answer_read((const uint8_t *)cases[i].bytes, cases[i].size, &answer);
        assert_null(answer.vpc_bridge_ip);
        assert_null(answer.vpc_instance_cidr);
        assert_int_equal(answer.map != NULL, i == 3 || i == 4);
        struct zone_map map = {.problems = {.n = 0}};
        struct error e = ERROR_INIT;
        assert_int_equal(zone_map_read(answer.map, answer.map_size, NULL, 0, &map, &e),
                         i == 4 ? -EBADMSG : 0);
        assert_null(map.network.domain);
        assert_int_equal(map.problems.n, i == 3); /* the domain */
        zone_map_done(&map);
        zone_answer_done(&answer);
    }
}

static void what_is_known(void **state)
{
    (void)state;
    struct known_list l = {.n = 0};
    known_index(&l);
    struct deliver_hash none = deliver_hash_of("x", 1);
    assert_null(known_by_raw(&l, &none));
    for (int i = 0; i < 1000; i++) {
        _cleanup_free_ char *name = xasprintf("app%d", i);
        struct known *k = known_add(&l, name);
        k->raw = deliver_hash_of(name, strlen(name));
        k->answer = i % 2 ? 1 : 2;
    }
    known_index(&l);
    for (int i = 0; i < 1000; i++) {
        _cleanup_free_ char *name = xasprintf("app%d", i);
        struct deliver_hash raw = deliver_hash_of(name, strlen(name));
        assert_string_equal(known_by_raw(&l, &raw)->name, name);
        assert_ptr_equal(known_by_name(&l, name), known_by_raw(&l, &raw));
    }
    assert_null(known_by_raw(&l, &none));
    assert_true(known_drop_absent(&l, 2));
    assert_int_equal(l.n, 500);
    assert_null(known_by_name(&l, "app1"));
    assert_non_null(known_by_name(&l, "app998"));
    assert_false(known_drop_absent(&l, 2));
    known_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_changed),
        cmocka_unit_test(gone_and_other_leaders),
        cmocka_unit_test(not_more_than_fits),
        cmocka_unit_test(replicas_that_change_all_the_time_leave_room_for_others),
        cmocka_unit_test(only_the_zone_s),
        cmocka_unit_test(a_real_answer),
        cmocka_unit_test(answers_that_say_nothing_good),
        cmocka_unit_test(what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
