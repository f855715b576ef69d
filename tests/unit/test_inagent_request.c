/* Tests inagent's requests to run a task, the kept state of tasks, and what is reported of them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>

#include "inagent/plan.h"
#include "inagent/request.h"
#include "inagent/task_report.h"
#include "inagent/task_state.h"
#include "lib/basic/cleanup.h"

static struct task_definition definition(const char *name, enum task_trigger trigger)
{
    return (struct task_definition){.name = xstrdup(name),
                                    .script = xstrdup("true"),
                                    .working_dir = xstrdup(""),
                                    .run_user = xstrdup(""),
                                    .cron = xstrdup(""),
                                    .depends_on = xcalloc(1, sizeof(char *)),
                                    .trigger = trigger};
}

static struct plan make_plan(void)
{
    struct plan plan = {.n_tasks = 0};
    struct task_definition definitions[] = {definition("app", TRIGGER_ON_STARTUP),
                                            definition("backup", TRIGGER_NONE)};
    plan_update(&plan, definitions, ARRAY_SIZE(definitions), 0);
    return plan;
}

static int ask(struct request_file *file, const char *text)
{
    struct error e = ERROR_INIT;
    return request_read(file, text, strlen(text), &e);
}

static void requests_are_read_once(void **state)
{
    (void)state;
    struct request_file file = {.task = NULL};
    static const char *const bad[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"format\":1,\"id\":\"a\"}",
                                      "{\"format\":2,\"id\":\"a\",\"task\":\"x\"}",
                                      "{\"format\":1,\"id\":\"A\",\"task\":\"x\"}",
                                      "{\"format\":1,\"id\":\"\",\"task\":\"x\"}",
                                      "{\"format\":1,\"id\":1,\"task\":\"x\"}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(ask(&file, bad[i]), -EINVAL);
    assert_int_equal(ask(&file, "{\"format\":1,\"id\":\"a-1\",\"task\":\"x\"}"), 1);
    assert_int_equal(ask(&file, "{\"format\":1,\"id\":\"a-1\",\"task\":\"y\"}"), 0);
    assert_string_equal(file.task, "x");
    request_file_clear(&file);
}

static void a_request_runs_a_task_beside_its_trigger(void **state)
{
    (void)state;
    struct plan plan = make_plan();
    struct request_file file = {.task = NULL};
    struct task *app = plan_next(&plan, 1);
    plan_began(&plan, app, 10, 1);
    plan_ended(&plan, app, 0, 2);
    assert_null(plan_next(&plan, 3));
    assert_int_equal(ask(&file, "{\"format\":1,\"id\":\"a\",\"task\":\"app\"}"), 1);
    assert_ptr_equal(request_decide(&file, &plan, false), app);
    assert_int_equal(app->request.state, REQUEST_WAITING);
    assert_ptr_equal(plan_next(&plan, 3), app);
    plan_began(&plan, app, 11, 3);
    request_began(app);
    assert_int_equal(app->request.state, REQUEST_RUNNING);
    /* Meanwhile another request is refused, and the end of the run is reported nevertheless. */
    assert_int_equal(ask(&file, "{\"format\":1,\"id\":\"b\",\"task\":\"app\"}"), 1);
    assert_ptr_equal(request_decide(&file, &plan, false), app);
    assert_int_equal(app->request.state, REQUEST_REFUSED);
    assert_string_equal(app->request.id, "b");
    assert_int_equal(plan_ended(&plan, app, 3, 4), VERDICT_GIVEN_UP);
    request_ended(app);
    assert_int_equal(app->request.state, REQUEST_FAILED);
    assert_string_equal(app->request.id, "a");
    assert_int_equal(app->request.exit_code, 3);
    /* The failure changes nothing of the application's own state. */
    assert_int_equal(app->state, TASK_SUCCEEDED);
    assert_null(plan_next(&plan, UINT64_MAX - 1));
    request_file_clear(&file);
    plan_clear(&plan);
}

static void requests_are_refused(void **state)
{
    (void)state;
    struct plan plan = make_plan();
    struct request_file file = {.task = NULL};
    struct task *app = plan_next(&plan, 1);
    plan_began(&plan, app, 10, 1);
    ask(&file, "{\"format\":1,\"id\":\"a\",\"task\":\"app\"}");
    assert_ptr_equal(request_decide(&file, &plan, false), app);
    assert_int_equal(app->request.state, REQUEST_REFUSED);
    assert_string_equal(request_message(app), "it is running already");
    ask(&file, "{\"format\":1,\"id\":\"b\",\"task\":\"backup\"}");
    struct task *backup = request_decide(&file, &plan, true);
    assert_string_equal(request_message(backup), "the container is being stopped");
    /* The reason why a task can never run is not cut. */
    char why[200];
    (void)snprintf(why, sizeof why, "%0199d", 0);
    set_string(&backup->problem, why);
    ask(&file, "{\"format\":1,\"id\":\"d\",\"task\":\"backup\"}");
    assert_ptr_equal(request_decide(&file, &plan, false), backup);
    assert_int_equal(backup->request.state, REQUEST_REFUSED);
    assert_string_equal(request_message(backup), why);
    ask(&file, "{\"format\":1,\"id\":\"c\",\"task\":\"none\"}");
    assert_null(request_decide(&file, &plan, false));
    json_t *report = task_report(&plan, &file, 4096);
    assert_int_equal(json_array_size(report), 3);
    json_t *unknown = json_array_get(report, 0);
    assert_string_equal(json_string_value(json_object_get(unknown, "name")), "none");
    assert_string_equal(json_string_value(json_object_get(unknown, "request")), "c");
    assert_string_equal(json_string_value(json_object_get(unknown, "request_state")), "refused");
    json_decref(report);
    request_file_clear(&file);
    plan_clear(&plan);
}

