/* Tests how inagent splits what tasks write into lines with their labels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "inagent/splitter.h"
#include "lib/basic/util.h"

static void assert_pending(struct pending *p, const char *text)
{
    pending_add(p, "", 1);
    assert_string_equal(p->bytes, text);
    pending_clear(p);
}

static void labels_are_unambiguous(void **state)
{
    (void)state;
    static const struct {
        const char *task, *line, *file;
    } rows[] = {
        {"app", "app", "app"},
        {"a/b.c_D-9", "a/b.c_D-9", "a%2Fb.c_D-9"},
        {"a%2Fb", "a%252Fb", "a%252Fb"},
        {"..", "..", "%2E."},
        {"a: b\n", "a%3A%20b%0A", "a%3A%20b%0A"},
        {"\xc3\xa4", "%C3%A4", "%C3%A4"},
        {"inagent", "%69nagent", "%69nagent"},
        {"", "", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char label[LOG_LABEL_SIZE];
        log_label(rows[i].task, false, label);
        assert_string_equal(label, rows[i].line);
        log_label(rows[i].task, true, label);
        assert_string_equal(label, rows[i].file);
    }
}

static void a_long_label_is_cut(void **state)
{
    (void)state;
    char task[1000], label[LOG_LABEL_SIZE];
    memset(task, ' ', sizeof task);
    task[sizeof task - 1] = '\0';
    log_label(task, true, label);
    assert_in_range(strlen(label), LOG_LABEL_SIZE - 5, LOG_LABEL_SIZE - 1);
}

static void lines_may_arrive_in_any_pieces(void **state)
{
    (void)state;
    static const char input[] = "one\n\ntwo three\nr\rest";
    for (size_t step = 1; step <= sizeof input; step++) {
        struct splitter s;
        struct pending out = {0};
        splitter_init(&s, "app");
        for (size_t i = 0; i < sizeof input - 1; i += step) {
            size_t left = sizeof input - 1 - i;
            splitter_feed(&s, input + i, left < step ? left : step, &out);
        }
        splitter_end(&s, &out);
        splitter_end(&s, &out);
        assert_null(s.held);
        assert_pending(&out, "app: one\napp: \napp: two three\napp: r\rest\n");
    }
}

static void bytes_stay_as_they_are(void **state)
{
    (void)state;
    struct splitter s;
    struct pending out = {0};
    splitter_init(&s, "b");
    splitter_feed(&s, "\0\xff\x1b[0m\n", 7, &out);
    assert_int_equal(out.used, 3 + 7);
    assert_memory_equal(out.bytes, "b: \0\xff\x1b[0m\n", 10);
    pending_clear(&out);
}

static void a_line_that_is_too_long_is_split(void **state)
{
    (void)state;
    static char data[3 * LOG_LINE_MAX];
    memset(data, 'x', sizeof data);
    data[sizeof data - 1] = '\n';
    for (size_t step = 1000; step <= sizeof data; step += 59000) {
        struct splitter s;
        struct pending out = {0};
        splitter_init(&s, "app");
        for (size_t i = 0; i < sizeof data; i += step) {
            splitter_feed(&s, data + i, sizeof data - i < step ? sizeof data - i : step, &out);
            assert_true(s.n_held <= LOG_LINE_MAX);
        }
        assert_int_equal(s.n_held, 0);
        size_t lines = 0, bytes = 0;
        for (char *at = out.bytes, *end = out.bytes + out.used; at < end; lines++) {
            char *newline = memchr(at, '\n', (size_t)(end - at));
            assert_non_null(newline);
            assert_true(newline - at <= LOG_LINE_MAX);
            assert_memory_equal(at, "app: ", 5);
            bytes += (size_t)(newline - at) - 5;
            at = newline + 1;
        }
        assert_int_equal(lines, 4);
        assert_int_equal(bytes, sizeof data - 1);
        pending_clear(&out);
    }
}

static void what_was_written_is_removed_from_the_front(void **state)
{
    (void)state;
    struct pending p = {0};
    pending_add(&p, "abcdef", 6);
    pending_sent(&p, 4);
    assert_int_equal(p.sent, 4);
    pending_add(&p, "gh", 2);
    assert_memory_equal(p.bytes + p.sent, "efgh", p.used - p.sent);
    pending_sent(&p, 4);
    assert_int_equal(p.used, 0);
    assert_int_equal(p.sent, 0);
    pending_clear(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_unambiguous),
        cmocka_unit_test(a_long_label_is_cut),
        cmocka_unit_test(lines_may_arrive_in_any_pieces),
        cmocka_unit_test(bytes_stay_as_they_are),
        cmocka_unit_test(a_line_that_is_too_long_is_split),
        cmocka_unit_test(what_was_written_is_removed_from_the_front),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
