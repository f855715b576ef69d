/* Tests the parts of inagent that use neither processes nor the container: templates and their keys, the
 * plan of tasks, lines of /etc/passwd, the specification, reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs these headers before it */
#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "inagent/depends.h"
#include "inagent/plan.h"
#include "inagent/report.h"
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

static void test_templates_are_expanded(void **state)
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

static void test_white_space_is_trimmed(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""}, {" \n\t ", ""}, {"\n a b \r\n", "a b"}, {"x", "x"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *got = template_trim(cases[i][0]);
        assert_string_equal(got, cases[i][1]);
    }
}

/* /etc/passwd */

static void test_missing_users_are_added(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after; /* NULL: unchanged */
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

static void test_a_specification_is_parsed(void **state)
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

static void test_invalid_specifications_are_refused(void **state)
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

static void test_variables_have_their_values(void **state)
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
    definition.cron = xstrdup("");
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

static void test_plan_starts_tasks_in_order(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct task_definition definitions[] = {startup("c", "a b"), startup("a", NULL), startup("b", "a"),
                                            startup("d", NULL)};
    plan_update(&plan, definitions, ARRAY_SIZE(definitions), 0);
    struct task *a = expect_next(&plan, "a", 0);
    plan_began(&plan, a, 10, 0);
    struct task *d = expect_next(&plan, "d", 0);
    plan_began(&plan, d, 11, 0);
    assert_null(plan_next(&plan, 0));
    assert_ptr_equal(plan_find_pid(&plan, 10), a);
    assert_null(plan_find_pid(&plan, 12));
    assert_string_equal(depends_waits_for(&plan, plan.tasks[0])->definition.name, "a");
    assert_int_equal(plan_ended(&plan, a, 0, 1), VERDICT_DONE);
    struct task *b = expect_next(&plan, "b", 1);
    plan_began(&plan, b, 12, 1);
    assert_null(plan_next(&plan, 1));
    assert_int_equal(plan_ended(&plan, b, 0, 2), VERDICT_DONE);
    expect_next(&plan, "c", 2);
    plan_clear(&plan);
}

static void test_plan_fails_impossible_dependencies(void **state)
{
    (void)state;
    struct plan plan = {0};
    struct task_definition definitions[] = {
        startup("a", "nobody"),  startup("b", "c"),    startup("c", "b"),    startup("d", "a"),
        startup("e", "e"),       startup("f", "bye"),  startup("bye", NULL), startup("ok", NULL),
        startup("late", "tick"), startup("tick", NULL)};
    definitions[6].trigger = TRIGGER_ON_SHUTDOWN;
    definitions[9].trigger = TRIGGER_INTERVAL;
    plan_update(&plan, definitions, ARRAY_SIZE(definitions), 0);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(plan.tasks[i]->state, TASK_FAILED);
        assert_non_null(plan.tasks[i]->problem);
    }
    assert_non_null(strstr(plan.tasks[0]->problem, "'nobody'"));
    assert_non_null(strstr(plan.tasks[5]->problem, "'bye'"));
    plan_began(&plan, expect_next(&plan, "ok", 0), 1, 0);
    plan_began(&plan, expect_next(&plan, "tick", 0), 2, 0);
    assert_null(plan_next(&plan, 0));
    assert_null(plan.tasks[8]->problem);
    assert_true(plan_wakeup(&plan) == UINT64_MAX);

    /* A corrected specification: tasks that could not run start. */
    struct task_definition better[] = {startup("a", NULL)};
    plan_update(&plan, better, 1, 0);
    expect_next(&plan, "a", 0);
    plan_clear(&plan);
}

