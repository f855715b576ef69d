/* Tests which replicas have their turn, by tables of replicas. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/basic/util.h"
#include "reconciler/rules/rollout.h"

/* A replica in a row is one string. It begins with a digit, the applied revision (0: none); letters follow:
 *   u  up                 t  began a switch               s  is to stop
 *   c  conflict           x  unassigned                   f  failed with the desired revision
 *   r  the switch to the desired revision is being rolled back */
#define REPLICAS_MAX 6

static struct record_replica parse(const char *text, int64_t id, struct rollout_replica *r)
{
    struct record_replica record = {.id = id, .applied_revision = text[0] - '0'};
    *r = (struct rollout_replica){.up = strchr(text, 'u'),
                                  .turn_taken = strchr(text, 't'),
                                  .wanted = !strchr(text, 's'),
                                  .conflict = strchr(text, 'c')};
    record.unassigned = strchr(text, 'x');
    record.failed_revision = strchr(text, 'f') ? 2 : 0;
    record.rolling_back = strchr(text, 'r') ? 2 : 0;
    return record;
}

/* Revision 2 is desired. Two replicas without an applied revision may be in a switch at once, and one with an
 * applied revision. 'turns' has '1' for each replica that has its turn. */
static void check(const char *what, const char *const *texts, int64_t parallel, bool no_manifest,
                  bool no_options, const char *turns, bool stopped)
{
    struct record_replica records[REPLICAS_MAX], *pointers[REPLICAS_MAX];
    struct rollout_replica replicas[REPLICAS_MAX];
    struct app_options options = {.parallel = parallel};
    struct app_manifest manifest = {.hostlet = no_options ? NULL : &options};
    struct record_revision revision = {.revision = no_manifest ? 1 : 2, .manifest = &manifest};
    struct record record = {.revision = 2,
                            .revisions = (struct record_revision *[]){&revision},
                            .n_revisions = 1,
                            .replicas = pointers};
    for (; texts[record.n_replicas]; record.n_replicas++) {
        size_t i = record.n_replicas;
        records[i] = parse(texts[i], (int64_t)i, &replicas[i]);
        pointers[i] = &records[i];
        replicas[i].record = &records[i];
    }
    struct rollout rollout = {.record = &record,
                              .replicas = replicas,
                              .n_replicas = record.n_replicas,
                              .parallel_first = 2,
                              .parallel_update = 1};
    char got[REPLICAS_MAX + 1] = "";
    for (size_t i = 0; i < record.n_replicas; i++)
        got[i] = rollout_turn(&rollout, i) ? '1' : '0';
    if (strcmp(got, turns))
        fail_msg("%s: turns %s, not %s", what, got, turns);
    if (rollout_stopped(&record) != stopped)
        fail_msg("%s: the rollout is%s stopped", what, stopped ? " not" : "");
}

