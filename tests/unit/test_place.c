/* Tests which addresses a redirect must not lead to, in all notations. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/http/place.h"

#define SELF HTTP_PLACE_SELF
#define LINK HTTP_PLACE_LINK

static void addresses_have_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned place;
    } cases[] = {
        {"127.0.0.1", SELF},
        {"127.255.255.254", SELF},
        {"0.0.0.0", SELF},
        {"0.1.2.3", SELF},
        {"169.254.169.254", LINK},
        {"169.254.0.1", LINK},
        {"100.100.100.200", LINK},
        {"::1", SELF},
        {"::", SELF},
        {"fe80::1", LINK},
        {"fe80::1%lo", LINK},
        {"febf::1", LINK},
        {"fd00:ec2::254", LINK},
        {"::ffff:127.0.0.1", SELF},
        {"::ffff:169.254.169.254", LINK},
        {"::127.0.0.1", SELF},
        {"64:ff9b::7f00:1", SELF},
        {"64:ff9b::a9fe:a9fe", LINK},
        {"10.0.0.1", 0},
        {"192.168.1.1", 0},
        {"126.255.255.255", 0},
        {"128.0.0.1", 0},
        {"1.0.0.1", 0},
        {"169.253.0.1", 0},
        {"169.255.0.1", 0},
        {"100.100.100.201", 0},
        {"::ffff:10.0.0.1", 0},
        {"fec0::1", 0},
        {"fd00:ec2::253", 0},
        {"2001:db8::1", 0},
        {"64:ff9b::a00:1", 0},
        {"no address", 0},
        {"", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (http_place_of_text(cases[i].text) != cases[i].place)
            fail_msg("'%s' is %u", cases[i].text, http_place_of_text(cases[i].text));
    }
}

static void hosts_of_urls_have_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        unsigned place;
    } cases[] = {
        {"http://127.0.0.1/", SELF},
        {"http://127.1:80/x", SELF},
        {"http://2130706433/", SELF},
        {"http://0x7f000001/", SELF},
        {"http://0177.0.0.1/", SELF},
        {"http://[::1]:8080/x", SELF},
        {"https://localhost/", SELF},
        {"http://LocalHost.:1/", SELF},
        {"http://a.localhost/", SELF},
        {"http://u:p@127.0.0.1/", SELF},
        {"http://[fe80::1%25lo]/", LINK},
        {"http://169.254.169.254/latest/", LINK},
        {"http://[::ffff:7f00:1]/", SELF},
        {"http://localhost.example/", 0},
        {"http://127.0.0.1.example/", 0},
        {"http://example/127.0.0.1", 0},
        {"http://127.0.0.1@example/", 0},
        {"http://10.0.0.1/", 0},
        {"no URL\n", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (http_place_of_url(cases[i].url) != cases[i].place)
            fail_msg("'%s' is %u", cases[i].url, http_place_of_url(cases[i].url));
}

static void proxies_of_the_environment_are_recognised(void **state)
{
    (void)state;
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unsetenv(names[i]);
    assert_false(http_is_proxy("127.0.0.1", 3128));
    setenv("http_proxy", "http://user:secret@127.0.0.1:3128", 1);
    assert_true(http_is_proxy("127.0.0.1", 3128));
    assert_false(http_is_proxy("127.0.0.1", 80));
    assert_false(http_is_proxy("127.0.0.10", 3128));
    setenv("https_proxy", "[::1]:81", 1);
    assert_true(http_is_proxy("::1", 81));
    setenv("all_proxy", "proxy.example", 1); /* a name can resolve to any address */
    assert_true(http_is_proxy("10.0.0.1", 1080));
    assert_false(http_is_proxy("10.0.0.1", 80));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        unsetenv(names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses_have_their_place),
                                       cmocka_unit_test(hosts_of_urls_have_their_place),
                                       cmocka_unit_test(proxies_of_the_environment_are_recognised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
