/* Tests the fetcher's functions without input and output: the meaning of responses, pauses, facts,
 * references, URLs of repositories, duplicates in an index. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetcher/answer.h"
#include "fetcher/credentials.h"
#include "fetcher/facts.h"
#include "fetcher/fetcher.h"
#include "fetcher/repository.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/remove_tree.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void test_content_ranges_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int r;
        uint64_t first, last, total;
    } cases[] = {
        {"bytes 0-9/10", 0, 0, 9, 10},
        {"bytes 5-9/100", 0, 5, 9, 100},
        {"Bytes  5-5/6", 0, 5, 5, 6},
        {"bytes 5-9/*", 0, 5, 9, UINT64_MAX},
        {"bytes 0-18446744073709551613/18446744073709551614", 0, 0, UINT64_MAX - 2, UINT64_MAX - 1},
        {NULL, -EINVAL, 0, 0, 0},
        {"", -EINVAL, 0, 0, 0},
        {"bytes", -EINVAL, 0, 0, 0},
        {"bytes ", -EINVAL, 0, 0, 0},
        {"octets 0-9/10", -EINVAL, 0, 0, 0},
        {"bytes 9-5/10", -EINVAL, 0, 0, 0},
        {"bytes 0-10/10", -EINVAL, 0, 0, 0},
        {"bytes -5/10", -EINVAL, 0, 0, 0},
        {"bytes 0-/10", -EINVAL, 0, 0, 0},
        {"bytes 0-9", -EINVAL, 0, 0, 0},
        {"bytes 0-9/", -EINVAL, 0, 0, 0},
        {"bytes 0-9/10 ", -EINVAL, 0, 0, 0},
        {"bytes 0-9/10x", -EINVAL, 0, 0, 0},
        {"bytes +0-9/10", -EINVAL, 0, 0, 0},
        {"bytes 0-18446744073709551616/18446744073709551617", -EINVAL, 0, 0, 0},
        {"bytes */10", -EINVAL, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct answer_range range = {0};
        print_message("%s\n", cases[i].text ?: "(null)");
        assert_int_equal(answer_range_parse(cases[i].text, &range), cases[i].r);
        assert_true(range.first == cases[i].first && range.last == cases[i].last &&
                    range.total == cases[i].total);
    }
    uint64_t total = 7;
    assert_int_equal(answer_range_total("bytes */100", &total), 0);
    assert_int_equal(total, 100);
    assert_int_equal(answer_range_total("bytes 0-9/100", &total), -EINVAL);
    assert_int_equal(answer_range_total("bytes */*", &total), -EINVAL);
    assert_int_equal(answer_range_total(NULL, &total), -EINVAL);
    assert_int_equal(total, 100);
}

