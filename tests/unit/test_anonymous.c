/* Tests which anonymous volumes of a container have to be copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "reconciler/rules/anonymous.h"

static struct driver_volume data = {(char *)"/data", (char *)"a"},
                            other = {(char *)"/var/lib/app", (char *)"b"},
                            shm = {(char *)"/dev/shm", (char *)"c"};
static struct driver_volume *all[] = {&data, &shm, &other}, *reserved[] = {&shm};

static struct driver_container container(struct driver_volume **volumes, size_t n)
{
    return (struct driver_container){.id = (char *)"abc",
                                     .state = DRIVER_EXITED,
                                     .started_at = 1000,
                                     .anonymous_volumes = volumes,
                                     .n_anonymous_volumes = n};
}

static void test_volumes_over_other_mounts_are_no_data(void **state)
{
    (void)state;
    struct driver_container c = container(all, 3);
    size_t n;
    char **paths = anonymous_paths(&c, &n);
    assert_int_equal(n, 2);
    assert_string_equal(paths[0], "/data");
    assert_string_equal(paths[1], "/var/lib/app");
    free(paths);
    c = container(reserved, 1);
    assert_false(anonymous_unsaved(&c, NULL));
}

static void test_a_copy_is_valid_for_one_run_of_one_container(void **state)
{
    (void)state;
    struct driver_container c = container(all, 3), none = container(NULL, 0);
    char *run = anonymous_run(&c);
    assert_true(anonymous_unsaved(&c, NULL));
    assert_false(anonymous_unsaved(&c, run));
    assert_false(anonymous_unsaved(&none, NULL));
    c.started_at = 2000; /* it has run since */
    assert_true(anonymous_unsaved(&c, run));
    c.started_at = 1000;
    c.id = (char *)"def"; /* another container */
    assert_true(anonymous_unsaved(&c, run));
    c.state = DRIVER_MISSING;
    assert_false(anonymous_unsaved(&c, NULL));
    free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_volumes_over_other_mounts_are_no_data),
                                       cmocka_unit_test(test_a_copy_is_valid_for_one_run_of_one_container)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