static void what_is_kept_is_read_back(void **state)
{
    (void)state;
    struct task task = {.started = 5, .finished = 7, .exit_code = 3, .runs = 9}, other = {.runs = 0};
    task.request = (struct request){.id = "id-1", .state = REQUEST_REFUSED, .message = "why"};
    _cleanup_free_ char *text = task_state_format(&task);
    struct error e = ERROR_INIT;
    assert_int_equal(task_state_parse(text, strlen(text), &other, &e), 0);
    assert_int_equal(other.started, 5);
    assert_int_equal(other.finished, 7);
    assert_int_equal(other.exit_code, 3);
    assert_int_equal(other.runs, 9);
    assert_string_equal(other.request.id, "id-1");
    assert_int_equal(other.request.state, REQUEST_REFUSED);
    assert_string_equal(other.request.message, "why");
    task.request.state = REQUEST_RUNNING;
    _cleanup_free_ char *running = task_state_format(&task);
    assert_int_equal(task_state_parse(running, strlen(running), &other, &e), 0);
    assert_int_equal(other.request.state, REQUEST_INTERRUPTED);
}

static void a_message_that_was_cut_within_a_character_is_written(void **state)
{
    (void)state;
    struct task task = {.request = {.id = "a", .state = REQUEST_REFUSED, .message = "\xc3"}};
    _cleanup_free_ char *text = task_state_format(&task);
    struct error e = ERROR_INIT;
    assert_int_equal(task_state_parse(text, strlen(text), &task, &e), 0);
}

static void what_is_no_state_leaves_the_task_as_it_was(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{\"format\":1}",
        "{\"format\":2,\"started\":1,\"finished\":1,\"exit_code\":0,\"runs\":1}",
        "{\"format\":1,\"started\":-1,\"finished\":1,\"exit_code\":0,\"runs\":1}",
        "{\"format\":1,\"started\":1,\"finished\":1,\"exit_code\":256,\"runs\":1}",
        "{\"format\":1,\"started\":1,\"finished\":1e3,\"exit_code\":0,\"runs\":1}",
        "{\"format\":1,\"started\":1,\"finished\":1,\"exit_code\":0,\"runs\":9007199254740993}",
        "{\"format\":1,\"started\":1,\"finished\":1,\"exit_code\":0,\"runs\":1,\"request\":{}}",
        "{\"format\":1,\"started\":1,\"finished\":1,\"exit_code\":0,\"runs\":1,\"request\":7}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct task task = {.runs = 42};
        struct error e = ERROR_INIT;
        assert_int_equal(task_state_parse(bad[i], strlen(bad[i]), &task, &e), -EINVAL);
        assert_int_equal(task.runs, 42);
        assert_int_equal(task.started, 0);
    }
}

static void a_request_of_an_earlier_process_is_noted_once(void **state)
{
    (void)state;
    struct plan plan = make_plan();
    struct request_file file = {.task = NULL};
    request_missed(&file, &plan);
    ask(&file, "{\"format\":1,\"id\":\"a\",\"task\":\"backup\"}");
    struct task *backup = plan_find(&plan, "backup");
    backup->request = (struct request){.id = "a", .state = REQUEST_SUCCEEDED};
    request_missed(&file, &plan);
    assert_int_equal(backup->request.state, REQUEST_SUCCEEDED);
    ask(&file, "{\"format\":1,\"id\":\"b\",\"task\":\"backup\"}");
    request_missed(&file, &plan);
    assert_int_equal(backup->request.state, REQUEST_INTERRUPTED);
    assert_string_equal(backup->request.id, "b");
    request_file_clear(&file);
    plan_clear(&plan);
}

static void a_report_of_many_tasks_is_bounded_and_has_the_requested_ones(void **state)
{
    (void)state;
    struct plan plan = {.n_tasks = 0};
    struct task_definition definitions[1000];
    for (size_t i = 0; i < ARRAY_SIZE(definitions); i++) {
        char name[100];
        (void)snprintf(name, sizeof name, "task-with-a-rather-long-name-%zu", i);
        definitions[i] = definition(name, TRIGGER_NONE);
    }
    plan_update(&plan, definitions, ARRAY_SIZE(definitions), 0);
    plan.tasks[999]->request = (struct request){.id = "a", .state = REQUEST_RUNNING};
    json_t *report = task_report(&plan, NULL, (size_t)48 << 10);
    assert_true(json_dumpb(report, NULL, 0, JSON_COMPACT) <= (size_t)48 << 10);
    assert_in_range(json_array_size(report), 300, 999);
    json_t *last = json_array_get(report, json_array_size(report) - 1);
    assert_string_equal(json_string_value(json_object_get(last, "request")), "a");
    json_decref(report);
    plan_clear(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_once),
        cmocka_unit_test(a_request_runs_a_task_beside_its_trigger),
        cmocka_unit_test(requests_are_refused),
        cmocka_unit_test(what_is_kept_is_read_back),
        cmocka_unit_test(a_message_that_was_cut_within_a_character_is_written),
        cmocka_unit_test(what_is_no_state_leaves_the_task_as_it_was),
        cmocka_unit_test(a_request_of_an_earlier_process_is_noted_once),
        cmocka_unit_test(a_report_of_many_tasks_is_bounded_and_has_the_requested_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
