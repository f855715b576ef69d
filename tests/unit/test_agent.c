/* Tests what an agent's report can store with its replica: tasks, ready, status. */
#include "engine_world.h"

#include "lib/api/reconciler.h"
#include "lib/schema/object.h"
#include "lib/schema/parse.h"
#include "reconciler/face/agent_tasks.h"
#include "reconciler/model/agent.h"

#define BOOT                                                                                                 \
    "\"stages\":[{\"name\":\"inagent_boot\",\"owner\":\"inagent\",\"revision\":1,\"state\":\"success\"}]"

/* Gives the desired revision the tasks 'build' and 'serve'. */
static void add_tasks(struct fixture *f)
{
    static const char *const names[] = {"build", "serve"};
    struct app_spec *spec = f->instance->record->revisions[0]->manifest->app->spec;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct app_task *task = schema_append(&spec->tasks, &spec->n_tasks, sizeof *task);
        task->name = xstrdup(names[i]);
    }
}

/* 'members' are those of the report beside the instance's name. Returns NULL if nothing is accepted. */
static struct record_agent *accepted(struct fixture *f, const char *members, size_t room)
{
    const struct schema_struct *schema = varlink_find_method(&reconciler_interface, "AgentReport")->in;
    struct reconciler_report_in in = {.secret = NULL};
    struct error e = ERROR_INIT;
    char *text = xasprintf("{\"instance_name\":\"web\",\"secret\":\"s\",%s}", members);
    if (schema_parse_text(schema, text, strlen(text), SCHEMA_STRICT, "the report", &in, &e) < 0)
        fail_msg("%s", e.message);
    struct record_agent *agent = agent_accept(f->replica, &in, &room);
    schema_done(schema, &in);
    free(text);
    return agent;
}

static bool report(struct fixture *f, const char *members)
{
    struct record_agent *agent = accepted(f, members, 4096);
    if (agent)
        agent_set(f->replica, agent);
    return agent;
}

static void a_report_is_accepted_with_the_revisions_tasks(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    struct record_agent *agent = accepted(
        f,
        BOOT ",\"ready\":true,\"status\":\"warm\",\"tasks\":["
             "{\"name\":\"serve\",\"trigger\":\"cron\",\"state\":\"failed\",\"started\":5,\"finished\":6,"
             "\"exit_code\":137,\"next\":7,\"runs\":2,\"message\":\"killed\",\"request\":\"0a-b\","
             "\"request_state\":\"failed\",\"request_exit_code\":137,\"request_message\":\"why\"},"
             "{\"name\":\"build\",\"trigger\":\"moon\",\"state\":\"pending\",\"request\":\"A b\","
             "\"request_state\":\"failed\"}]",
        4096);
    assert_true(agent->ready);
    assert_string_equal(agent->status, "warm");
    assert_int_equal(agent->revision, 1);
    assert_int_equal(agent->n_tasks, 2);
    const struct app_task_status *serve = agent->tasks[0], *build = agent->tasks[1];
    assert_string_equal(serve->name, "serve");
    assert_string_equal(serve->trigger, "cron");
    assert_string_equal(serve->message, "killed");
    assert_string_equal(serve->request, "0a-b");
    assert_string_equal(serve->request_state, "failed");
    assert_string_equal(serve->request_message, "why");
    assert_int_equal(serve->request_exit_code, 137);
    assert_int_equal(serve->exit_code + serve->started + serve->finished + serve->next + serve->runs, 157);
    assert_null(build->trigger);
    assert_null(build->request);
    schema_free(&record_agent_schema, agent);
}

static void tasks_that_are_not_the_revisions_or_not_valid_are_dropped(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "\"name\":\"other\",\"state\":\"running\"",
        "\"state\":\"running\"",
        "\"name\":\"build\"",
        "\"name\":\"build\",\"state\":\"odd\"",
        "\"name\":\"build\",\"state\":\"running\",\"started\":-1",
        "\"name\":\"build\",\"state\":\"running\",\"exit_code\":256",
        "\"name\":\"build\",\"state\":\"running\",\"runs\":-9",
    };
    deploy(f);
    add_tasks(f);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *text = xasprintf(BOOT ",\"tasks\":[{%s},{\"name\":\"serve\",\"state\":\"running\"},"
                                    "{\"name\":\"serve\",\"state\":\"failed\"}]",
                               bad[i]);
        struct record_agent *agent = accepted(f, text, 4096);
        if (agent->n_tasks != 1 || strcmp(agent->tasks[0]->state, "running") != 0)
            fail_msg("%s", bad[i]);
        schema_free(&record_agent_schema, agent);
        free(text);
    }
}

static void a_report_of_no_revision_of_the_replica_is_dropped(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    assert_null(accepted(f, "\"ready\":true", 4096));
    assert_null(accepted(
        f, "\"ready\":true,\"stages\":[{\"name\":\"x\",\"owner\":\"inagent\",\"revision\":2}]", 4096));
    assert_null(
        accepted(f, "\"ready\":true,\"stages\":[{\"name\":\"x\",\"owner\":\"me\",\"revision\":1}]", 4096));
    assert_null(f->replica->record->agent);
}

