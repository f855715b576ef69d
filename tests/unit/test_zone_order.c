/* Tests which record follows an order of the zone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"
#include "reconciler/rules/zone_order.h"

#define HOST  "0123456789ab"
#define OTHER "ba9876543210"

static void parse(const struct schema_struct *schema, const char *text, void *ret)
{
    _cleanup_free_ char *json = xstrdup(text);
    struct error e = ERROR_INIT;
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    if (schema_parse_text(schema, json, strlen(json), SCHEMA_STRICT, "test", ret, &e) < 0)
        fail_msg("%s: %s", e.message, text);
}

/* An instance of the leader's response, with ' in place of ". */
#define ORDER_OF(number, spec, deploy)                                                                       \
    "{'meta':{'name':'web'},'spec':{'name':'web','version':'1','resources':{'cpu_limit':'1','memory_limit':" \
    "'64Mi','volume_limit':'1Gi'}," spec "},'deploy':{'revision':" number "," deploy "}}"
#define NGINX          "'image':'nginx'"
#define MINE(id)       "{'id':" id ",'host_id':'" HOST "'}"
#define THEIRS(id)     "{'id':" id ",'host_id':'" OTHER "'}"
#define REPLICAS(list) "'replicas':[" list "]"
#define ORDER(number)  ORDER_OF(number, NGINX, REPLICAS(MINE("0")))

/* Formats a record: a line for it, and one for each revision and replica. The caller frees the text. */
static char *show(const struct record *record)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    assert_non_null(f);
    fprintf(f, "order %lld %s revision %lld%s%s%s\n", (long long)record->order,
            schema_enum_name(&app_action_enum, record->action), (long long)record->revision,
            record->unassigned ? " unassigned" : "", record->purge ? " purge" : "",
            record->next ? " next" : "");
    for (size_t i = 0; i < record->n_revisions; i++) {
        const struct record_revision *r = record->revisions[i];
        fprintf(f, "revision %lld: %s%s\n", (long long)r->revision, r->manifest->app->spec->image ?: "-",
                r->resolved ? " resolved" : "");
    }
    for (size_t i = 0; i < record->n_replicas; i++) {
        const struct record_replica *r = record->replicas[i];
        fprintf(f, "replica %lld:", (long long)r->id);
        for (size_t k = 0; k < r->n_ports; k++)
            fprintf(f, " %lld=%lld", (long long)r->ports[k]->port, (long long)r->ports[k]->host_port);
        fprintf(f, "%s%s%s%s%s%s%s\n", r->vpc_ipv4 ? " " : "", r->vpc_ipv4 ?: "",
                r->unassigned ? " unassigned" : "", r->update_files ? " files" : "",
                r->failed_revision ? " failed" : "", r->attempt ? " attempts" : "", r->failure ? " why" : "");
    }
    fclose(f);
    return text;
}

/* Follows the order and replaces '*record' by the effect's record. */
static void give(struct record **record, const char *text, const char *refused,
                 struct zone_order_effect *effect)
{
    struct app_instance wanted = {.meta = NULL};
    struct zone_order order = {.wanted = &wanted, .refused = refused, .host_id = HOST, .now = 7};
    parse(&app_instance_schema, text, &wanted);
    zone_order_make(*record, &order, effect);
    schema_done(&app_instance_schema, &wanted);
    if (!effect->record)
        return;
    if (*record)
        schema_free(&record_schema, *record);
    *record = TAKE_PTR(effect->record);
}

