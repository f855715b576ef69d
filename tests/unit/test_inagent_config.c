/* Tests how inagent merges configuration: rows of a text, a value, and the text that results, byte by byte,
 * or the message. tests/integration/inagent/test_inagent_config.py compares random merges with Python's
 * parsers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka.h needs these headers before it */
#include <cmocka.h>

#include "inagent/config/merge.h"
#include "inagent/setup.h"
#include "lib/basic/cleanup.h"

struct merging {
    const char *old, *value, *result; /* the result, or the message after "file, " or "value, " */
};

static void check(enum config_format format, const struct merging *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        _cleanup_free_ char *result = NULL;
        size_t size = 0;
        struct error e = ERROR_INIT;
        int r = config_merge(format, "file", rows[i].old, strlen(rows[i].old), "value", rows[i].value,
                             &result, &size, &e);
        if (r == 0)
            assert_int_equal(strlen(result), size);
        assert_string_equal(r < 0 ? e.message : result, rows[i].result);
    }
}

static void test_json_is_merged(void **state)
{
    (void)state;
    static const struct merging rows[] = {
        {"{\n  \"b\" : 1,\n  \"a\": {\"x\":2}\n}\n",
         "{\"a\": {\"y\": [1,\n2]}, \"b\": 12345678901234567890.50}",
         "{\n  \"b\" : 12345678901234567890.50,\n  \"a\": {\"x\":2, \"y\": [1, 2]}\n}\n"},
        {"{\r\n\t\"a\": 1\r\n}", "{\n  \"b\": {\n    \"c\": 1\n  }\n}",
         "{\r\n\t\"a\": 1,\r\n\t\"b\": {\r\n\t  \"c\": 1\r\n\t}\r\n}"},
        {"\xef\xbb\xbf{}", "{\"a\": 1}", "\xef\xbb\xbf{\"a\": 1}"},
        {" \n", "{\"a\": 1}", "{\"a\": 1}\n"},
        {"{\"a\":{\"b\":1}}", "{\"a\":{}}", "{\"a\":{\"b\":1}}"},
        {"{\"a\":{\"b\":1}}", "{\"a\":null}", "{\"a\":null}"},
        {"{\"\\u0061\":1}", "{\"a\":2}", "{\"\\u0061\":2}"},
        {"{\"a\":1,}", "{}", "file, line 1, column 8: a key in quotes is expected"},
        {"{\n \"ü\": tru }", "{}", "file, line 2, column 7: this is not a JSON value"},
        {"{\"a\":01}", "{}", "file, line 1, column 6: this is not a JSON value"},
        {"{\"a\":1 // x\n}", "{}", "file, line 1, column 8: a comma or '}' is expected"},
        {"{\"a\":1,\n\"b\":{\"a\":1,\"a\":2}}", "{}", "file, line 2, column 12: this key is given twice"},
        {"{}", "{\"a\":[{\"x\":1,\"x\":2}]}", "value, line 1, column 14: this key is given twice"},
        {"{} {}", "{}", "file, line 1, column 4: the text continues after its end"},
        {"[]", "{}", "file, line 1, column 1: the text is not an object"},
        {"{\"a\":\"\xff\"}", "{}", "file, line 1, column 7: this is not UTF-8"},
        {"{\"a\":\"\x01\"}", "{}", "file, line 1, column 7: a control character"},
        {"{\"a\":\"x\n\"}", "{}", "file, line 1, column 6: a string that is not ended in its line"},
        {"{\"a\"", "{}", "file, line 1, column 5: a colon is expected"},
        {"{}", "", "value, line 2, column 1: the text ends too early"},
    };
    check(CONFIG_JSON, rows, ARRAY_SIZE(rows));
}

