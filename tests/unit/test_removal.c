/* Tests the names of kept data while the clock is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/app-path/app_path.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/remove_tree.h"
#include "provisioner/removal.h"

/* A kept directory from the future shows that the clock stands before the records. What is kept now is newer
 * all the same: it is what the next deploy gets back. */
static void test_data_is_kept_as_the_newest_while_the_clock_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *existing, *kept;
    } rows[] = {
        {"i8k_web_0.removed-20990101T000000", "i8k_web_0.removed-20990101T000000-1"},
        {"i8k_web_0.removed-20990101T000000-7", "i8k_web_0.removed-20990101T000000-8"},
        {"i8k_web_0.removed-20990101T000000-9999", "i8k_web_0.removed-20990101T000001"},
        {"i8k_other_0.removed-20990101T000000", "i8k_web_0.removed-20990101T000000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char base[] = "/tmp/hostlet-test-XXXXXX";
        struct error e = ERROR_INIT;
        _cleanup_free_ char *kept = NULL, *newest = NULL;
        bool hidden;
        assert_non_null(mkdtemp(base));
        _cleanup_close_ int apps = app_path_open(base, &e);
        assert_true(apps >= 0);
        assert_int_equal(mkdirat(apps, rows[i].existing, 0700), 0);
        assert_int_equal(mkdirat(apps, "i8k_web_0", 0700), 0);
        assert_int_equal(removal_keep(base, "i8k_web_0", &kept, &hidden, &e), 0);
        assert_string_equal(kept, rows[i].kept);
        assert_int_equal(app_path_newest_kept(apps, "i8k_web_0", &newest, &e), 0);
        assert_string_equal(newest, kept);
        assert_true(remove_tree_at(AT_FDCWD, base, &e) >= 0);
    }
}

/* Before, only data of 1970 is kept; the app path itself changed later, which is a record too. */
static void test_data_is_not_dated_before_the_last_change_of_the_app_path(void **state)
{
    (void)state;
    char base[] = "/tmp/hostlet-test-XXXXXX";
    struct error e = ERROR_INIT;
    _cleanup_free_ char *kept = NULL;
    struct app_path_entry entry;
    const struct timespec times[2] = {{.tv_sec = 4102444800}, {.tv_sec = 4102444800}};
    bool hidden;
    assert_non_null(mkdtemp(base));
    _cleanup_close_ int apps = app_path_open(base, &e);
    assert_int_equal(mkdirat(apps, "i8k_web_0", 0700), 0);
    assert_int_equal(futimens(apps, times), 0);
    assert_int_equal(removal_keep(base, "i8k_web_0", &kept, &hidden, &e), 0);
    assert_true(app_path_entry_parse(kept, &entry));
    assert_int_equal(entry.removed_at, 4102444800);
    app_path_entry_clear(&entry);
    assert_true(remove_tree_at(AT_FDCWD, base, &e) >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_is_kept_as_the_newest_while_the_clock_is_wrong),
        cmocka_unit_test(test_data_is_not_dated_before_the_last_change_of_the_app_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