/* Changes of a record between two orders. */
static void nothing(struct record *r)
{
    (void)r;
}
static void proven(struct record *r)
{
    r->replicas[0]->applied_revision = r->revision;
    r->replicas[0]->update_files = false;
    r->revisions[0]->resolved = true;
    r->revisions[0]->image_id = xstrdup("sha256:1");
}
static void unassigned(struct record *r)
{
    proven(r);
    r->unassigned = true;
}
static void failed(struct record *r)
{
    r->replicas[0]->update_files = false;
    r->replicas[0]->failed_revision = r->revision;
    r->replicas[0]->attempt = 2;
    set_string(&r->replicas[0]->failure, "why");
}
static void undone(struct record *r)
{
    failed(r);
    r->replicas[0]->rolling_back = r->revision;
}
static void destroyed(struct record *r)
{
    proven(r);
    r->action = APP_ACTION_DESTROY;
    r->purge = true;
}

struct row {
    const char *what, *first;
    void (*between)(struct record *record);
    const char *second, *expected; /* NULL: the order changes nothing */
    bool new_order, other_bits;
};

static void test_an_order_changes_the_record(void **state)
{
    (void)state;
    static const struct row rows[] = {
        /* The number of the order. */
        {"the first order", NULL, NULL, ORDER("5"),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: files\n", .new_order = true},
        {"an order without a number", NULL, NULL, ORDER("0"),
         "order 0 start revision 1\nrevision 1: nginx\nreplica 0: files\n", .new_order = true},
        {"an equal order", ORDER("5"), proven, ORDER("5"), NULL, .new_order = false},
        {"a higher number", ORDER("5"), proven, ORDER("6"),
         "order 6 start revision 6\nrevision 5: nginx resolved\nrevision 6: nginx\nreplica 0:\n",
         .new_order = true},
        {"a lower number than the applied revision", ORDER("5"), proven, ORDER("4"),
         "order 4 start revision 5\nrevision 5: nginx resolved\nreplica 0: files\n", .new_order = true},
        {"a lower number without an applied revision", ORDER("5"), nothing, ORDER("4"),
         "order 4 start revision 4\nrevision 5: nginx\nrevision 4: nginx\nreplica 0: files\n",
         .new_order = true},
        {"an equal order after the instance was unassigned", ORDER("5"), unassigned, ORDER("5"),
         "order 5 start revision 5\nrevision 5: nginx resolved\nreplica 0:\n", .new_order = false},

        /* Changes under the same number. */
        {"another image under the number", ORDER("5"), proven,
         ORDER_OF("5", "'image':'httpd'", REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: httpd\nreplica 0: files\n", .other_bits = true},
        {"other packages under the number", ORDER("5"), proven,
         ORDER_OF("5", NGINX ",'packages':[{'name':'a','version':'1'}]", REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: files\n", .other_bits = true},
        {"another version of a package under the number",
         ORDER_OF("5", NGINX ",'packages':[{'name':'a','version':'1'}]", REPLICAS(MINE("0"))), proven,
         ORDER_OF("5", NGINX ",'packages':[{'name':'a','version':'2'}]", REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: files\n", .other_bits = true},
        {"another package under the number",
         ORDER_OF("5", NGINX ",'packages':[{'name':'a','version':'1'}]", REPLICAS(MINE("0"))), proven,
         ORDER_OF("5", NGINX ",'packages':[{'name':'b','version':'1'}]", REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: files\n", .other_bits = true},
        {"other files under the number",
         ORDER_OF("5", NGINX ",'packages':[{'name':'a','version':'1'}]", REPLICAS(MINE("0"))), proven,
         ORDER_OF("5", NGINX ",'description':'x','packages':[{'name':'a','version':'1'}]",
                  REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: nginx resolved\nreplica 0: files\n", .new_order = false},
        {"another action under the number", ORDER("5"), proven,
         ORDER_OF("5", NGINX, REPLICAS(MINE("0")) ",'action':'stop'"),
         "order 5 stop revision 5\nrevision 5: nginx resolved\nreplica 0: files\n", .new_order = true},
        {"a destroyed instance is started again", ORDER("5"), destroyed,
         ORDER_OF("5", NGINX, REPLICAS(MINE("0")) ",'action':'start'"),
         "order 5 start revision 5\nrevision 5: nginx resolved\nreplica 0: files\n", .new_order = true},

        /* Replicas. */
        {"a new replica", ORDER("5"), proven, ORDER_OF("5", NGINX, REPLICAS(MINE("0") "," MINE("2"))),
         "order 5 start revision 5\nrevision 5: nginx resolved\nreplica 0: files\nreplica 2: files\n",
         .new_order = true},
        {"a replica is assigned to another host", ORDER("5"), proven,
         ORDER_OF("6", NGINX, REPLICAS(THEIRS("0") "," MINE("1"))),
         "order 6 start revision 6\nrevision 5: nginx resolved\nrevision 6: nginx\nreplica 0: unassigned\n"
         "replica 1: files\n",
         .new_order = true},
        {"replicas of other hosts are ignored", NULL, NULL,
         ORDER_OF("5", NGINX, REPLICAS(THEIRS("0") "," MINE("1") "," THEIRS("2"))),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 1: files\n", .new_order = true},
        {"ports and address of the zone", NULL, NULL,
         ORDER_OF("5", NGINX ",'service_ports':[{'name':'http','port':80}]",
                  REPLICAS(
                      "{'id':0,'host_id':'" HOST
                      "','vpc_ipv4':'10.0.0.2','service_ports':[{'port':80,'host_port':8080},{'port':81}]}")),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: 80=8080 10.0.0.2 files\n",
         .new_order = true},
        {"the zone allocated no ports", NULL, NULL,
         ORDER_OF("5", NGINX ",'service_ports':[{'name':'http','port':80},{'name':'https','port':443}]",
                  REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: 80=80 443=443 files\n", .new_order = true},
        {"ports are replaced",
         ORDER_OF("5", NGINX ",'service_ports':[{'name':'http','port':80}]", REPLICAS(MINE("0"))), proven,
         ORDER_OF("6", NGINX ",'service_ports':[{'name':'http','port':81}]", REPLICAS(MINE("0"))),
         "order 6 start revision 6\nrevision 5: nginx resolved\nrevision 6: nginx\nreplica 0: 81=81\n",
         .new_order = true},

        {"empty texts count as absent", NULL, NULL,
         ORDER_OF("5", NGINX, REPLICAS("{'id':0,'host_id':'" HOST "','vpc_ipv4':''}") ",'action':''"),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: files\n", .new_order = true},

        /* Failures. */
        {"an order with another number clears failures", ORDER("5"), failed, ORDER("6"),
         "order 6 start revision 6\nrevision 5: nginx\nrevision 6: nginx\nreplica 0:\n", .new_order = true},
        {"the reason of a rollback in progress is kept", ORDER("5"), undone, ORDER("6"),
         "order 6 start revision 6\nrevision 5: nginx\nrevision 6: nginx\nreplica 0: why\n",
         .new_order = true},
        {"an equal order keeps failures", ORDER("5"), failed, ORDER("5"), NULL, .new_order = false},
        {"an order that changes files alone keeps failures", ORDER("5"), failed,
         ORDER_OF("5", NGINX ",'description':'x'", REPLICAS(MINE("0"))),
         "order 5 start revision 5\nrevision 5: nginx\nreplica 0: files failed attempts why\n",
         .new_order = false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct record *record = NULL;
        struct zone_order_effect first = {.record = NULL}, effect = {.record = NULL};
        if (rows[i].first) {
            give(&record, rows[i].first, NULL, &first);
            rows[i].between(record);
        }
        struct app_instance wanted = {.meta = NULL};
        struct zone_order order = {.wanted = &wanted, .host_id = HOST};
        parse(&app_instance_schema, rows[i].second, &wanted);
        zone_order_make(record, &order, &effect);
        if (!effect.record != !rows[i].expected)
            fail_msg("%s: the order changes %s", rows[i].what, effect.record ? "the record" : "nothing");
        _cleanup_free_ char *text = effect.record ? show(effect.record) : NULL;
        if (text && strcmp(text, rows[i].expected))
            fail_msg("%s:\n%snot\n%s", rows[i].what, text, rows[i].expected);
        if (effect.new_order != rows[i].new_order || effect.other_bits != rows[i].other_bits)
            fail_msg("%s: new order %d, other bits %d", rows[i].what, effect.new_order, effect.other_bits);
        assert_true(!effect.record || !effect.record->problem);
        /* The previous ids are returned, to be released. */
        assert_int_equal(effect.old.image_id != NULL, rows[i].other_bits);
        zone_order_effect_done(&effect);
        schema_done(&app_instance_schema, &wanted);
        if (record)
            schema_free(&record_schema, record);
    }
}

static void test_an_order_that_cannot_be_followed_is_stored(void **state)
{
    (void)state;
    static const struct {
        const char *what, *order, *refused, *problem, *alone, *beside;
    } rows[] = {
        {"an unknown action", ORDER_OF("6", NGINX, REPLICAS(MINE("0") "," MINE("1")) ",'action':'dance'"),
         NULL, "action 'dance' is not known, and the order is not followed",
         /* The record has the order's manifest, which is well formed. */
         "order 6 none revision 6 next\nrevision 6: nginx\nreplica 0: files\nreplica 1: files\n",
         "order 6 start revision 5 next\nrevision 5: nginx resolved\nreplica 0:\n"},
        {"no image", ORDER_OF("6", "'description':'x'", REPLICAS(MINE("0") "," THEIRS("1") "," MINE("0"))),
         NULL, NULL, "order 6 none revision 6 next\nrevision 6: -\nreplica 0: files\n",
         "order 6 start revision 5 next\nrevision 5: nginx resolved\nreplica 0:\n"},
        {"ids that no replica can have",
         ORDER_OF("6", NGINX, REPLICAS(MINE("128") "," MINE("-1") "," MINE("0"))), NULL, NULL,
         "order 6 none revision 6 next\nrevision 6: -\nreplica 0: files\n",
         "order 6 start revision 5 next\nrevision 5: nginx resolved\nreplica 0:\n"},
        {"no deploy at all", "{'meta':{'name':'web'},'spec':{'name':'web','version':'1'}}", NULL, NULL,
         "order 0 none revision 1 next\nrevision 1: -\n",
         "order 0 start revision 5 next\nrevision 5: nginx resolved\nreplica 0:\n"},
        {"refused by the sender", ORDER("6"), "too large", "too large",
         "order 6 none revision 6\nrevision 6: -\nreplica 0: files\n",
         "order 6 start revision 5\nrevision 5: nginx resolved\nreplica 0:\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        for (int beside = 0; beside < 2; beside++) {
            struct record *record = NULL;
            struct zone_order_effect first = {.record = NULL}, effect = {.record = NULL};
            if (beside) {
                give(&record, ORDER("5"), NULL, &first);
                proven(record);
            }
            give(&record, rows[i].order, rows[i].refused, &effect);
            _cleanup_free_ char *text = show(record);
            if (strcmp(text, beside ? rows[i].beside : rows[i].alone))
                fail_msg("%s, %d:\n%s", rows[i].what, beside, text);
            assert_non_null(record->problem);
            if (!beside && record->n_replicas > 0) /* each replica once, also in a stub */
                assert_int_equal(record->revisions[0]->manifest->app->deploy->n_replicas, record->n_replicas);
            if (rows[i].problem)
                assert_string_equal(record->problem, rows[i].problem);
            assert_int_equal(record->next_since, record->next ? 7 : 0);
            assert_true(effect.new_order);
            assert_false(effect.other_bits);

            /* An equal order changes nothing that needs work. */
            struct zone_order_effect again = {.record = NULL};
            give(&record, rows[i].order, rows[i].refused, &again);
            assert_false(again.new_order);

            /* An order that can be followed ends the problem. */
            struct zone_order_effect good = {.record = NULL};
            give(&record, ORDER("6"), NULL, &good);
            assert_null(record->problem);
            assert_null(record->next);
            assert_true(good.new_order);
            assert_int_equal(record->action, APP_ACTION_START);
            schema_free(&record_schema, record);
        }
}

/* The record of a refused order differs from the order, although revision and manifest are equal. */
static void test_an_order_is_followed_again_after_a_refusal(void **state)
{
    (void)state;
    struct record *record = NULL;
    struct zone_order_effect first = {.record = NULL}, refused = {.record = NULL}, again = {.record = NULL};
    give(&record, ORDER("5"), NULL, &first);
    give(&record, ORDER("5"), "too large", &refused);
    assert_true(refused.new_order);
    assert_string_equal(record->problem, "too large");
    give(&record, ORDER("5"), NULL, &again);
    assert_true(again.new_order);
    assert_null(record->problem);
    schema_free(&record_schema, record);
}

/* The record with the order is too large for its file: revision and action are kept, and the problem is
 * stored. */
static void test_an_order_without_room_leaves_its_problem(void **state)
{
    (void)state;
    struct record *record = NULL;
    struct zone_order_effect effect = {.record = NULL};
    give(&record, ORDER("5"), NULL, &effect);
    proven(record);
    struct app_instance wanted = {.meta = NULL};
    struct zone_order order = {.wanted = &wanted, .host_id = HOST};
    parse(&app_instance_schema, ORDER_OF("5", "'image':'httpd'", REPLICAS(MINE("0"))), &wanted);
    effect = (struct zone_order_effect){.record = NULL};
    zone_order_make(record, &order, &effect);
    assert_true(effect.other_bits);
    zone_order_make_small(record, &order, "it is too large", &effect);
    assert_string_equal(effect.record->problem, "it is too large");
    assert_null(effect.record->next);
    assert_false(effect.other_bits);
    assert_null(effect.old.image_id);
    _cleanup_free_ char *text = show(effect.record);
    assert_string_equal(text, "order 5 start revision 5\nrevision 5: nginx resolved\nreplica 0:\n");
    zone_order_effect_done(&effect);

    zone_order_make_small(NULL, &order, "it is too large", &effect);
    _cleanup_free_ char *alone = show(effect.record);
    assert_string_equal(alone, "order 5 none revision 5\nrevision 5: -\nreplica 0: files\n");
    assert_string_equal(effect.record->origin, "zone");
    assert_string_equal(effect.record->name, "web");
    zone_order_effect_done(&effect);
    schema_done(&app_instance_schema, &wanted);
    schema_free(&record_schema, record);
}

static void test_another_host_id_changes_the_assignment(void **state)
{
    (void)state;
    struct record *record = NULL;
    struct zone_order_effect effect = {.record = NULL};
    give(&record, ORDER_OF("5", NGINX, REPLICAS(MINE("0") "," THEIRS("1"))), NULL, &effect);
    const struct app_manifest *manifest = record->revisions[0]->manifest;
    assert_false(zone_assign_replicas(record, manifest, HOST));
    assert_true(zone_assign_replicas(record, manifest, OTHER));
    assert_int_equal(record->n_replicas, 2);
    assert_true(record->replicas[0]->unassigned);
    assert_false(record->replicas[1]->unassigned);
    assert_false(zone_assign_replicas(record, manifest, OTHER));
    assert_true(zone_assign_replicas(record, manifest, HOST));
    assert_false(record->replicas[0]->unassigned);
    assert_true(record->replicas[1]->unassigned);
    schema_free(&record_schema, record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_an_order_changes_the_record),
                                       cmocka_unit_test(test_an_order_that_cannot_be_followed_is_stored),
                                       cmocka_unit_test(test_an_order_is_followed_again_after_a_refusal),
                                       cmocka_unit_test(test_an_order_without_room_leaves_its_problem),
                                       cmocka_unit_test(test_another_host_id_changes_the_assignment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
