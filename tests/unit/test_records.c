/* Tests the text of the file with the names of the zone's applications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "lib/basic/cleanup.h"
#include "net-keeper/records_text.h"

static struct net_record items[16], *pointers[16];

static struct net_network network_of(size_t n, const struct net_record *records, char *domain)
{
    for (size_t i = 0; i < n; i++) {
        items[i] = records[i];
        pointers[i] = &items[i];
    }
    return (struct net_network){.domain = domain, .records = pointers, .n_records = n};
}

static void expect(const struct net_network *network, const char *text, const char *problem)
{
    size_t size;
    _cleanup_free_ char *why = NULL, *made = records_text(network, &size, &why);
    assert_int_equal(size, strlen(made));
    assert_ptr_equal(strstr(made, RECORDS_HEADER), made);
    assert_string_equal(made + strlen(RECORDS_HEADER), text);
    if (problem)
        assert_non_null(strstr(why ?: "", problem));
    else
        assert_null(why);
}

static void test_records_are_sorted_and_grouped(void **state)
{
    (void)state;
    const struct net_record records[] = {{"web_1", "10.10.2.3"}, {"db_0", "10.10.10.4"},
                                         {"web_1", "10.10.1.9"}, {"db_0", "10.10.9.4"},
                                         {"web_1", "10.10.2.3"}, {"a", "10.10.0.2"}};
    const struct net_network network = network_of(ARRAY_SIZE(records), records, "zone.test");
    expect(&network,
           "\n[[records]]\nname = \"a.zone.test\"\nips = [\"10.10.0.2\"]\n"
           "\n[[records]]\nname = \"db_0.zone.test\"\nips = [\"10.10.9.4\", \"10.10.10.4\"]\n"
           "\n[[records]]\nname = \"web_1.zone.test\"\nips = [\"10.10.1.9\", \"10.10.2.3\"]\n",
           NULL);
}

static void test_hostile_names_are_left_out(void **state)
{
    (void)state;
    char label[65], name[260];
    memset(label, 'x', 64);
    label[64] = '\0';
    memset(name, 'x', sizeof name - 1);
    for (size_t i = 50; i < sizeof name - 1; i += 50)
        name[i] = '.';
    name[sizeof name - 1] = '\0';
    const struct net_record records[] = {{"a\"]\n[other]\nx = \"", "10.0.0.1"},
                                         {"a b", "10.0.0.1"},
                                         {"", "10.0.0.1"},
                                         {".a", "10.0.0.1"},
                                         {"a..b", "10.0.0.1"},
                                         {"-a", "10.0.0.1"},
                                         {"a-", "10.0.0.1"},
                                         {label, "10.0.0.1"},
                                         {name, "10.0.0.1"},
                                         {"\xc3\xa9", "10.0.0.1"},
                                         {"a\x7f", "10.0.0.1"},
                                         {"good", "10.0.0.1"},
                                         {"bad", "10.0.0.256"},
                                         {"bad", "10.0.0.1\"]"},
                                         {"a\\b", "10.0.0.1"}};
    const struct net_network network = network_of(ARRAY_SIZE(records), records, "zone.test");
    expect(&network, "\n[[records]]\nname = \"good.zone.test\"\nips = [\"10.0.0.1\"]\n",
           "14 of the zone's names cannot be written, such as 'a\"]?[other]");
}

static void test_a_zone_without_a_domain_has_no_names(void **state)
{
    (void)state;
    const struct net_record record = {"a", "10.0.0.1"};
    static char *const domains[] = {NULL, "", "a b", "x\"", "zone..test", "zone.test."};
    for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
        const struct net_network network = network_of(1, &record, domains[i]);
        expect(&network, "", "no domain");
    }
    const struct net_network none = network_of(0, NULL, "zone.test");
    expect(&none, "", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_are_sorted_and_grouped),
        cmocka_unit_test(test_hostile_names_are_left_out),
        cmocka_unit_test(test_a_zone_without_a_domain_has_no_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
