/* The pure parts of inagent: templates and their keys, the plan of tasks, lines of /etc/passwd, the
 * specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these before itself */
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "inagent/plan.h"
#include "inagent/spec.h"
#include "inagent/template.h"
#include "inagent/users.h"
#include "inagent/variables.h"
#include "lib/basic/cleanup.h"

#define SECOND USEC_PER_SEC

/* Templates */

static const char *lookup(void *context, const char *key, size_t n)
{
    (void)context;
    static const char *const pairs[][2] = {{"app.name", "demo"}, {"raw", "${app.name}"}, {"empty", ""}};
    for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
        if (strlen(pairs[i][0]) == n && strncmp(pairs[i][0], key, n) == 0)
            return pairs[i][1];
    return NULL;
}

static void test_expand(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"${app.name}", "demo"},
        {"a${app.name}b${app.name}", "ademobdemo"},
        {"${VAR} $VAR $$ $", "${VAR} $VAR $$ $"},
        {"${VAR:-${app.name}}", "${VAR:-demo}"},
        {"${raw}", "${app.name}"}, /* one pass */
        {"[${empty}]", "[]"},
        {"${}", "${}"},
        {"${app.name", "${app.name"},
        {"$${app.name}", "$demo"},
        {"${ app.name}", "${ app.name}"},
        {"${app.name}}", "demo}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = template_expand(cases[i][0], lookup, NULL);
        assert_string_equal(got, cases[i][1]);
    }
}

static void test_trim(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""}, {" \n\t ", ""}, {"\n a b \r\n", "a b"}, {"x", "x"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = template_trim(cases[i][0]);
        assert_string_equal(got, cases[i][1]);
    }
}

/* /etc/passwd */

static void test_users(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after; /* NULL: nothing to do */
    } cases[] = {
        {"", "action:*\n"},
        {"root:x\n", "root:x\naction:*\n"},
        {"root:x", "root:x\naction:*\n"},
        {"\n\nroot:x\n", "\n\nroot:x\naction:*\n"},
        {"actionx:x\nxaction:y\naction\n", "actionx:x\nxaction:y\naction\naction:*\n"},
        {"action:x\n", NULL},
        {"root:x\naction:x", NULL},
        {"\naction:x\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = users_add(cases[i].before, "action", "action:*");
        assert_int_equal(!got, !cases[i].after);
        if (got)
            assert_string_equal(got, cases[i].after);
    }
}

/* The specification */

#define WRAP(tasks)                                                                                          \
    "{\"app\":{\"meta\":{\"name\":\"demo\",\"version\":18446744073709551615},"                               \
    "\"spec\":{\"resources\":{},\"tasks\":" tasks "},\"deploy\":{\"revision\":7,\"replicas\":["              \
    "{\"host_id\":\"other\",\"id\":1},{\"host_id\":\"0123456789ab\",\"id\":1}]}}}"

static const struct identity identity = {.host_id = "0123456789ab", .replica_id = 1};

static int parse(const char *text, struct spec *ret, struct error *e)
{
    return spec_parse(text, strlen(text), &identity, ret, e);
}

static void test_spec(void **state)
{
    (void)state;
    struct spec spec;
    struct error e = ERROR_INIT;
    assert_int_equal(
        parse(WRAP("[{\"name\":\"a\",\"on_startup\":true,\"interval_seconds\":5,\"script\":\" echo "
                   "${app.name} \\n\",\"depends_on\":[\"b\",\"c\"],\"max_attempts\":3,"
                   "\"retry_backoff_seconds\":4,\"working_dir\":\"/x\",\"run_user\":\"root\"},"
                   "{\"name\":\"b\",\"on_startup\":true,\"on_shutdown\":true},"
                   "{\"name\":\"c\",\"cron\":\"* * * * *\"},{\"name\":\"d\"},"
                   "{\"name\":\"e\",\"interval_seconds\":60,\"cron\":\"* * * * *\"}]"),
              &spec, &e),
        0);
    assert_string_equal(spec.instance, "demo");
    assert_true(spec.revision > 6.5 && spec.revision < 7.5);
    assert_int_equal(spec.n_tasks, 5);
    assert_string_equal(spec.tasks[0].script, "echo demo");
    assert_string_equal(spec.tasks[0].depends_on[1], "c");
    assert_null(spec.tasks[0].depends_on[2]);
    assert_int_equal(spec.tasks[0].max_attempts, 3);
    assert_int_equal(spec.tasks[0].retry_backoff_seconds, 4);
    assert_string_equal(spec.tasks[0].run_user, "root");
    assert_string_equal(spec.tasks[1].working_dir, "");
    static const enum task_trigger triggers[] = {TRIGGER_ON_STARTUP, TRIGGER_ON_SHUTDOWN, TRIGGER_CRON,
                                                 TRIGGER_NONE, TRIGGER_INTERVAL};
    for (size_t i = 0; i < spec.n_tasks; i++)
        assert_int_equal(spec.tasks[i].trigger, triggers[i]);
    spec_clear(&spec);
}