static void test_responses_have_the_right_meaning(void **state)
{
    (void)state;
    static const struct {
        struct question q;
        struct answer a;
        enum answer_meaning meaning;
        uint64_t size;
        int errnum;
        enum error_class class;
    } cases[] = {
        /* the whole file */
        {{0, 100, NULL}, {200, NULL, "100", NULL}, ANSWER_WHOLE, 100, 0, 0},
        {{0, 0, NULL}, {200, NULL, "100", NULL}, ANSWER_WHOLE, 100, 0, 0},
        {{0, 100, NULL}, {200, NULL, NULL, NULL}, ANSWER_WHOLE, 100, 0, 0},
        {{0, 0, NULL}, {200, NULL, NULL, NULL}, ANSWER_WHOLE, 0, 0, 0},
        {{0, 0, NULL}, {200, NULL, "nonsense", NULL}, ANSWER_WHOLE, 0, 0, 0},
        {{50, 100, NULL}, {200, NULL, "100", NULL}, ANSWER_WHOLE, 100, 0, 0},
        {{0, 100, NULL}, {200, NULL, "99", NULL}, ANSWER_ERROR, 0, EBADMSG, ERROR_FAILED},
        {{0, 100, NULL}, {200, NULL, "0", NULL}, ANSWER_ERROR, 0, EBADMSG, ERROR_FAILED},
        /* a part */
        {{50, 100, NULL}, {206, "bytes 50-99/100", "50", NULL}, ANSWER_CONTINUES, 100, 0, 0},
        {{50, 100, NULL}, {206, "bytes 50-59/100", "10", NULL}, ANSWER_CONTINUES, 100, 0, 0},
        {{50, 100, NULL}, {206, "bytes 50-99/*", NULL, NULL}, ANSWER_CONTINUES, 100, 0, 0},
        {{50, 0, NULL}, {206, "bytes 50-99/100", NULL, NULL}, ANSWER_CONTINUES, 100, 0, 0},
        {{50, 100, "\"a\""}, {206, "bytes 50-99/100", NULL, "\"a\""}, ANSWER_CONTINUES, 100, 0, 0},
        {{50, 100, "\"a\""}, {206, "bytes 50-99/100", NULL, NULL}, ANSWER_CONTINUES, 100, 0, 0},
        {{50, 100, "\"a\""}, {206, "bytes 50-99/100", NULL, "\"b\""}, ANSWER_AGAIN, 0, ESTALE, ERROR_FAILED},
        {{50, 100, NULL}, {206, "bytes 0-99/100", NULL, NULL}, ANSWER_AGAIN, 0, EPROTO, ERROR_FAILED},
        {{50, 100, NULL}, {206, "bytes 51-99/100", NULL, NULL}, ANSWER_AGAIN, 0, EPROTO, ERROR_FAILED},
        {{50, 100, NULL}, {206, "bytes 50-99/200", NULL, NULL}, ANSWER_AGAIN, 0, EBADMSG, ERROR_FAILED},
        {{50, 100, NULL}, {206, NULL, NULL, NULL}, ANSWER_AGAIN, 0, EPROTO, ERROR_FAILED},
        {{0, 100, NULL}, {206, "bytes 0-99/100", NULL, NULL}, ANSWER_ERROR, 0, EPROTO, ERROR_FAILED},
        /* no bytes follow */
        {{100, 100, NULL}, {416, "bytes */100", NULL, NULL}, ANSWER_COMPLETE, 100, 0, 0},
        {{100, 0, NULL}, {416, "bytes */100", NULL, NULL}, ANSWER_COMPLETE, 100, 0, 0},
        {{50, 100, NULL}, {416, "bytes */50", NULL, NULL}, ANSWER_AGAIN, 0, ERANGE, ERROR_FAILED},
        {{50, 0, NULL}, {416, "bytes */40", NULL, NULL}, ANSWER_AGAIN, 0, ERANGE, ERROR_FAILED},
        {{50, 0, NULL}, {416, NULL, NULL, NULL}, ANSWER_AGAIN, 0, ERANGE, ERROR_FAILED},
        {{0, 0, NULL}, {416, "bytes */0", NULL, NULL}, ANSWER_ERROR, 0, EPROTO, ERROR_FAILED},
        /* others */
        {{0, 0, NULL}, {404, NULL, NULL, NULL}, ANSWER_ERROR, 0, ENOENT, ERROR_NOT_FOUND},
        {{50, 0, NULL}, {410, NULL, NULL, NULL}, ANSWER_ERROR, 0, ENOENT, ERROR_NOT_FOUND},
        {{0, 0, NULL}, {403, NULL, NULL, NULL}, ANSWER_ERROR, 0, EACCES, ERROR_FAILED},
        {{0, 0, NULL}, {500, NULL, NULL, NULL}, ANSWER_ERROR, 0, EBUSY, ERROR_RETRY},
        {{0, 0, NULL}, {503, NULL, NULL, NULL}, ANSWER_ERROR, 0, EBUSY, ERROR_RETRY},
        {{0, 0, NULL}, {429, NULL, NULL, NULL}, ANSWER_ERROR, 0, EBUSY, ERROR_RETRY},
        {{0, 0, NULL}, {204, NULL, NULL, NULL}, ANSWER_ERROR, 0, EPROTO, ERROR_FAILED},
        {{0, 0, NULL}, {302, NULL, NULL, NULL}, ANSWER_ERROR, 0, EPROTO, ERROR_FAILED},
        {{0, 0, NULL}, {400, NULL, NULL, NULL}, ANSWER_ERROR, 0, EPROTO, ERROR_FAILED},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        uint64_t size = 0;
        print_message("case %zu: status %u\n", i, cases[i].a.status);
        assert_int_equal(answer_meaning(&cases[i].q, &cases[i].a, &size, &e), cases[i].meaning);
        assert_int_equal(e.errnum, cases[i].errnum);
        if (e.errnum)
            assert_int_equal(e.class, cases[i].class);
        else
            assert_int_equal(size, cases[i].size);
    }
}