static void test_toml_is_merged(void **state)
{
    (void)state;
    static const struct merging rows[] = {
        {"# top\nName = 'x' # old\n\n[server] # here\nport = 1 # tail\n# end\n\n[client]\n",
         "Name = \"y\"\nnew = 0x1F\n[server]\nport = 2\nhost = \"h\"\n[other.deep]\nk = 1979-05-27",
         "# top\nName = \"y\" # old\nnew = 0x1F\n\n[server] # here\nport = 2 # tail\nhost = \"h\"\n# end\n\n"
         "[client]\n\n[other]\n\n[other.deep]\nk = 1979-05-27\n"},
        {"a.b = 1\n", "[a]\nc = 2\nd.e = 3", "a.b = 1\na.c = 2\na.d = {e = 3}\n"},
        {"a = {b = 1}", "[a]\nc = [1,\n 2]", "a = {b = 1, c = [1,\n 2]}"},
        {"a = {}", "[a]\nc = 1", "a = {c = 1}"},
        {"[a.b]\nx = 1\n", "[a]\ny = 2", "[a.b]\nx = 1\n\n[a]\ny = 2\n"},
        {"# x\n\n# about a\n[a]\n", "k = 1", "# x\n\nk = 1\n\n# about a\n[a]\n"},
        {"[[l]]\nx = 1\n# kept\n[[l]]\nx = 2\n[t]\n", "[[l]]\nx = 3", "[[l]]\nx = 3\n# kept\n[t]\n"},
        {"[t]\nx = 1\n[t.u]\ny = 2\n", "t = 5", "t = 5\n\n"},
        {"k.a = 1\nk.b = 2\nz = 3", "k = 1", "z = 3\nk = 1\n"},
        {"a = 1", "b = 2", "a = 1\nb = 2\n"},
        {"a = 1\r\n", "b = 2", "a = 1\r\nb = 2\r\n"},
        {"\"x y\" = 1\n", "'x y' = 2\n\"\xc3\xa9.\" = 1", "\"x y\" = 2\n\"\xc3\xa9.\" = 1\n"},
        {"a = [{x = 1}]\n", "[[a]]\nx = 2\n", "a = [{x = 2}]\n"},
        {"a = 1\na = 2", "b = 1", "file, line 2, column 1: this key is given twice"},
        {"[a]\n[a]", "b = 1", "file, line 2, column 2: this table is given twice"},
        {"a = {b = 1}\n[a.c]", "b = 1",
         "file, line 2, column 2: this key is given before, and is no table that can be extended"},
        {"a.b = 1\n[a]", "b = 1", "file, line 2, column 2: this table is given twice"},
        {"a = yes", "b = 1", "file, line 1, column 5: this is not a TOML value"},
        {"a = 2001-02-29", "b = 1", "file, line 1, column 5: this is not a TOML value"},
        {"a = 1 b = 2", "b = 1", "file, line 1, column 7: the end of the line is expected"},
        {"a = \"x\n\"", "b = 1", "file, line 1, column 5: a string that is not ended in its line"},
        {"a = '''x\n", "b = 1", "file, line 1, column 5: a string that is not ended"},
        {"a = {b = 1,\nc = 2}", "b = 1", "file, line 1, column 12: a key is expected"},
        {"a = [1\n", "b = 1", "file, line 2, column 1: a comma or ']' is expected"},
        {"a = {b.c = 1}", "[a]\nb = 2",
         "file, line 1, column 5: dotted keys in an inline table, which would have to be replaced"},
        {"a = 1", "b", "value, line 1, column 2: an equals sign is expected"},
    };
    check(CONFIG_TOML, rows, ARRAY_SIZE(rows));
}

