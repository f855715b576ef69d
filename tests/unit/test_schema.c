/* The declarative codec: what it takes, what it refuses and how it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/api/app.h"
#include "lib/api/container_driver.h"
#include "lib/basic/cleanup.h"

static int parse(const char *text, struct app_manifest *m, struct error *e)
{
    return schema_parse_text(&app_manifest_schema, text, strlen(text), SCHEMA_STRICT, "test", m, e);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const char text[] =
        "{\"app\":{\"deploy\":{\"replicas\":[{},{\"id\":1,\"service_ports\":[{\"host_port\":80,\"port\":8080}"
        "]}]},"
        "\"meta\":{\"name\":\"web\"},\"spec\":{\"configs\":[{\"default\":\"x\",\"name\":\"a/b\"}],"
        "\"tasks\":[{\"depends_on\":[\"a\",\"b\"],\"on_startup\":true}]}},"
        "\"hostlet\":{\"env\":{\"A\":\"1\",\"B\":\"2\"},\"init\":\"image\"}}";
    struct app_manifest m = {.app = NULL};
    struct error e = ERROR_INIT;
    assert_int_equal(parse(text, &m, &e), 0);
    assert_int_equal(m.app->deploy->n_replicas, 2);
    assert_int_equal(m.app->deploy->replicas[1]->service_ports[0]->host_port, 80);
    assert_int_equal(m.hostlet->init, APP_INIT_IMAGE);
    assert_string_equal(schema_map_get(m.hostlet->env, m.hostlet->n_env, "B"), "2");
    _cleanup_free_ char *back = schema_pack_text(&app_manifest_schema, &m, NULL);
    assert_string_equal(back, text);

    struct app_manifest copy = {.app = NULL};
    schema_copy(&app_manifest_schema, &m, &copy);
    assert_true(schema_equal(&app_manifest_schema, &m, &copy));
    copy.app->deploy->replicas[0]->id = 5;
    assert_false(schema_equal(&app_manifest_schema, &m, &copy));
    schema_done(&app_manifest_schema, &copy);
    schema_done(&app_manifest_schema, &m);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"app\":{\"spec\":{\"name\":1}}}", "test: /app/spec/name: expected a string, got an integer"},
        {"{\"app\":{\"deploy\":{\"replicas\":[{},{\"id\":\"x\"}]}}}",
         "test: /app/deploy/replicas/1/id: expected an integer, got a string"},
        {"{\"app\":{\"spec\":{\"bogus\":1}}}", "test: /app/spec/bogus: unknown member"},
        {"{\"app\":{\"revision\":1.5}}", "test: /app/revision: expected an integer, got a real number"},
        {"{\"app\":{},\"hostlet\":{\"init\":\"x\"}}", "test: /hostlet/init: 'x' is not one of inagent image"},
        {"{}", "test: /app: is missing"},
        {"{\"app\":{},\"hostlet\":{\"env\":{\"A\":1}}}",
         "test: /hostlet/env/A: expected a string, got an integer"},
        {"{\"app\":{},\"app\":{}}", "test: line 1, column 15: duplicate object key near '\"app\"'"},
        {"[]", "test: /: expected an object, got an array"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_manifest m = {.app = NULL};
        struct error e = ERROR_INIT;
        assert_true(parse(cases[i].text, &m, &e) < 0);
        assert_string_equal(e.message, cases[i].message);
        assert_null(m.app);
        assert_int_equal(e.class, ERROR_REFUSED);
    }
}

/* What is not UTF-8 (a name of a file, a message of another program) is packed all the same. */
static void test_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct driver_info_out out = {.runtime = (char *)"x\xff", .state = DRIVER_RUNTIME_UP};
    for (const struct varlink_method *m = container_driver_interface.methods; m->name; m++)
        if (streq(m->name, "Info")) {
            _cleanup_free_ char *text = schema_pack_text(m->out, &out, NULL);
            assert_string_equal(text, "{\"runtime\":\"x?\",\"state\":\"up\"}");
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bytes_that_are_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