static void test_retry_after_is_parsed(void **state)
{
    (void)state;
    assert_int_equal(answer_retry_after(NULL), 0);
    assert_int_equal(answer_retry_after("5"), 5);
    assert_int_equal(answer_retry_after("100000"), 60);
    assert_int_equal(answer_retry_after("-1"), 0);
    assert_int_equal(answer_retry_after("Mon, 01 Jan 2024 00:00:00 GMT"), 0);
    assert_int_equal(answer_retry_after("99999999999999999999999"), 0);
}

static void test_pauses_end_with_the_attempts(void **state)
{
    (void)state;
    struct fetcher f = {.settings = {.retry_min_usec = 500000, .tries_max = 12}};
    struct retry retry = {0};
    for (unsigned i = 1; i < 12; i++)
        assert_in_range(fetcher_next_pause(&f, &retry), 400000, 36 * USEC_PER_SEC);
    assert_int_equal(fetcher_next_pause(&f, &retry), 0); /* the twelfth failure is the last */
    f.settings.tries_max = 1;
    assert_int_equal(fetcher_next_pause(&f, &(struct retry){0}), 0);
    f.settings.tries_max = 3;
    f.settings.retry_min_usec = 0;
    assert_int_not_equal(fetcher_next_pause(&f, &(struct retry){0}), 0);
    f.settings.retry_min_usec = 100 * USEC_PER_SEC;
    assert_true(fetcher_next_pause(&f, &(struct retry){0}) >=
                80 * USEC_PER_SEC); /* a configured pause is not shortened */
}

static void test_only_strong_validators_are_used(void **state)
{
    (void)state;
    static const char *const bad[] = {NULL, "", "W/\"a\"", "a", "\"a\r\n\"", "\"\x80\""};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_null(strong_etag(bad[i]));
    _cleanup_free_ char *good = strong_etag("\"a-1\""), *date = plain_date("Mon, 01 Jan 2024 00:00:00 GMT");
    assert_string_equal(good, "\"a-1\"");
    assert_non_null(date);
    assert_null(plain_date(""));
    assert_null(plain_date("a\nb"));
    const struct facts with = {.etag = "e", .last_modified = "d"}, dated = {.last_modified = "d"},
                       without = {0};
    assert_string_equal(facts_validator(&with), "e");
    assert_string_equal(facts_validator(&dated), "d");
    assert_null(facts_validator(&without));
}