static void texts_take_no_more_than_their_room(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    struct record_agent *agent = accepted(
        f,
        BOOT
        ",\"status\":\"a\\u00e4\",\"tasks\":[{\"name\":\"serve\",\"state\":\"failed\",\"message\":\"abc\"}]",
        2);
    assert_string_equal(agent->status, "a"); /* not half of a character */
    assert_null(agent->tasks[0]->message);
    schema_free(&record_agent_schema, agent);
}

static void an_equal_report_writes_nothing(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    for (int i = 0; i < 2; i++) {
        char *text = xasprintf(BOOT ",\"status\":\"%d\"", i);
        assert_true(report(f, text));
        unsigned saves = f->world.saves;
        simulated_clock_advance(&f->world.clock, 60 * USEC_PER_SEC);
        assert_int_equal(f->world.saves, saves + 1);
        assert_true(report(f, text));
        simulated_clock_advance(&f->world.clock, 60 * USEC_PER_SEC);
        assert_int_equal(f->world.saves, saves + 1);
        free(text);
    }
    restart_reconciler(f);
    assert_string_equal(f->replica->record->agent->status, "1");
}

/* A watcher that is sent all of it, each time, would be cut off. */
static void watchers_are_sent_reports_twice_a_second_at_most(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    simulated_clock_advance(&f->world.clock, 60 * USEC_PER_SEC);
    unsigned before = f->world.notices;
    assert_true(report(f, BOOT ",\"status\":\"first\""));
    simulated_clock_advance(&f->world.clock, USEC_PER_MSEC);
    assert_int_equal(f->world.notices, before + 1); /* it waits for nothing */
    for (int i = 0; i < 1000; i++) {
        char *text = xasprintf(BOOT ",\"status\":\"%d\",\"ready_until\":%d", i, i + 1);
        assert_true(report(f, text));
        free(text);
        simulated_clock_advance(&f->world.clock, 10 * USEC_PER_MSEC);
    }
    assert_in_range(f->world.notices - before, 15, 22);
    before = f->world.notices;
    assert_true(report(f, BOOT ",\"status\":\"last\""));
    simulated_clock_advance(&f->world.clock, USEC_PER_SEC);
    assert_in_range(f->world.notices - before, 1, 2);
}

static const char *const all =
    BOOT ",\"ready\":true,\"status\":\"warm\",\"tasks\":[{\"name\":\"serve\",\"state\":\"running\"}]";

static void an_exit_ends_ready_and_status_and_a_new_container_everything(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    simulated_clock_advance(&f->world.clock, 600 * USEC_PER_SEC);
    assert_true(report(f, all));
    const struct record_replica *r = f->replica->record;
    assert_true(r->agent->ready);
    crash(f);
    assert_false(r->agent->ready);
    assert_null(r->agent->status);
    assert_int_equal(r->agent->n_tasks, 1);
    simulated_clock_advance(&f->world.clock, 600 * USEC_PER_SEC);
    run_until_settled(f);
    assert_true(report(f, all));
    changed_by_hand(f); /* an event of the same run changes nothing */
    run_until_settled(f);
    assert_true(r->agent->ready);
    update(f, 3);
    assert_null(f->replica->record->agent);
}

static void a_restart_that_the_reconciler_missed_ends_ready(void **state)
{
    struct fixture *f = *state;
    deploy(f);
    add_tasks(f);
    assert_true(report(f, all));
    simulated_clock_advance(&f->world.clock, 60 * USEC_PER_SEC); /* it is saved */
    restart_reconciler(f);
    run_until_settled(f);
    assert_true(f->replica->record->agent->ready);
    f->world.slots[0].started_at += 120000;
    restart_reconciler(f);
    run_until_settled(f);
    assert_false(f->replica->record->agent->ready);
    assert_int_equal(f->replica->record->agent->n_tasks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_report_is_accepted_with_the_revisions_tasks, engine_begin,
                                        engine_end),
        cmocka_unit_test_setup_teardown(tasks_that_are_not_the_revisions_or_not_valid_are_dropped,
                                        engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(a_report_of_no_revision_of_the_replica_is_dropped, engine_begin,
                                        engine_end),
        cmocka_unit_test_setup_teardown(texts_take_no_more_than_their_room, engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(an_equal_report_writes_nothing, engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(watchers_are_sent_reports_twice_a_second_at_most, engine_begin,
                                        engine_end),
        cmocka_unit_test_setup_teardown(an_exit_ends_ready_and_status_and_a_new_container_everything,
                                        engine_begin, engine_end),
        cmocka_unit_test_setup_teardown(a_restart_that_the_reconciler_missed_ends_ready, engine_begin,
                                        engine_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
