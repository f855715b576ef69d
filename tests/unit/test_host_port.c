/* Tests ports of this machine: their text, and which of them exclude each other. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/app/host_port.h"

static struct host_port port_of(const char *text)
{
    struct app_service_port b = {.name = NULL};
    struct error e = ERROR_INIT;
    if (host_binding_parse(text, &b, &e) < 0)
        fail_msg("%s: %s", text, e.message);
    struct host_port port = host_port_of(&b);
    host_binding_reduce(&b);
    return port;
}

static void bindings_are_parsed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *normal; /* NULL: refused */
        int64_t last;
        const char *why;
    } cases[] = {
        {"8080", "8080", 0, NULL},
        {"8080/tcp", "8080", 0, NULL},
        {"53/udp", "53/udp", 0, NULL},
        {"0.0.0.0:8080", "8080", 0, NULL},
        {"127.0.0.1:53/udp", "127.0.0.1:53/udp", 0, NULL},
        {"[::]:8080", "[::]:8080", 0, NULL},
        {"[0:0::0]:8080", "[::]:8080", 0, NULL},
        {"[2001:DB8:0:0::1]:1/udp", "[2001:db8::1]:1/udp", 0, NULL},
        {"[::ffff:127.0.0.1]:8080", "127.0.0.1:8080", 0, NULL},
        {"[::ffff:0.0.0.0]:8080", "8080", 0, NULL},
        {"8080-8089", "8080", 8089, NULL},
        {"8080-8080", "8080", 0, NULL},
        {"127.0.0.1:1-65535/udp", "127.0.0.1:1/udp", 65535, NULL},
        {"[::1]:8080-8089", "[::1]:8080", 8089, NULL},
        {"", NULL, 0, "expected a port"},
        {"0", NULL, 0, "expected a port"},
        {"65536", NULL, 0, "expected a port"},
        {"-1", NULL, 0, "expected a port"},
        {"+80", NULL, 0, "expected a port"},
        {" 80", NULL, 0, "expected a port"},
        {"80 ", NULL, 0, "expected a port"},
        {"80:80", NULL, 0, "'80' is not an IP address"},
        {"8080:80/tcp", NULL, 0, "'8080' is not an IP address"},
        {"127.0.0.1", NULL, 0, "expected a port"},
        {"127.0.0.1:", NULL, 0, "expected a port"},
        {":80", NULL, 0, "expected a port"},
        {"localhost:80", NULL, 0, "'localhost' is not an IP address"},
        {"*:80", NULL, 0, "'*' is not an IP address"},
        {"256.0.0.1:80", NULL, 0, "'256.0.0.1' is not an IP address"},
        {"::1:80", NULL, 0, "expected a port"},
        {"::", NULL, 0, "expected a port"},
        {"[::1]", NULL, 0, "expected a port"},
        {"[::1:80", NULL, 0, "expected a port"},
        {"[127.0.0.1]:80", NULL, 0, "expected a port"},
        {"[]:80", NULL, 0, "expected a port"},
        {"[::g]:80", NULL, 0, "'::g' is not an IP address"},
        {"[fe80::1]:80", NULL, 0, "'fe80::1' is valid on one link alone"},
        {"[fe80::1%eth0]:80", NULL, 0, "is not an IP address"},
        {"224.0.0.1:80", NULL, 0, "'224.0.0.1' is no address of one machine"},
        {"255.255.255.255:80", NULL, 0, "is no address of one machine"},
        {"[ff02::1]:80", NULL, 0, "is no address of one machine"},
        {"8089-8080", NULL, 0, "8080 is less than 8089"},
        {"8080-", NULL, 0, "expected a port"},
        {"-8080", NULL, 0, "expected a port"},
        {"80-90-100", NULL, 0, "expected a port"},
        {"80/sctp", NULL, 0, "'sctp' is neither tcp nor udp"},
        {"80/", NULL, 0, "'' is neither tcp nor udp"},
        {"80/UDP", NULL, 0, "'UDP' is neither tcp nor udp"},
        {"80/udp/tcp", NULL, 0, "expected a port"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct app_service_port b = {.name = NULL};
        struct error e = ERROR_INIT;
        char text[HOST_PORT_TEXT_SIZE] = "";
        int r = host_binding_parse(cases[i].text, &b, &e);
        struct host_port port = host_port_of(&b);
        if (r >= 0)
            host_port_text(&port, text);
        if ((r >= 0) != !!cases[i].normal || (r >= 0 && strcmp(text, cases[i].normal)) ||
            (r < 0 && !strstr(e.message, cases[i].why)))
            fail_msg("'%s' gives %d: '%s', %s", cases[i].text, r, text, e.message);
        if (r >= 0)
            assert_int_equal(b.host_port_last, cases[i].last);
        host_binding_reduce(&b);
    }
}

static void ports_exclude_each_other_by_protocol_and_address(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool overlap;
    } cases[] = {
        {"80", "80", true},
        {"80", "81", false},
        {"80", "80/udp", false},
        {"80/udp", "80/udp", true},
        {"80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.0.0.1:80", "127.0.0.2:80", false},
        {"127.0.0.1:80/udp", "80", false},
        {"80", "[::]:80", false}, /* the engine binds [::] for IPv6 alone */
        {"127.0.0.1:80", "[::1]:80", false},
        {"[::]:80", "[::1]:80", true},
        {"[::1]:80", "[::2]:80", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct host_port a = port_of(cases[i].a), b = port_of(cases[i].b);
        if (host_port_overlaps(&a, &b) != cases[i].overlap || host_port_overlaps(&b, &a) != cases[i].overlap)
            fail_msg("%s and %s", cases[i].a, cases[i].b);
    }
    struct host_port both = port_of("[::]:80"), four = port_of("127.0.0.1:80"), six = port_of("[::1]:80");
    both.dual = true;
    assert_true(host_port_overlaps(&both, &four) && host_port_overlaps(&four, &both));
    assert_true(host_port_overlaps(&both, &six) && host_port_overlaps(&six, &both));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bindings_are_parsed),
        cmocka_unit_test(ports_exclude_each_other_by_protocol_and_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