static char *scratch(void)
{
    char *path = xstrdup("/tmp/hostlet-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void test_facts_are_stored(void **state)
{
    (void)state;
    _cleanup_free_ char *path = scratch();
    _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY);
    const struct facts facts = {.url = "http://h/x.ipk", .etag = "\"e\"", .sha256 = HEX_A, .size = 5};
    struct facts back = {0};
    _cleanup_free_ char *text = facts_text(&facts);
    assert_int_equal(facts_read(fd, "x", &back), -ENOENT);
    assert_int_equal(facts_write(fd, "x", text, NULL), 0);
    assert_int_equal(facts_read(fd, "x", &back), 0);
    struct package_reference p = {.sha256 = HEX_A, .size = 5}, unsized = {.sha256 = HEX_A},
                             other_size = {.sha256 = HEX_A, .size = 6},
                             other_hash = {.sha256 = HEX_B, .size = 5},
                             more = {.sha256 = HEX_A, .checksum = "sha256:" HEX_A, .size = 5};
    assert_true(facts_match(&back, "http://h/x.ipk", &p));
    assert_true(facts_match(&back, "http://h/x.ipk", &unsized));
    assert_false(facts_match(&back, "http://h/y.ipk", &p));
    assert_false(facts_match(&back, "http://h/x.ipk", &other_size));
    assert_false(facts_match(&back, "http://h/x.ipk", &other_hash));
    assert_false(facts_match(&back, "http://h/x.ipk", &more));
    facts_done(&back);
    facts_remove(fd, "x");
    assert_int_equal(facts_read(fd, "x", &back), -ENOENT);
    assert_int_equal(remove_tree_at(AT_FDCWD, path, NULL), 0);
}

static void test_references_are_checked(void **state)
{
    (void)state;
    const struct package_reference good = {.id = "demo_1.0.0_linux_amd64",
                                           .name = "Demo",
                                           .version = "1.0.0",
                                           .os = "linux",
                                           .arch = "amd64",
                                           .sha256 = HEX_A,
                                           .checksum = "sha256:" HEX_A,
                                           .size = 5};
    struct package_reference bad[] = {good, good, good, good, good, good, good};
    assert_int_equal(reference_check(&good, NULL), 0);
    bad[0].name = "../demo";
    bad[1].id = "demo_1.0.1_linux_amd64";
    bad[2].sha256 = "AAAA";
    bad[3].checksum = HEX_A;
    bad[4].size = -1;
    bad[5].version = "1.0/0";
    bad[6].name = "other";
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_INIT;
        assert_true(reference_check(&bad[i], &e) < 0);
        assert_int_equal(e.class, ERROR_REFUSED);
    }
    struct package_reference other = good;
    assert_int_equal(reference_same(&good, &other, "there", NULL), 0);
    other.sha256 = NULL;
    other.size = 0;
    assert_int_equal(reference_same(&good, &other, "there", NULL), 0);
    other.checksum = "sha256:" HEX_B;
    struct error e = ERROR_INIT;
    assert_int_equal(reference_same(&good, &other, "there", &e), -EEXIST);
    assert_int_equal(e.class, ERROR_CONFLICT);
    other = good;
    other.sha256 = HEX_B;
    assert_int_equal(reference_same(&good, &other, "there", NULL), -EEXIST);
    other = good;
    other.size = 6;
    assert_int_equal(reference_same(&good, &other, "there", NULL), -EEXIST);
}

