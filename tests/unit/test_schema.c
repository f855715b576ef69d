/* Tests the codec for declared structs: what it accepts, what it refuses and with which message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/api/app.h"
#include "lib/api/container_driver.h"
#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

static int parse(const char *text, struct app_manifest *m, struct error *e)
{
    return schema_parse_text(&app_manifest_schema, text, strlen(text), SCHEMA_STRICT, "test", m, e);
}

static void test_a_round_trip_changes_nothing(void **state)
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

/* --- copies --- */

enum colour { COLOUR_NONE, COLOUR_RED };
static const struct schema_enum colour_enum = {"Colour", "", (const char *const[]){NULL, "red", NULL}};

struct leaf {
    char *text;
    json_t *object;
    int64_t undeclared;
};

static const struct schema_field leaf_fields[] = {S_STRING_OPT(struct leaf, text, ""),
                                                  S_OBJECT_OPT(struct leaf, object, ""), S_END};
static const struct schema_struct leaf_schema = {"Leaf", sizeof(struct leaf), "", leaf_fields};

struct branch {
    bool yes, no;
    int64_t number;
    int colour;
    char *name, *nothing, *empty;
    struct leaf *leaf, *no_leaf;
    json_t *object;
    char **words;
    int64_t *numbers;
    struct leaf **leaves;
    struct schema_pair *map, *no_map;
    size_t n_words, n_numbers, n_leaves, n_map, n_no_map;
};

static const struct schema_field branch_fields[] = {
    S_BOOL(struct branch, yes, ""),
    S_BOOL_OPT(struct branch, no, ""),
    S_INT(struct branch, number, ""),
    S_ENUM_OPT(struct branch, colour, &colour_enum, ""),
    S_STRING(struct branch, name, ""),
    S_STRING_OPT(struct branch, nothing, ""),
    S_STRING_OPT(struct branch, empty, ""),
    S_STRUCT(struct branch, leaf, struct leaf, &leaf_schema, ""),
    S_STRUCT_OPT(struct branch, no_leaf, struct leaf, &leaf_schema, ""),
    S_OBJECT(struct branch, object, ""),
    S_STRINGS(struct branch, words, ""),
    S_INTS(struct branch, numbers, ""),
    S_STRUCTS(struct branch, leaves, struct leaf, &leaf_schema, ""),
    S_STRING_MAP(struct branch, map, ""),
    S_STRING_MAP(struct branch, no_map, ""),
    S_END};
static const struct schema_struct branch_schema = {"Branch", sizeof(struct branch), "", branch_fields};

struct tree {
    struct branch **branches;
    size_t n_branches;
};

static const struct schema_field tree_fields[] = {
    S_STRUCTS(struct tree, branches, struct branch, &branch_schema, ""), S_END};
static const struct schema_struct tree_schema = {"Tree", sizeof(struct tree), "", tree_fields};

static const char tree_text[] =
    "{\"branches\":["
    "{\"colour\":\"red\",\"empty\":\"\",\"leaf\":{\"object\":{\"a\":[1,null,{\"b\":2}]},\"text\":\"x\"},"
    "\"leaves\":[{},{\"text\":\"y\"},{\"object\":{}}],\"map\":{\"k\":\"v\",\"l\":\"\"},\"name\":\"first\","
    "\"number\":-9223372036854775808,\"numbers\":[0,1,9223372036854775807],\"object\":{\"c\":\"d\"},"
    "\"words\":[\"\",\"w\"],\"yes\":true},"
    "{\"leaf\":{},\"name\":\"\",\"number\":0,\"object\":{},\"yes\":false}]}";

static void test_copies_share_nothing(void **state)
{
    (void)state;
    struct tree tree = {.branches = NULL}, copy = {.branches = NULL};
    struct error e = ERROR_INIT;
    assert_int_equal(
        schema_parse_text(&tree_schema, tree_text, strlen(tree_text), SCHEMA_STRICT, "test", &tree, &e), 0);
    tree.branches[0]->leaf->undeclared = 7;
    schema_copy(&tree_schema, &tree, &copy);
    assert_int_equal(copy.n_branches, 2);
    assert_true(schema_equal(&tree_schema, &tree, &copy));
    _cleanup_free_ char *before = schema_pack_text(&tree_schema, &copy, NULL);
    assert_string_equal(before, tree_text);
    const struct branch *first = copy.branches[0], *second = copy.branches[1];
    assert_null(first->nothing);
    assert_string_equal(first->empty, "");
    assert_null(first->no_leaf);
    assert_null(first->no_map);
    assert_null(second->words);
    assert_null(second->leaves);
    assert_int_equal(first->leaf->undeclared, 0); /* an undeclared member is not copied */

    /* A change of the original does not change the copy. */
    tree.branches[0]->words[1][0] = 'W';
    tree.branches[0]->map[0].value[0] = 'V';
    tree.branches[0]->leaves[1]->text[0] = 'Y';
    tree.branches[0]->numbers[0] = 5;
    json_object_set_new(json_array_get(json_object_get(tree.branches[0]->leaf->object, "a"), 2), "b",
                        json_null());
    assert_false(schema_equal(&tree_schema, &tree, &copy));
    schema_done(&tree_schema, &tree);
    _cleanup_free_ char *after = schema_pack_text(&tree_schema, &copy, NULL);
    assert_string_equal(after, tree_text);
    schema_done(&tree_schema, &copy);
    assert_null(copy.branches);
}

static void test_an_empty_struct_can_be_copied(void **state)
{
    (void)state;
    struct tree tree = {.branches = NULL}, copy = {.branches = NULL};
    schema_copy(&tree_schema, &tree, &copy);
    assert_null(copy.branches);
    assert_int_equal(copy.n_branches, 0);
    /* An empty array can still own memory. */
    tree.branches = xcalloc(1, sizeof *tree.branches);
    schema_copy(&tree_schema, &tree, &copy);
    assert_null(copy.branches);
    free(tree.branches);
}

static void test_invalid_documents_are_refused(void **state)
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

/* Text that is not UTF-8, such as a file name or a message of another program, is packed too. */
static void test_bytes_that_are_not_utf8_are_packed(void **state)
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
        cmocka_unit_test(test_a_round_trip_changes_nothing),
        cmocka_unit_test(test_copies_share_nothing),
        cmocka_unit_test(test_an_empty_struct_can_be_copied),
        cmocka_unit_test(test_invalid_documents_are_refused),
        cmocka_unit_test(test_bytes_that_are_not_utf8_are_packed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