static void test_spec_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "spec file empty"},
        {" \n", "spec file empty"},
        {"{", "spec decode failed: line 1, column 1"},
        {"[]", "spec decode failed: /app is missing"},
        {"{\"app\":1}", "spec decode failed: /app is not an object"},
        {"{\"app\":{\"spec\":{},\"deploy\":{}}}", "spec decode failed: /app/spec/resources is missing"},
        {"{\"app\":{\"spec\":{\"resources\":{}}}}", "spec decode failed: /app/deploy is missing"},
        {"{\"app\":{\"spec\":{\"resources\":{}},\"deploy\":{}}}", "replica not found"},
        {WRAP("{}"), "spec decode failed: /app/spec/tasks is not an array"},
        {WRAP("[1]"), "spec decode failed: /app/spec/tasks/0 is not an object"},
        {WRAP("[{\"script\":1}]"), "spec decode failed: /app/spec/tasks/0/script is not a string"},
        {WRAP("[{\"on_startup\":1}]"), "spec decode failed: /app/spec/tasks/0/on_startup is neither"},
        {WRAP("[{\"max_attempts\":\"3\"}]"),
         "spec decode failed: /app/spec/tasks/0/max_attempts is not a number"},
        {WRAP("[{\"max_attempts\":-1}]"),
         "spec decode failed: /app/spec/tasks/0/max_attempts is out of range"},
        {WRAP("[{\"depends_on\":\"a\"}]"),
         "spec decode failed: /app/spec/tasks/0/depends_on is not an array"},
        {WRAP("[{\"depends_on\":[1]}]"),
         "spec decode failed: /app/spec/tasks/0/depends_on/0 is not a string"},
        {WRAP("[{\"name\":\"a\"},{\"name\":\"a\"}]"),
         "spec decode failed: /app/spec/tasks/1: a second task named 'a'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct spec spec;
        struct error e = ERROR_INIT;
        assert_true(parse(cases[i][0], &spec, &e) < 0);
        if (!after_prefix(e.message, cases[i][1]))
            fail_msg("'%s' does not begin with '%s'", e.message, cases[i][1]);
    }
}