static void test_yaml_is_merged(void **state)
{
    (void)state;
    static const struct merging rows[] = {
        {"# top\nB:   1 # old\na:\n    x: y # tail\n    # end\nlast: 'q'\n",
         "a:\n  z:\n    - 1\n    - b: 2\nB: |\n  two\n   lines",
         "# top\nB:   | # old\n  two\n   lines\na:\n    x: y # tail\n    z:\n      - 1\n      - b: 2\n    # "
         "end\nlast: 'q'\n"},
        {"a:\n- 1\n- 2\nb:\n", "a: []\nb:\n- x", "a: []\nb:\n- x\n"},
        {"a:\n  b:\n    c: 1\n", "a:\n  b: 2", "a:\n  b: 2\n"},
        {"a: 1", "b: 2", "a: 1\nb: 2\n"},
        {"---\r\na: 1\r\n", "b:\n  c: 2", "---\r\na: 1\r\nb:\r\n  c: 2\r\n"},
        {"a: {}\n", "a:\n  b: 1", "a:\n  b: 1\n"},
        {"{}\n", "a: 1", "\na: 1\n"},
        {"# nothing\n", "a: 1", "# nothing\na: 1\n"},
        {"b: 1", " a: [1, #\n # x\n 2]", "b: 1\na: [1, #\n# x\n2]\n"},
        {"f: {a: 1} # x\ng: 1\n", "g: 2", "f: {a: 1} # x\ng: 2\n"},
        {"\"k: x\": 1\n", "'k: x': 2", "\"k: x\": 2\n"},
        {"a: 1\n\nb: 1\n", "a: |+\n  x\n\nb: 2", "a: |+\n  x\n\nb: 2\n"},
        {"f: {a: 1}\n", "f:\n  b: 1", "file, line 1, column 1: a mapping in flow style would have to change"},
        {"f:\n  b: 1\n", "f: {a: 1}",
         "value, line 1, column 1: a mapping in flow style, which would have to be merged with one in block "
         "style"},
        {"a: &x 1\n", "b: 1", "file, line 1, column 4: anchors and aliases are not supported"},
        {"a:\n  - *x\n", "b: 1", "file, line 2, column 5: anchors and aliases are not supported"},
        {"a: !!str 1\n", "b: 1", "file, line 1, column 4: tags are not supported"},
        {"a: 1\n---\nb: 1\n", "b: 1",
         "file, line 2, column 1: several documents in one text are not supported"},
        {"<<: 1\n", "b: 1", "file, line 1, column 1: merge keys are not supported"},
        {"a: 1\na: 2\n", "b: 1", "file, line 2, column 1: this key is given twice"},
        {"a:\n\tb: 1\n", "b: 1", "file, line 2, column 1: a tab in the indentation"},
        {"a:\n  b: 1\n c: 1\n", "b: 1", "file, line 3, column 2: this line is indented too far"},
        {"a: b: c\n", "b: 1", "file, line 1, column 5: a second colon in one line"},
        {"- a\n", "b: 1", "file, line 1, column 1: the text is not a mapping in block style"},
        {"a: \"x\n", "b: 1", "file, line 1, column 4: a text that is not ended by its quote"},
        {"a: [1, 2\n", "b: 1", "file, line 2, column 1: a comma or ']' is expected"},
        {"1: a\n", "'1': b", "file, line 1, column 1: this key is in quotes in one of the two texts alone"},
        {"a: |\n  x", "b: 1",
         "file, line 1, column 4: a text block at the end that has no newline at its end"},
        {"a:\n # deep\n", "a: |", "file, line 2, column 2: a comment that would become part of a text block"},
        {"a: 1\n   # deep\nb: 1\n", "a: |\n  x",
         "file, line 2, column 4: a comment that would become part of a text block"},
    };
    check(CONFIG_YAML, rows, ARRAY_SIZE(rows));
}

static void test_properties_are_merged(void **state)
{
    (void)state;
    static const struct merging rows[] = {
        {"# top\nB.c = 1\n! x\na:\\\n  2\nd 3\n", "B.c=9\na=b\nd==\nnew = \xc3\xa9\xf0\x9f\x98\x80",
         "# top\nB.c = 9\n! x\na:b\nd ==\nnew = \\u00E9\\uD83D\\uDE00\n"},
        {"a=\xe9", "b=1", "a=\xe9\nb=1\n"},
        {"a\\ b=1\r\n", "a\\u0020b=2\nc", "a\\ b=2\r\nc\r\n"},
        {"a=1\na=2", "b=1", "file, line 2, column 1: this key is given twice"},
        {"a=\\u12", "b=1", "file, line 1, column 3: four hexadecimal digits are expected after \\u"},
        {"a=1\\", "b=1", "file, line 1, column 4: the text ends after a backslash"},
    };
    check(CONFIG_PROPERTIES, rows, ARRAY_SIZE(rows));
}

static void test_ini_is_replaced(void **state)
{
    (void)state;
    static const struct merging rows[] = {{"[a]\nx=1\n", "[b]\ny=2", "[b]\ny=2\n"}};
    check(CONFIG_INI, rows, ARRAY_SIZE(rows));
}

/* Returns the message of the merge of a text that repeats 'open', 'n' times. */
static char *merge_nested(enum config_format format, const char *before, const char *open, size_t n)
{
    _cleanup_free_ char *text = xcalloc(1, strlen(before) + n * strlen(open) + 1), *result = NULL;
    char *end = stpcpy(text, before);
    for (size_t i = 0; i < n; i++)
        end = stpcpy(end, open);
    size_t size;
    struct error e = ERROR_INIT;
    assert_true(config_merge(format, "file", text, strlen(text), "value", "", &result, &size, &e) < 0 ||
                format != CONFIG_JSON);
    return xstrdup(e.message);
}