static void test_repository_urls_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *url, *name, *path, *secret; /* name NULL: refused */
    } cases[] = {
        {"file:///srv/packages", "file:///srv/packages/", "/srv/packages", NULL},
        {"file:///srv/a%20b/", "file:///srv/a%20b/", "/srv/a b/", NULL},
        {"http://h/x", "http://h/x/", NULL, "http://h/x/"},
        {"http://h", "http://h/", NULL, "http://h/"},
        {"HTTPS://h:1/", "HTTPS://h:1/", NULL, "HTTPS://h:1/"},
        {"https://u:p@h/x", "https://h/x/", NULL, "https://u:p@h/x/"},
        {"https://u:p@w@h/x", "https://h/x/", NULL, "https://u:p@w@h/x/"},
        {"http://[::1]:80/x", "http://[::1]:80/x/", NULL, "http://[::1]:80/x/"},
        {"http://h/a@b", "http://h/a@b/", NULL, "http://h/a@b/"},
        {"file://srv/packages", NULL, NULL, NULL},
        {"file:///a%0", NULL, NULL, NULL},
        {"file:///a%00", NULL, NULL, NULL},
        {"http://", NULL, NULL, NULL},
        {"http://u:p@/x", NULL, NULL, NULL},
        {"http://u:p/q@h/x", NULL, NULL, NULL},
        {"http://h:port/x", NULL, NULL, NULL},
        {"http://[::1]:port/x", NULL, NULL, NULL},
        {"http://x:u:p#q@h/x", NULL, NULL, NULL},
        {"u:p@h/x", NULL, NULL, NULL},
        {"http://h/?q", NULL, NULL, NULL},
        {"http://h/#f", NULL, NULL, NULL},
        {"ftp://h/", NULL, NULL, NULL},
        {"/srv/packages", NULL, NULL, NULL},
        {"http://h/\x80", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fetcher fetcher = {0};
        struct repository *list = NULL;
        struct error e = ERROR_INIT;
        print_message("%s\n", cases[i].url);
        int r = repositories_parse(&fetcher, cases[i].url, false, &list, &e);
        assert_int_equal(r, cases[i].name ? 0 : -EINVAL);
        if (cases[i].name) {
            assert_string_equal(list->name, cases[i].name);
            assert_true(streq_null(list->path, cases[i].path));
            assert_true(streq_null(list->url, cases[i].secret));
            assert_ptr_equal(repositories_find(list, cases[i].name), list);
            repositories_free(list);
        } else {
            assert_int_equal(e.class, ERROR_REFUSED);
            assert_null(strstr(e.message, "u:p"));
        }
    }
    struct fetcher fetcher = {0};
    struct repository *list = NULL;
    assert_int_equal(repositories_parse(&fetcher, " file:///a\thttp://b  ", false, &list, NULL), 0);
    assert_string_equal(list->next->name, "http://b/");
    repositories_free(list);
    assert_int_equal(repositories_parse(&fetcher, "", false, &list, NULL), 0);
    assert_null(list);
    assert_int_equal(repositories_parse(&fetcher, "file:///a file:///a/", false, &list, NULL), -EINVAL);
}