static void test_variables(void **state)
{
    (void)state;
    static const char text[] =
        "{\"zone_base_domain\":\"zone.example\",\"app\":{\"meta\":{\"name\":\"demo\"},"
        "\"spec\":{\"packages\":[{\"name\":\"my-app\"}],\"service_ports\":[{\"name\":\"raw-1\",\"port\":1},"
        "{\"name\":\"http\",\"port\":2}]},"
        "\"deploy\":{\"replica_cap\":3,\"configs\":[{\"name\":\"cfg/my-name\",\"value\":\"v\",\"items\":"
        "[{\"name\":\"the-item\",\"value\":\"w\"}]},{\"name\":\"none\"}],"
        "\"depends\":[{\"spec_name\":\"my-db\",\"instance_name\":\"db1\",\"configs\":[{\"name\":\"p\","
        "\"value\":\"q\"}],"
        "\"replicas\":[{\"vpc_ipv4\":\"10.0.0.1\",\"service_ports\":[{\"name\":\"sql\",\"port\":5}]},"
        "{\"vpc_ipv4\":\"10.0.0.2\",\"service_ports\":[{\"name\":\"sql\",\"port\":5}]}]}]}}}";
    json_t *root = json_loads(text, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *replica =
        json_loads("{\"id\":2,\"host_ipv4\":\"10.9.9.9\",\"service_ports\":[{\"name\":\"http\",\"port\":80,"
                   "\"host_port\":20080}]}",
                   JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(root);
    assert_non_null(replica);
    json_t *variables = variables_make(root, replica);
    static const char *const cases[][2] = {
        {"app.name", "demo"},
        {"app.replica.rep_id", "2"},
        {"app.deploy.replica_cap", "3"},
        {"self.cfg.cfg.my_name", "v"},
        {"self.cfg.cfg.my_name.the_item", "w"},
        {"self.cfg.none", ""},
        {"self.cfg.cfg/my-name", NULL},
        {"self.net.http.internal_addr", "10.9.9.9:20080"},
        {"self.net.http.internal_host", "10.9.9.9"},
        {"self.net.http.internal_port", "20080"},
        {"self.net.http.service_addr", "demo.zone.example:80"},
        {"self.net.raw-1.internal_addr", "127.0.0.1:1"},
        {"deps.my-db.cfg.p", "q"},
        {"deps.my-db.net.sql.internal_addr", "10.0.0.2:5"},
        {"deps.my-db.net.sql.service_host", "db1.zone.example"},
        {"ipk.my_app.path", "/usr/innerstack/my-app"},
        {"app", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *got = variables_lookup(variables, cases[i][0], strlen(cases[i][0]));
        if (!streq_null(got, cases[i][1]))
            fail_msg("%s is '%s'", cases[i][0], got ?: "(none)");
    }
    json_decref(variables);
    json_decref(replica);
    json_decref(root);
}

/* The plan */

/* 'depends' is a list of names with spaces, or NULL. */
static struct task_definition startup(const char *name, const char *depends)
{
    struct task_definition definition = {.trigger = TRIGGER_ON_STARTUP};
    definition.name = xstrdup(name);
    definition.script = xstrdup("true");
    definition.working_dir = xstrdup("");
    definition.run_user = xstrdup("");
    definition.depends_on = xcalloc(8, sizeof(char *));
    _cleanup_free_ char *copy = xstrdup(depends ?: "");
    char *save = NULL;
    size_t n = 0;
    for (char *one = strtok_r(copy, " ", &save); one; one = strtok_r(NULL, " ", &save))
        definition.depends_on[n++] = xstrdup(one);
    return definition;
}

static struct task *expect_next(struct plan *plan, const char *name, uint64_t now)
{
    struct task *task = plan_next(plan, now);
    assert_string_equal(task ? task->definition.name : "(none)", name);
    return task;
}

static void test_plan_order(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct task_definition definitions[] = {startup("c", "a b"), startup("a", NULL), startup("b", "a"),
                                            startup("d", NULL)};
    plan_update(&plan, definitions, ARRAY_SIZE(definitions));
    struct task *a = expect_next(&plan, "a", 0);
    plan_began(a, 10, 0);
    struct task *d = expect_next(&plan, "d", 0);
    plan_began(d, 11, 0);
    assert_null(plan_next(&plan, 0));
    assert_ptr_equal(plan_find_pid(&plan, 10), a);
    assert_null(plan_find_pid(&plan, 12));
    assert_string_equal(plan_waits_for(&plan, plan.tasks[0])->definition.name, "a");
    assert_int_equal(plan_ended(&plan, a, 0, 1), VERDICT_DONE);
    struct task *b = expect_next(&plan, "b", 1);
    plan_began(b, 12, 1);
    assert_null(plan_next(&plan, 1));
    assert_int_equal(plan_ended(&plan, b, 0, 2), VERDICT_DONE);
    expect_next(&plan, "c", 2);
    plan_clear(&plan);
}

static void test_plan_dependencies_that_cannot_be(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct task_definition definitions[] = {
        startup("a", "nobody"),  startup("b", "c"),    startup("c", "b"),    startup("d", "a"),
        startup("e", "e"),       startup("f", "bye"),  startup("bye", NULL), startup("ok", NULL),
        startup("late", "tick"), startup("tick", NULL)};
    definitions[6].trigger = TRIGGER_ON_SHUTDOWN;
    definitions[9].trigger = TRIGGER_INTERVAL;
    plan_update(&plan, definitions, ARRAY_SIZE(definitions));
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(plan.tasks[i]->state, TASK_FAILED);
        assert_non_null(plan.tasks[i]->problem);
    }
    assert_non_null(strstr(plan.tasks[0]->problem, "'nobody'"));
    assert_non_null(strstr(plan.tasks[5]->problem, "'bye'"));
    plan_began(expect_next(&plan, "ok", 0), 1, 0);
    assert_null(plan_next(&plan, 0));
    assert_null(plan.tasks[8]->problem);
    assert_true(plan_wakeup(&plan) == UINT64_MAX);

    /* A better specification: what was impossible is tried. */
    struct task_definition better[] = {startup("a", NULL)};
    plan_update(&plan, better, 1);
    expect_next(&plan, "a", 0);
    plan_clear(&plan);
}

static void test_plan_failures(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_attempts, backoff;
        uint64_t now; /* of the first failure; probation ends at 5 s */
        enum task_verdict first, second;
        uint64_t delay; /* to the second run */
    } cases[] = {
        {0, 0, 1 * SECOND, VERDICT_FATAL, VERDICT_FATAL, 0},
        {0, 3, 1 * SECOND, VERDICT_FATAL, VERDICT_FATAL, 0},
        {1, 0, 1 * SECOND, VERDICT_FATAL, VERDICT_FATAL, 0},
        {2, 1, 1 * SECOND, VERDICT_AGAIN, VERDICT_FATAL, 1 * SECOND},
        {2, 9, 1 * SECOND, VERDICT_AGAIN, VERDICT_GIVEN_UP, 9 * SECOND},
        {0, 0, 6 * SECOND, VERDICT_AGAIN, VERDICT_AGAIN, 10 * SECOND},
        {0, 3, 6 * SECOND, VERDICT_AGAIN, VERDICT_AGAIN, 3 * SECOND},
        {1, 3, 6 * SECOND, VERDICT_GIVEN_UP, VERDICT_GIVEN_UP, 0},
        {2, 0, 6 * SECOND, VERDICT_AGAIN, VERDICT_GIVEN_UP, 10 * SECOND},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct plan plan = {.probation_end = 5 * SECOND};
        struct task_definition definition = startup("a", NULL);
        definition.max_attempts = cases[i].max_attempts;
        definition.retry_backoff_seconds = cases[i].backoff;
        plan_update(&plan, &definition, 1);
        struct task *task = expect_next(&plan, "a", 0);
        uint64_t now = cases[i].now;
        plan_began(task, 1, now);
        assert_int_equal(plan_ended(&plan, task, 9, now), cases[i].first);
        if (cases[i].first == VERDICT_AGAIN) {
            assert_true(plan_wakeup(&plan) == now + cases[i].delay);
            assert_null(plan_next(&plan, now + cases[i].delay - 1));
            now += cases[i].delay;
            plan_began(expect_next(&plan, "a", now), 2, now);
            assert_int_equal(plan_ended(&plan, task, 9, now), cases[i].second);
        } else {
            assert_int_equal(task->state, TASK_FAILED);
            assert_true(plan_wakeup(&plan) == UINT64_MAX);
        }
        plan_clear(&plan);
    }
}

static void test_plan_long_runs_are_not_failed_starts(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct task_definition definition = startup("a", NULL);
    definition.max_attempts = 2;
    plan_update(&plan, &definition, 1);
    uint64_t now = 0;
    for (int i = 0; i < 5; i++) {
        struct task *task = plan_next(&plan, now);
        plan_began(task, 1, now);
        now += 3600 * SECOND;
        assert_int_equal(plan_ended(&plan, task, 1, now), VERDICT_AGAIN);
        now = task->due;
    }
    plan_clear(&plan);
}

static void test_plan_keeps_state_by_name(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct task_definition first[] = {startup("done", NULL), startup("runs", NULL), startup("failed", NULL)};
    first[2].max_attempts = 1;
    plan_update(&plan, first, ARRAY_SIZE(first));
    for (int i = 0; i < 3; i++)
        plan_began(plan_next(&plan, 0), 10 + i, 0);
    struct task *runs = plan.tasks[1];
    plan_ended(&plan, plan.tasks[0], 0, 0);
    plan_ended(&plan, plan.tasks[2], 1, 0);

    struct task_definition none[] = {startup("new", "done")};
    plan_update(&plan, none, 1);
    assert_ptr_equal(plan_find_pid(&plan, 11), runs);
    assert_non_null(plan.tasks[0]->problem); /* "done" is no part of this specification */

    struct task_definition same[] = {startup("failed", NULL), startup("done", NULL), startup("runs", NULL)};
    same[0].max_attempts = 1;
    plan_update(&plan, same, ARRAY_SIZE(same));
    assert_null(plan_next(&plan, 0)); /* unchanged: what failed for good stays so */
    struct task_definition changed[] = {startup("failed", NULL), startup("done", NULL)};
    plan_update(&plan, changed, ARRAY_SIZE(changed));
    expect_next(&plan, "failed", 0);
    /* A task that went with its specification is not tried again, and does not end the container. */
    plan.probation_end = UINT64_MAX;
    assert_int_equal(plan_ended(&plan, runs, 1, 0), VERDICT_GIVEN_UP);
    plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_trim),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_spec),
        cmocka_unit_test(test_spec_refused),
        cmocka_unit_test(test_variables),
        cmocka_unit_test(test_plan_order),
        cmocka_unit_test(test_plan_dependencies_that_cannot_be),
        cmocka_unit_test(test_plan_failures),
        cmocka_unit_test(test_plan_long_runs_are_not_failed_starts),
        cmocka_unit_test(test_plan_keeps_state_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