static void test_nesting_and_size_are_bounded(void **state)
{
    (void)state;
    static const struct {
        enum config_format format;
        const char *before, *open;
    } rows[] = {{CONFIG_TOML, "a=", "["},
                {CONFIG_TOML, "a=", "{a="},
                {CONFIG_YAML, "a: ", "["},
                {CONFIG_YAML, "a:\n ", "- "}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *message = merge_nested(rows[i].format, rows[i].before, rows[i].open, 100000);
        assert_non_null(strstr(message, "more than 64 nested values"));
    }
    _cleanup_free_ char *large = xcalloc(1, DOCUMENT_MAX + 2), *result = NULL;
    memset(large, ' ', DOCUMENT_MAX + 1);
    memcpy(large, "a=1\n", 4);
    size_t size;
    struct error e = ERROR_INIT;
    assert_true(
        config_merge(CONFIG_TOML, "file", large, DOCUMENT_MAX + 1, "value", "b=1", &result, &size, &e) < 0);
    assert_string_equal(e.message, "file has 16777217 bytes, more than 16777216");
}

static void test_the_format_is_that_of_the_type_or_else_of_the_extension(void **state)
{
    (void)state;
    static const struct {
        const char *type, *path;
        int format; /* −1: refused */
    } rows[] = {
        {"text_json", "/etc/x.toml", CONFIG_JSON},
        {"text_ini", "/x", CONFIG_INI},
        {"text_javaprop", "x", CONFIG_PROPERTIES},
        {"string", "/x.yml", CONFIG_YAML},
        {"", "a.b/x.toml", CONFIG_TOML},
        {"", "x.conf", CONFIG_INI},
        {"", "x.properties", CONFIG_PROPERTIES},
        {"string", "x.txt", -1},
        {"", "json", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum config_format format = CONFIG_JSON;
        struct error e = ERROR_INIT;
        int r = config_format(rows[i].type, rows[i].path, &format, &e);
        assert_int_equal(r < 0 ? -1 : (int)format, rows[i].format);
    }
}

static void test_config_items_are_found_by_their_names(void **state)
{
    (void)state;
    static const char text[] =
        "{\"app\":{\"meta\":{\"name\":\"demo\"},\"spec\":{},\"deploy\":{\"configs\":["
        "{\"name\":\"cfg/db-main\",\"type\":\"text_json\",\"value\":\" ${app.name} ${x} \\n\"},"
        "{\"name\":\"web\",\"items\":[{\"name\":\"tls.key\",\"type\":\"text_ini\",\"value\":\"k\"}]}]}},"
        "\"replica\":{}}";
    static const struct {
        const char *name, *value; /* NULL: not found */
    } rows[] = {{"cfg/db-main", "demo ${x}"},
                {"db_main", "demo ${x}"},
                {"web.tls.key", "k"},
                {"cfg/web.tls/key", "k"},
                {"web", ""},
                {"web.x", NULL},
                {"", NULL},
                {"db", NULL}};
    struct setup setup;
    struct error e = ERROR_INIT;
    assert_int_equal(setup_parse(text, strlen(text), NULL, &setup, &e), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *value = NULL;
        const char *type = NULL;
        int r = setup_find_config(&setup, rows[i].name, &value, &type, &e);
        assert_int_equal(r < 0, !rows[i].value);
        if (rows[i].value)
            assert_string_equal(value, rows[i].value);
    }
    setup_clear(&setup);
}

static void test_a_document_that_is_no_instance_is_refused(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "app_replica.json is not JSON (line 1, column 0)"},
        {"{\"app\":{}", "app_replica.json is not JSON (line 1, column 9)"},
        {"[]", "app_replica.json is not JSON (line 1, column 0)"},
        {"{}", "app_replica.json has no object 'app'"},
        {"{\"app\":[]}", "app_replica.json has no object 'app'"},
        {"{\"app\":{\"deploy\":{}}}", "app_replica.json has no object 'app.spec'"},
        {"{\"app\":{\"spec\":{}}}", "app_replica.json has no object 'app.deploy'"},
        {"{\"app\":{\"spec\":{},\"deploy\":{}}}", "app_replica.json has no object 'replica'"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct setup setup;
        struct error e = ERROR_INIT;
        assert_true(setup_parse(rows[i][0], strlen(rows[i][0]), NULL, &setup, &e) < 0);
        assert_non_null(strstr(e.message, "Not App Instance Setup: "));
        if (i != 2)
            assert_non_null(strstr(e.message, rows[i][1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_is_merged),
        cmocka_unit_test(test_toml_is_merged),
        cmocka_unit_test(test_yaml_is_merged),
        cmocka_unit_test(test_properties_are_merged),
        cmocka_unit_test(test_ini_is_replaced),
        cmocka_unit_test(test_nesting_and_size_are_bounded),
        cmocka_unit_test(test_the_format_is_that_of_the_type_or_else_of_the_extension),
        cmocka_unit_test(test_config_items_are_found_by_their_names),
        cmocka_unit_test(test_a_document_that_is_no_instance_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
