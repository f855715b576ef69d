/* Tests when the fetcher removes partial files that were not resumed for a week. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fetcher/store.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/remove_tree.h"
#include "simulated_clock.h"

#define DAY ((int64_t)(24 * 3600 * USEC_PER_SEC))

/* Makes a partial file that was written 'age' microseconds ago. */
static void make_partial(const struct store *store, const char *name, int64_t age)
{
    int64_t at = (now_realtime_msec() - age / (int64_t)USEC_PER_MSEC) / 1000;
    const struct timespec times[2] = {{.tv_sec = at}, {.tv_sec = at}};
    int fd = openat(store->partial_fd, name, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0 && futimens(fd, times) == 0);
    close(fd);
}

static bool exists(const struct store *store, const char *name)
{
    return faccessat(store->partial_fd, name, F_OK, 0) == 0;
}

static void test_partial_files_expire_unless_the_clock_is_in_doubt(void **state)
{
    (void)state;
    static const struct {
        int64_t set; /* how the clock is set after the start, microseconds */
        bool expires;
    } rows[] = {{0, true}, {30 * DAY, false}, {-DAY, false}, {-20000 * DAY, false}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char base[] = "/tmp/hostlet-test-XXXXXX";
        struct simulated_clock s;
        struct wall_guard wall;
        struct store store = STORE_INIT;
        struct error e = ERROR_INIT;
        assert_non_null(mkdtemp(base));
        const struct tree tree = {.var = base};
        assert_true(store_prepare(&tree, geteuid(), getegid(), &e) >= 0 &&
                    store_open(&store, &tree, &e) >= 0);
        make_partial(&store, "old.ipk", 8 * DAY);
        make_partial(&store, "young.ipk", 6 * DAY);
        simulated_clock_init(&s);
        s.realtime_usec = now_realtime_usec() + USEC_PER_SEC;
        wall_guard_init(&wall, &s.clock, NULL);
        simulated_clock_set(&s, rows[i].set);
        store_expire(&store, &wall);
        assert_int_equal(exists(&store, "old.ipk"), !rows[i].expires);
        assert_true(exists(&store, "young.ipk"));
        store_close(&store);
        assert_true(remove_tree_at(AT_FDCWD, base, &e) >= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partial_files_expire_unless_the_clock_is_in_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