static void test_replicas_have_their_turns(void **state)
{
    (void)state;
    const struct {
        const char *what, *replicas[REPLICAS_MAX], *turns;
        int64_t parallel;
        bool stopped, no_manifest, no_options;
    } rows[] = {
        {"an update begins with the first replica", {"1u", "1u", "1u"}, "100", .parallel = 0},
        {"a replica that is down with the old revision waits, too", {"1", "1u"}, "10", .parallel = 0},
        {"a replica that began continues", {"1t", "1u", "1u"}, "100", .parallel = 0},
        {"the second replica follows when the first has ended", {"2u", "1u", "1u"}, "110", .parallel = 0},
        {"a later replica that began keeps its turn", {"1u", "1ut", "1u"}, "010", .parallel = 0},
        {"the manifest permits more at once", {"1ut", "1u", "1u"}, "110", .parallel = 2},
        {"with more at once, the order of ids is kept", {"1u", "1u", "1u"}, "100", .parallel = 3},
        {"without options the configuration decides", {"1ut", "1u"}, "10", .no_options = true},
        {"without the revision's entry the configuration decides",
         {"1ut", "1u"},
         "10",
         .no_manifest = true,
         .parallel = 2},

        {"two new replicas may begin at once", {"0", "0", "0"}, "111", .parallel = 0},
        {"a third new replica waits", {"0t", "0t", "0"}, "110", .parallel = 0},
        {"a new replica does not wait for lower ids", {"0", "0t", "0"}, "111", .parallel = 0},
        {"new replicas in a switch do not count for updates", {"0t", "0t", "1u"}, "111", .parallel = 0},
        {"updates do not count for new replicas", {"1ut", "0", "0"}, "111", .parallel = 0},
        {"the manifest's number applies to new replicas", {"0t", "0"}, "10", .parallel = 1},

        {"a replica that is down with the desired revision needs no turn", {"1ut", "2"}, "11", .parallel = 0},
        {"a replica that is up with the desired revision needs a turn to be recreated",
         {"1ut", "2u"},
         "10",
         .parallel = 0},
        {"such a replica waits for lower ids", {"1u", "2u"}, "10", .parallel = 0},

        {"no replica waits for an unassigned one", {"1ux", "1u"}, "11", .parallel = 0},
        {"no replica waits for one with a conflict", {"1uc", "1u"}, "11", .parallel = 0},
        {"no replica waits for one that is to stop", {"1us", "1u"}, "11", .parallel = 0},

        {"a failure stops the rollout", {"1uf", "1u", "1u"}, "000", .stopped = true},
        {"a rollback in progress stops the rollout", {"1r", "1u"}, "00", .stopped = true},
        {"a stopped rollout does not stop a replica that began", {"1uf", "1ut"}, "01", .stopped = true},
        {"a failed first deploy does not stop updates", {"0r", "1u"}, "11", .parallel = 0},
        {"a stopped rollout does not stop new replicas", {"1uf", "0"}, "01", .stopped = true},
        {"a failure of an unassigned replica stops no other", {"1ufx", "1u"}, "11", .parallel = 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        check(rows[i].what, rows[i].replicas, rows[i].parallel, rows[i].no_manifest, rows[i].no_options,
              rows[i].turns, rows[i].stopped);
}

/* The container of the applied revision may be made again while another revision is desired. */
static void test_repairs_of_the_applied_revision_have_their_turns(void **state)
{
    (void)state;
    const struct {
        const char *what, *replicas[3], *turns;
    } rows[] = {
        {"a replica that is down needs no turn", {"1", "1u", "1ut"}, "101"},
        {"one at a time is taken down", {"1ut", "1u", "1"}, "101"},
        {"a stopped rollout stops no repair", {"1uf", "1u", "1"}, "111"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct record_replica records[3];
        struct rollout_replica replicas[3];
        struct record record = {.revision = 2};
        for (size_t k = 0; k < 3; k++) {
            records[k] = parse(rows[i].replicas[k], (int64_t)k, &replicas[k]);
            replicas[k].record = &records[k];
        }
        struct rollout rollout = {&record, replicas, 3, 1, 1};
        for (size_t k = 0; k < 3; k++)
            if (rollout_repair_turn(&rollout, k) != (rows[i].turns[k] == '1'))
                fail_msg("%s: replica %zu", rows[i].what, k);
    }
}

/* Every replica begins as soon as it has its turn: all are switched, and never more than permitted are in a
 * switch. */
static void test_every_rollout_switches_all_replicas(void **state)
{
    (void)state;
    for (int64_t parallel = 1; parallel <= 3; parallel++) {
        struct record_replica records[REPLICAS_MAX], *pointers[REPLICAS_MAX];
        struct rollout_replica replicas[REPLICAS_MAX];
        struct record record = {.revision = 2, .replicas = pointers, .n_replicas = REPLICAS_MAX};
        for (size_t i = 0; i < REPLICAS_MAX; i++) {
            records[i] = parse("1u", (int64_t)i, &replicas[i]);
            pointers[i] = &records[i];
            replicas[i].record = &records[i];
        }
        struct rollout rollout = {&record, replicas, REPLICAS_MAX, parallel, parallel};
        size_t switched = 0;
        for (int round = 0; round < 2 * REPLICAS_MAX && switched < REPLICAS_MAX; round++) {
            int64_t busy = 0;
            for (size_t i = 0; i < REPLICAS_MAX; i++)
                if (records[i].applied_revision == 1)
                    replicas[i].turn_taken = rollout_turn(&rollout, i);
            for (size_t i = 0; i < REPLICAS_MAX; i++)
                busy += replicas[i].turn_taken;
            assert_in_range(busy, 1, parallel);
            for (size_t i = 0; i < REPLICAS_MAX; i++)
                if (replicas[i].turn_taken) {
                    records[i].applied_revision = 2;
                    replicas[i].turn_taken = false;
                    switched++;
                }
        }
        assert_int_equal(switched, REPLICAS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replicas_have_their_turns),
        cmocka_unit_test(test_repairs_of_the_applied_revision_have_their_turns),
        cmocka_unit_test(test_every_rollout_switches_all_replicas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
