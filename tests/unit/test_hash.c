/* Tests FNV-1a with known texts, since labels of containers and ids of images contain its hashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/basic/hash.h"

static void test_known_texts_have_their_hash(void **state)
{
    (void)state;
    assert_true(fnv1a(FNV1A_BEGIN, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(fnv1a(FNV1A_BEGIN, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(fnv1a(FNV1A_BEGIN, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(fnv1a(fnv1a(FNV1A_BEGIN, "foo", 3), "bar", 3) == UINT64_C(0x85944171f73967e8));
    assert_true(fnv1a(FNV1A_BEGIN, "\xff", 1) == (FNV1A_BEGIN ^ 0xff) * UINT64_C(0x100000001b3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known_texts_have_their_hash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
