/* Tests what is shown of text from other programs: whole strings, streams in any pieces, lines of the log. */
#include "lib/basic/printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/log.h"

static const struct {
    const char *text, *line, *stream;
} cases[] = {
    {"plain words, \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "plain words, \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
     "plain words, \xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"a\x1b[2Jb\x07\x7f", "a?[2Jb??", "a\\u001b[2Jb\\u0007\\u007f"},
    /* C1 as UTF-8, as single bytes, and as sequences that lax decoders read as ESC or U+009B. */
    {"\xc2\x9b"
     "31m\xc2\x80\xc2\x9f\xc2\xa0",
     "?31m??\xc2\xa0", "\\u009b31m\\u0080\\u009f\xc2\xa0"},
    {"\x9b"
     "31m",
     "?31m", "\\x9b31m"},
    {"\xc0\x9b\xe0\x82\x9b\xf0\x80\x82\x9b", "?????????", "\\xc0\\x9b\\xe0\\x82\\x9b\\xf0\\x80\\x82\\x9b"},
    /* Directions, separators, invisible characters. */
    {"\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae", "?????",
     "\\u202a\\u202b\\u202c\\u202d\\u202e"},
    {"\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9\xe2\x80\x8e\xd8\x9c", "??????",
     "\\u2066\\u2067\\u2068\\u2069\\u200e\\u061c"},
    {"\xe2\x80\xa8\xe2\x80\xa9\xef\xbb\xbf\xe2\x80\x8b\xf3\xa0\x81\x81", "?????",
     "\\u2028\\u2029\\ufeff\\u200b\\udb40\\udc41"},
    /* Joiners, and the neighbours of refused characters. */
    {"\xe2\x80\x8c\xe2\x80\x8d\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xb0",
     "\xe2\x80\x8c\xe2\x80\x8d\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xb0",
     "\xe2\x80\x8c\xe2\x80\x8d\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xb0"},
    /* Not UTF-8: a surrogate, a value beyond the last character, a truncated character. */
    {"\xed\xa0\x80\xf4\x90\x80\x80\xff", "????????", "\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xff"},
    {"x\xe2\x80", "x??", "x\\xe2\\x80"},
    {"\xe2\x80x\xc3", "??x?", "\\xe2\\x80x\\xc3"},
    {"a\tb\nc\r\nd\re\r", "a?b?c??d?e?", "a\tb\nc\r\nd\\u000de\\u000d"},
    {"", "", ""},
};

static void unprintable_characters_are_replaced(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *shown = printable(cases[i].text), *again = printable(shown);
        assert_string_equal(shown, cases[i].line);
        assert_string_equal(again, shown);
    }
    _cleanup_free_ char *line = printable_line("a\tb\x1b\n");
    assert_string_equal(line, "a\tb??");
}

/* The output does not depend on how the stream is split. */
static void streams_may_be_split_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        size_t size = strlen(cases[i].text);
        for (size_t piece = 1; piece <= size + 1; piece++) {
            struct printable_stream s = {.n_held = 0};
            _cleanup_free_ char *whole = xstrdup("");
            for (size_t at = 0; at < size; at += piece) {
                size_t n = size - at < piece ? size - at : piece;
                _cleanup_free_ char *shown = NULL, *before = whole;
                printable_feed(&s, cases[i].text + at, n, false, &shown);
                whole = xasprintf("%s%s", before, shown);
            }
            _cleanup_free_ char *rest = NULL, *before = whole;
            printable_feed(&s, "", 0, true, &rest);
            whole = xasprintf("%s%s", before, rest);
            assert_string_equal(whole, cases[i].stream);
            assert_int_equal(s.n_held, 0);
        }
    }
}

static void a_nul_is_a_character(void **state)
{
    (void)state;
    struct printable_stream s = {.n_held = 0};
    _cleanup_free_ char *shown = NULL;
    assert_int_equal(printable_feed(&s, "a\0b", 3, true, &shown), 8);
    assert_string_equal(shown, "a\\u0000b");
}

/* Any two bytes at the boundary of two pieces. */
static void every_pair_of_bytes_may_be_split(void **state)
{
    (void)state;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const char text[] = {(char)(pair >> 8), (char)pair, '.'};
        struct printable_stream whole = {.n_held = 0}, cut = {.n_held = 0};
        _cleanup_free_ char *expected = NULL, *one = NULL, *two = NULL;
        size_t n = printable_feed(&whole, text, 3, true, &expected);
        size_t n_one = printable_feed(&cut, text, 1, false, &one);
        size_t n_two = printable_feed(&cut, text + 1, 2, true, &two);
        assert_int_equal(n, n_one + n_two);
        assert_memory_equal(expected, one, n_one);
        assert_memory_equal(expected + n_one, two, n_two);
        for (size_t i = 0; i < n; i++) {
            unsigned char c = (unsigned char)expected[i], before = i > 0 ? (unsigned char)expected[i - 1] : 0;
            assert_true(c >= 0x20 || c == '\n' || c == '\t' || c == '\r');
            assert_false(c >= 0x80 && c < 0xa0 && before == 0xc2);
            assert_false(c >= 0x80 && c < 0xc0 && before < 0x80);
        }
    }
}

static void lines_of_the_log_are_printable(void **state)
{
    (void)state;
    static const enum log_format formats[] = {LOG_FORMAT_PLAIN, LOG_FORMAT_JOURNAL, LOG_FORMAT_JSON};
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        log_open("test", formats[i], LOG_LEVEL_INFO);
        _cleanup_free_ char *line =
            log_line("test", LOG_LEVEL_NOTICE, "a\"\xc2\x9b\x9b\x1b\x7f\xe2\x80\xae\xff\tz\xc3\xa4");
        bool json = formats[i] == LOG_FORMAT_JSON;
        assert_non_null(strstr(line, json ? "a\\\"??????\\tz\xc3\xa4" : "a\"??????\tz\xc3\xa4"));
    }
    log_open("test", LOG_FORMAT_PLAIN, LOG_LEVEL_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unprintable_characters_are_replaced),
        cmocka_unit_test(streams_may_be_split_anywhere),
        cmocka_unit_test(a_nul_is_a_character),
        cmocka_unit_test(every_pair_of_bytes_may_be_split),
        cmocka_unit_test(lines_of_the_log_are_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