static void test_files_outside_of_a_repository_are_refused(void **state)
{
    (void)state;
    const struct repository r = {.name = "http://h/"};
    static const char *const good[] = {"a.ipk", "a/b_1.0.0-r1+x.ipk"};
    static const char *const bad[] = {"",         "a",        "/a.ipk",  "../a.ipk",       "a/../b.ipk",
                                      "a/.b.ipk", "a//b.ipk", "a.ipk?x", "http://h/a.ipk", "%2e.ipk",
                                      ".ipk",     "a\n.ipk",  "-a.ipk",  "a b.ipk"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(repository_file_check(&r, good[i], NULL), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(repository_file_check(&r, bad[i], NULL), -EINVAL);
}

static void test_an_id_that_occurs_twice_is_refused(void **state)
{
    (void)state;
    struct package one = {.id = (char *)"b"}, two = {.id = (char *)"a"}, three = {.id = (char *)"b"};
    struct package_index_item items[] = {{.package = &one}, {.package = &two}, {.package = &three}};
    const struct package_index distinct = {items, 2, 2}, twice = {items, 3, 3}, empty = {items, 0, 0};
    struct error e = ERROR_INIT;
    assert_int_equal(index_check(&empty, &e), 0);
    assert_int_equal(index_check(&distinct, &e), 0);
    assert_int_equal(index_check(&twice, &e), -EBADMSG);
    assert_non_null(strstr(e.message, "'b' twice"));
}

/* An unreadable file is not an empty file, which would disable authentication silently. */
static void test_unreadable_credentials_are_an_error(void **state)
{
    (void)state;
    struct credentials *c = NULL;
    struct error e = ERROR_INIT;
    /* A regular file of mode 0600 whose first byte cannot be read. */
    assert_int_equal(credentials_read("/proc/self/mem", geteuid(), &c, &e), -EIO);
    assert_non_null(strstr(e.message, "cannot read '/proc/self/mem'"));
    assert_null(c);
}

static void test_credentials_are_found_by_host(void **state)
{
    (void)state;
    static const char text[] =
        "\xef\xbb\xbf# of the repositories\n"
        "machine a.example login me password one\n"
        "machine A.example:8443\n  login \"my self\"\n\tpassword \"t\\\"w\\\\o #\" # not this\n"
        "machine ::1 password v6 machine [::1]:81 login x password port\n";
    static const struct {
        const char *url, *user, *password; /* NULL: none */
    } cases[] = {
        {"https://a.example/x/", "me", "one"},
        {"http://A.EXAMPLE", "me", "one"},
        {"https://a.example:8443/", "my self", "t\"w\\o #"},
        {"https://a.example:84430/", "me", "one"},
        {"http://[::1]/x", "", "v6"},
        {"http://[::1]:81/x", "x", "port"},
        {"https://b.example/", NULL, NULL},
        {"https://xa.example/", NULL, NULL},
        {"https://a.example.org/", NULL, NULL},
        {"https://b.example/a.example", NULL, NULL},
        {"https://own:pw@a.example/", NULL, NULL},
        {"https://a.example@b.example/", NULL, NULL},
    };
    struct credentials *c = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(credentials_parse(text, "/f", &c, &e), 0);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *user = NULL, *password = NULL;
        print_message("%s\n", cases[i].url);
        assert_int_equal(credentials_find(c, cases[i].url, &user, &password), cases[i].user != NULL);
        assert_true(streq_null(user, cases[i].user) && streq_null(password, cases[i].password));
    }
    credentials_free(c);
    assert_false(credentials_find(NULL, "https://a.example/", NULL, NULL));
}

static void test_invalid_credentials_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"machine h login u\n", "/f:1: the last machine has no password"},
        {"\nmachine h\nmachine i password pw\n", "/f:3: the machine before has no password"},
        {"default login u password pw\n", "/f:1: expected machine"},
        {"machine h login u password pw\nmacdef init\n", "/f:2: expected machine"},
        {"machine h account u password pw\n", "/f:1: expected machine"},
        {"login u password pw\n", "/f:1: expected machine"},
        {"machine h password\n", "/f:1: a value is missing after 'password'"},
        {"machine h password pw password pw\n", "/f:1: 'password' occurs twice"},
        {"machine h password \"pw\n", "/f:1: a quote is not closed"},
        {"pw\n", "/f:1: expected machine"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct credentials *c = NULL;
        struct error e = ERROR_INIT;
        assert_int_equal(credentials_parse(cases[i].text, "/f", &c, &e), -EINVAL);
        assert_null(c);
        assert_int_equal(e.class, ERROR_REFUSED);
        assert_null(strstr(e.message, "pw"));
        if (!strstr(e.message, cases[i].message))
            fail_msg("'%s': %s", cases[i].text, e.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content_ranges_are_parsed),
        cmocka_unit_test(test_responses_have_the_right_meaning),
        cmocka_unit_test(test_retry_after_is_parsed),
        cmocka_unit_test(test_pauses_end_with_the_attempts),
        cmocka_unit_test(test_only_strong_validators_are_used),
        cmocka_unit_test(test_facts_are_stored),
        cmocka_unit_test(test_references_are_checked),
        cmocka_unit_test(test_repository_urls_are_parsed),
        cmocka_unit_test(test_files_outside_of_a_repository_are_refused),
        cmocka_unit_test(test_an_id_that_occurs_twice_is_refused),
        cmocka_unit_test(test_credentials_are_found_by_host),
        cmocka_unit_test(test_unreadable_credentials_are_an_error),
        cmocka_unit_test(test_invalid_credentials_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