static void test_plan_retries_failures_up_to_the_limit(void **state)
{
    (void)state;
    static const struct {
        uint32_t max_attempts, backoff;
        uint64_t now; /* of the first failure; probation ends at 5 s */
        enum task_verdict first, second;
        uint64_t delay; /* until the second run */
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
        plan_update(&plan, &definition, 1, 0);
        struct task *task = expect_next(&plan, "a", 0);
        uint64_t now = cases[i].now;
        plan_began(&plan, task, 1, now);
        assert_int_equal(plan_ended(&plan, task, 9, now), cases[i].first);
        if (cases[i].first == VERDICT_AGAIN) {
            assert_true(plan_wakeup(&plan) == now + cases[i].delay);
            assert_null(plan_next(&plan, now + cases[i].delay - 1));
            now += cases[i].delay;
            plan_began(&plan, expect_next(&plan, "a", now), 2, now);
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
    plan_update(&plan, &definition, 1, 0);
    uint64_t now = 0;
    for (int i = 0; i < 5; i++) {
        struct task *task = plan_next(&plan, now);
        plan_began(&plan, task, 1, now);
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
    plan_update(&plan, first, ARRAY_SIZE(first), 0);
    for (int i = 0; i < 3; i++)
        plan_began(&plan, plan_next(&plan, 0), 10 + i, 0);
    struct task *runs = plan.tasks[1];
    plan_ended(&plan, plan.tasks[0], 0, 0);
    plan_ended(&plan, plan.tasks[2], 1, 0);

    struct task_definition none[] = {startup("new", "done")};
    plan_update(&plan, none, 1, 0);
    assert_ptr_equal(plan_find_pid(&plan, 11), runs);
    assert_non_null(plan.tasks[0]->problem); /* "done" is not part of this specification */

    struct task_definition same[] = {startup("failed", NULL), startup("done", NULL), startup("runs", NULL)};
    same[0].max_attempts = 1;
    plan_update(&plan, same, ARRAY_SIZE(same), 0);
    assert_null(plan_next(&plan, 0)); /* unchanged: a failed task stays failed */
    struct task_definition changed[] = {startup("failed", NULL), startup("done", NULL)};
    plan_update(&plan, changed, ARRAY_SIZE(changed), 0);
    expect_next(&plan, "failed", 0);
    /* A task that was removed from the specification is not retried, and does not end the container. */
    plan.probation_end = UINT64_MAX;
    assert_int_equal(plan_ended(&plan, runs, 1, 0), VERDICT_GIVEN_UP);
    plan_clear(&plan);
}

/* Reports */

static void expect_stage(const struct stages *s, enum stage_name name, enum stage_state state,
                         const char *message, unsigned attempt, int64_t created, int64_t finished)
{
    const struct stage *stage = &s->stages[name];
    assert_int_equal(stage->state, state);
    assert_string_equal(stage->message, message);
    assert_int_equal(stage->attempt, attempt);
    assert_int_equal(stage->created, created);
    assert_int_equal(stage->finished, finished);
}

static void test_stages_follow_the_tasks(void **state)
{
    (void)state;
    struct stages s = STAGES_INIT;
    struct plan plan = {0};
    stages_set_revision(&s, 3, 1000);
    expect_stage(&s, STAGE_BOOT, STAGE_SUCCESS, "", 0, 1000, 1000);
    stages_set_tasks(&s, &plan, 1001);
    expect_stage(&s, STAGE_TASKS, STAGE_SUCCESS, "", 0, 1001, 1001); /* there are no tasks */

    struct task_definition tasks[] = {startup("a", NULL), startup("b", "a"), startup("c", NULL),
                                      startup("end", NULL)};
    tasks[2].max_attempts = 2;
    tasks[3].trigger = TRIGGER_ON_SHUTDOWN;
    plan_update(&plan, tasks, ARRAY_SIZE(tasks), 0);
    struct task *a = plan.tasks[0], *b = plan.tasks[1], *c = plan.tasks[2];
    stages_set_tasks(&s, &plan, 1002);
    expect_stage(&s, STAGE_TASKS, STAGE_RUNNING, "0/3 tasks running", 0, 1001, 0);
    plan_began(&plan, a, 10, 0);
    plan_began(&plan, c, 11, 0);
    stages_set_tasks(&s, &plan, 1003);
    expect_stage(&s, STAGE_TASKS, STAGE_RUNNING, "2/3 tasks running", 0, 1001, 0);
    /* A task with attempts left has not failed. */
    assert_int_equal(plan_ended(&plan, c, 1, 0), VERDICT_AGAIN);
    s.changed = false;
    stages_set_tasks(&s, &plan, 1004);
    expect_stage(&s, STAGE_TASKS, STAGE_RUNNING, "1/3 tasks running", 0, 1001, 0);
    assert_true(s.changed);
    s.changed = false;
    stages_set_tasks(&s, &plan, 1005);
    assert_false(s.changed);
    /* A task that is retried without limit has. */
    assert_int_equal(plan_ended(&plan, a, 1, 0), VERDICT_AGAIN);
    stages_set_tasks(&s, &plan, 1006);
    expect_stage(&s, STAGE_TASKS, STAGE_FAILED, "1/3 tasks failed (first: a)", 0, 1001, 1006);
    plan_began(&plan, c, 12, 0);
    plan_ended(&plan, c, 1, 0);
    stages_set_tasks(&s, &plan, 1007);
    expect_stage(&s, STAGE_TASKS, STAGE_FAILED, "2/3 tasks failed (first: a)", 0, 1001, 1007);
    const int64_t first_began = s.stages[STAGE_TASKS].begun;
    plan_began(&plan, c, 13, 0);
    plan_ended(&plan, c, 0, 0);
    plan_began(&plan, a, 14, 0);
    stages_set_tasks(&s, &plan, 1008);
    expect_stage(&s, STAGE_TASKS, STAGE_RUNNING, "1/3 tasks running", 1, 1001, 0);
    assert_int_equal(s.stages[STAGE_TASKS].begun, 1008);
    assert_true(first_began < 1003); /* while it fails, the attempt is the same */
    plan_ended(&plan, a, 0, 0);
    plan_began(&plan, b, 15, 0);
    plan_ended(&plan, b, 0, 0);
    stages_set_tasks(&s, &plan, 1009);
    expect_stage(&s, STAGE_TASKS, STAGE_SUCCESS, "3/3 tasks done", 1, 1001, 1009);
    assert_int_equal(s.stages[STAGE_TASKS].begun, 1008);

    /* Another revision, also a lower one, starts a new list. */
    stages_set_revision(&s, 2, 2000);
    expect_stage(&s, STAGE_BOOT, STAGE_SUCCESS, "", 0, 2000, 2000);
    assert_int_equal(s.stages[STAGE_TASKS].state, STAGE_NONE);
    stages_set_revision(&s, 2, 3000);
    expect_stage(&s, STAGE_BOOT, STAGE_SUCCESS, "", 0, 2000, 2000);
    stages_set(&s, STAGE_LOAD, STAGE_FAILED, "spec decode failed", 3000);
    stages_set(&s, STAGE_LOAD, STAGE_SUCCESS, "", 3001);
    expect_stage(&s, STAGE_LOAD, STAGE_SUCCESS, "", 1, 3000, 3001);
    plan_clear(&plan);
}

static void test_a_report_omits_zero_members(void **state)
{
    (void)state;
    const struct application nothing = {.ready = false};
    struct stages s = STAGES_INIT;
    stages_set_revision(&s, 7, 1795468000123);
    stages_set(&s, STAGE_LOAD, STAGE_FAILED, "spec file empty", 1795468000124);
    stages_set(&s, STAGE_TASKS, STAGE_RUNNING, "1/1 tasks running", 1795468000125);
    _cleanup_free_ char *text = stages_report(&s, &nothing, json_array(), "web", 2, 1795468000999);
    assert_string_equal(
        text, "{\"instance_name\":\"web\",\"replica_id\":2,\"updated\":1795468000999,\"stages\":["
              "{\"name\":\"inagent_boot\",\"owner\":\"inagent\",\"revision\":7,\"state\":\"success\","
              "\"created\":1795468000123,\"finished\":1795468000123},"
              "{\"name\":\"spec_load\",\"owner\":\"inagent\",\"revision\":7,\"state\":\"failed\","
              "\"message\":\"spec file empty\",\"created\":1795468000124,\"finished\":1795468000124},"
              "{\"name\":\"task_run\",\"owner\":\"inagent\",\"revision\":7,\"state\":\"running\","
              "\"message\":\"1/1 tasks running\",\"created\":1795468000125}]}");
    struct stages none = STAGES_INIT;
    _cleanup_free_ char *empty = stages_report(&none, &nothing, json_array(), "web", 0, 5);
    assert_string_equal(empty, "{\"instance_name\":\"web\",\"updated\":5,\"stages\":[]}");
}

static void test_an_envelope_is_read_without_a_usable_specification(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool known;
        const char *url;
    } table[] = {
        {"", false, NULL},
        {"{", false, NULL},
        {"[]", false, NULL},
        {"{\"app\":{\"meta\":{\"name\":\"\"}}}", false, NULL},
        {"{\"app\":{\"meta\":{\"name\":\"web\"}}}", true, ""},
        {"{\"app\":{\"meta\":{\"name\":\"web\"},\"deploy\":{\"revision\":4}},\"hostlet_endpoint\":{\"url\":"
         "\"http://x\","
         "\"secret_key\":\"s\"}}",
         true, "http://x"},
        {"{\"app\":{\"meta\":{\"name\":\"web\"}},\"hostlet_endpoint\":7}", true, ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct envelope envelope;
        spec_envelope(table[i].text, strlen(table[i].text), &envelope);
        assert_int_equal(envelope.known, table[i].known);
        if (envelope.known)
            assert_string_equal(envelope.url, table[i].url);
        envelope_clear(&envelope);
    }
}

/* A server that accepts one connection, waits for the end of the request and sends a response. */
struct answering {
    int listener;
    char url[64], request[1024];
};

static void listen_somewhere(struct answering *a)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    a->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(a->listener >= 0 && bind(a->listener, (struct sockaddr *)&at, size) == 0 &&
                listen(a->listener, 4) == 0);
    assert_int_equal(getsockname(a->listener, (struct sockaddr *)&at, &size), 0);
    snprintf(a->url, sizeof a->url, "http://127.0.0.1:%u/status", ntohs(at.sin_port));
}

static enum post_result post_to(struct answering *a, const char *answer, struct error *e)
{
    struct post post = POST_INIT;
    enum post_result result;
    assert_int_equal(post_begin(&post, a->url, "secret", "{\"a\":1}", 0, e), 0);
    assert_int_equal(post_step(&post, 0, e), POST_WAITING);
    int fd = accept(a->listener, NULL, NULL);
    assert_true(fd >= 0);
    size_t n = 0;
    while (!strstr(a->request, "{\"a\":1}")) {
        ssize_t got;
        (void)post_step(&post, 0, e);
        got = recv(fd, a->request + n, sizeof a->request - 1 - n, 0);
        assert_true(got > 0);
        n += (size_t)got;
        a->request[n] = '\0';
    }
    assert_int_equal(post_step(&post, 0, e), POST_WAITING);
    assert_int_equal(post_events(&post), POLLIN);
    if (!answer) {
        assert_int_equal(post_step(&post, POST_TIMEOUT_USEC - 1, e), POST_WAITING);
        result = post_step(&post, POST_TIMEOUT_USEC, e);
    } else {
        assert_int_equal(send(fd, answer, strlen(answer), 0), (ssize_t)strlen(answer));
        shutdown(fd, SHUT_WR);
        do {
            struct pollfd wait = {.fd = post.fd, .events = post_events(&post)};
            poll(&wait, 1, 1000);
            result = post_step(&post, 1, e);
        } while (result == POST_WAITING);
    }
    assert_int_equal(post.fd, -1);
    close(fd);
    return result;
}

static void test_post_reads_the_status(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        enum post_result expected;
        const char *message;
    } table[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"ok\":\"true\"}", POST_DONE, NULL},
        {"HTTP/1.0 200 OK\r\n\r\n", POST_DONE, NULL},
        {"HTTP/1.1 401 Unauthorized\r\n\r\n", POST_FAILED, "the response is 401"},
        {"HTTP/1.1 2000\r\n\r\n", POST_DONE, NULL}, /* only three digits are read */
        {"SSH-2.0-OpenSSH_9\r\n", POST_FAILED, "the response is not HTTP"},
        {"HTTP/1.1 abc\r\n", POST_FAILED, "the response is not HTTP"},
        {"HTTP/1.1", POST_FAILED, "the connection ended without a response"},
        {"", POST_FAILED, "the connection ended without a response"},
        {NULL, POST_FAILED, "no response within 3 s"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct answering a = {.listener = -1};
        struct error e = ERROR_INIT;
        listen_somewhere(&a);
        assert_int_equal(post_to(&a, table[i].answer, &e), table[i].expected);
        if (table[i].message)
            assert_string_equal(e.message, table[i].message);
        assert_true(after_prefix(a.request, "POST /status HTTP/1.0\r\nHost: 127.0.0.1:"));
        assert_non_null(strstr(a.request, "\r\nX-Secret-Key: secret\r\n"));
        assert_non_null(strstr(a.request, "\r\nContent-Length: 7\r\n"));
        close(a.listener);
    }
}

static void test_post_reaches_a_unix_socket(void **state)
{
    (void)state;
    char path[] = "/tmp/hostlet-unit-XXXXXX";
    int file = mkstemp(path);
    struct answering a = {.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct error e = ERROR_INIT;
    assert_true(file >= 0 && unlink(path) == 0);
    close(file);
    strcpy(at.sun_path, path);
    assert_true(bind(a.listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(a.listener, 0) == 0);
    snprintf(a.url, sizeof a.url, "unix:%s", path);
    assert_int_equal(post_to(&a, "HTTP/1.1 200 OK\r\n\r\n", &e), POST_DONE);
    assert_true(
        after_prefix(a.request, "POST /in/api/v2/hostlet/inagent/status HTTP/1.0\r\nHost: localhost\r\n"));
    /* A full backlog fails after a moment. */
    int waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(waiting, (struct sockaddr *)&at, sizeof at), 0);
    struct post post = POST_INIT;
    assert_true(post_begin(&post, a.url, "secret", "{}", 0, &e) < 0);
    assert_non_null(strstr(e.message, path));
    close(waiting);
    close(a.listener);
    e = (struct error)ERROR_INIT;
    assert_true(post_begin(&post, a.url, "secret", "{}", 0, &e) < 0);
    assert_non_null(strstr(e.message, "Connection refused"));
    assert_int_equal(post.fd, -1);
    unlink(path);
}

static void test_post_without_a_server_fails(void **state)
{
    (void)state;
    struct answering a = {.listener = -1};
    struct post post = POST_INIT;
    struct error e = ERROR_INIT;
    listen_somewhere(&a);
    close(a.listener);
    int r = post_begin(&post, a.url, "secret", "{}", 0, &e);
    assert_true(r < 0 || post_step(&post, 0, &e) == POST_FAILED);
    assert_non_null(strstr(e.message, "Connection refused"));
    assert_int_equal(post.fd, -1);
}

/* One byte longer than the address of a socket can be. */
#define LONG_PATH                                                                                            \
    "unix:/01234567890123456789012345678901234567890123456789012345678"                                      \
    "901234567890123456789012345678901234567890123456"

static void test_post_refuses_an_invalid_url(void **state)
{
    (void)state;
    static const char *const urls[] = {"",
                                       "http://",
                                       "https://10.0.0.1/",
                                       "http://host/",
                                       "http://10.0.0.1:0/",
                                       "http://10.0.0.1:70000/",
                                       "http://10.0.0.1:/x",
                                       "http://10.0.0.1/a b",
                                       "http://10.0.0.1/\r\nX: y",
                                       "10.0.0.1:80",
                                       "http://[::1]/",
                                       "unix:",
                                       "unix:run/x",
                                       LONG_PATH};
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
        struct post post = POST_INIT;
        struct error e = ERROR_INIT;
        if (post_begin(&post, urls[i], "s", "{}", 0, &e) != -EINVAL)
            fail_msg("%s", urls[i]);
    }
    struct post post = POST_INIT;
    struct error e = ERROR_INIT;
    assert_int_equal(post_begin(&post, "http://127.0.0.1:9/", "a\r\nX: y", "{}", 0, &e), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates_are_expanded),
        cmocka_unit_test(test_white_space_is_trimmed),
        cmocka_unit_test(test_missing_users_are_added),
        cmocka_unit_test(test_a_specification_is_parsed),
        cmocka_unit_test(test_invalid_specifications_are_refused),
        cmocka_unit_test(test_variables_have_their_values),
        cmocka_unit_test(test_plan_starts_tasks_in_order),
        cmocka_unit_test(test_plan_fails_impossible_dependencies),
        cmocka_unit_test(test_plan_retries_failures_up_to_the_limit),
        cmocka_unit_test(test_plan_long_runs_are_not_failed_starts),
        cmocka_unit_test(test_plan_keeps_state_by_name),
        cmocka_unit_test(test_stages_follow_the_tasks),
        cmocka_unit_test(test_a_report_omits_zero_members),
        cmocka_unit_test(test_an_envelope_is_read_without_a_usable_specification),
        cmocka_unit_test(test_post_reads_the_status),
        cmocka_unit_test(test_post_reaches_a_unix_socket),
        cmocka_unit_test(test_post_without_a_server_fails),
        cmocka_unit_test(test_post_refuses_an_invalid_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
