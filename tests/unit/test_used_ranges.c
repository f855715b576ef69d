/* Tests how container-driver reads the kernel's addresses and routes. The test makes the kernel's replies:
 * kinds of routes that this machine need not have, dumps during which something changes, and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "container-driver/used_ranges.h"
#include "lib/basic/cleanup.h"

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* A part of a reply, which is filled from the front. */
struct part {
    size_t size;
    _Alignas(NLMSG_ALIGNTO) char data[1024];
};

static struct part parts[16];
static size_t n_parts, at_part;
static unsigned asked;  /* number of requested dumps */
static int interrupted; /* how many more times a signal interrupts recv() */

/* The linker replaces recv() and send() with these functions (--wrap). */
ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
    (void)fd, (void)data, (void)flags;
    asked++;
    return (ssize_t)size;
}

ssize_t __wrap_recv(int fd, void *buffer, size_t size, int flags)
{
    (void)fd, (void)size, (void)flags;
    if (interrupted > 0) {
        interrupted--;
        errno = EINTR;
        return -1;
    }
    if (at_part == n_parts) {
        errno = EAGAIN; /* the error of a time-out */
        return -1;
    }
    const struct part *part = &parts[at_part++];
    memcpy(buffer, part->data, part->size < sizeof part->data ? part->size : sizeof part->data);
    return (ssize_t)part->size;
}

static int begin(void **state)
{
    (void)state;
    memset(parts, 0, sizeof parts);
    n_parts = at_part = 0;
    asked = 0;
    interrupted = 0;
    return 0;
}

/* --- messages --- */

static void *put(struct part *p, const void *data, size_t size)
{
    void *to = p->data + p->size;
    assert_true(p->size + NLMSG_ALIGN(size) <= sizeof p->data);
    memcpy(to, data, size);
    p->size += NLMSG_ALIGN(size);
    return to;
}

/* Begins a message; message_end() sets its length. */
static struct nlmsghdr *message(struct part *p, uint16_t type, const void *head, size_t size)
{
    const struct nlmsghdr header = {.nlmsg_type = type, .nlmsg_flags = NLM_F_MULTI};
    struct nlmsghdr *m = put(p, &header, sizeof header);
    put(p, head, size);
    return m;
}

static void message_end(struct part *p, struct nlmsghdr *m)
{
    m->nlmsg_len = (uint32_t)(p->data + p->size - (char *)m);
}

static void attribute(struct part *p, uint16_t type, const void *data, size_t size)
{
    const struct rtattr a = {.rta_type = type, .rta_len = (unsigned short)RTA_LENGTH(size)};
    put(p, &a, sizeof a);
    put(p, data, size);
}

static void attribute_address(struct part *p, uint16_t type, uint32_t address)
{
    address = htonl(address);
    attribute(p, type, &address, sizeof address);
}

static struct part *new_part(void)
{
    assert_true(n_parts < ARRAY_SIZE(parts));
    return &parts[n_parts++];
}

static void put_done(struct part *p, uint16_t flags)
{
    const int zero = 0;
    struct nlmsghdr *m = message(p, NLMSG_DONE, &zero, sizeof zero);
    m->nlmsg_flags |= flags;
    message_end(p, m);
}

static struct nlmsghdr *put_route(struct part *p, unsigned char type, unsigned char bits,
                                  uint32_t destination)
{
    const struct rtmsg route = {.rtm_family = AF_INET, .rtm_type = type, .rtm_dst_len = bits};
    struct nlmsghdr *m = message(p, RTM_NEWROUTE, &route, sizeof route);
    if (bits > 0)
        attribute_address(p, RTA_DST, destination);
    return m;
}

static void put_loopback(struct part *p)
{
    const struct ifaddrmsg head = {.ifa_family = AF_INET, .ifa_prefixlen = 8, .ifa_index = 1};
    struct nlmsghdr *m = message(p, RTM_NEWADDR, &head, sizeof head);
    attribute_address(p, IFA_ADDRESS, IP(127, 0, 0, 0));
    attribute_address(p, IFA_LOCAL, IP(127, 0, 0, 1));
    message_end(p, m);
}

/* --- looks --- */

static struct used_range *read_ranges(size_t *ret_n)
{
    struct used_range *ranges = NULL;
    struct error e = ERROR_INIT;
    if (used_ranges_read(&ranges, ret_n, &e) < 0)
        fail_msg("%s", e.message);
    return ranges;
}

static int failure(struct error *e)
{
    struct used_range *ranges = NULL;
    size_t n;
    *e = (struct error)ERROR_INIT;
    int r = used_ranges_read(&ranges, &n, e);
    assert_null(ranges);
    return r;
}

static unsigned count(const struct used_range *ranges, size_t n, enum address_use use, uint32_t first,
                      unsigned bits)
{
    unsigned found = 0;
    for (size_t i = 0; i < n; i++)
        found += ranges[i].use == use && ranges[i].first == first && ranges[i].bits == bits;
    return found;
}

static unsigned count_all(const struct used_range *ranges, size_t n)
{
    unsigned found = 0; /* without name servers, which are from this machine's resolv.conf */
    for (size_t i = 0; i < n; i++)
        found += ranges[i].use != USE_NAME_SERVER;
    return found;
}

static void test_addresses_and_routes_are_read(void **state)
{
    (void)state;
    struct part *p = new_part();
    put_loopback(p);
    /* The reader ignores an address of IPv6 and an address that is cut off. */
    const struct ifaddrmsg other = {.ifa_family = AF_INET6};
    struct nlmsghdr *m = message(p, RTM_NEWADDR, &other, sizeof other);
    attribute_address(p, IFA_ADDRESS, IP(10, 9, 0, 0));
    message_end(p, m);
    message_end(p, message(p, RTM_NEWADDR, &other, 4));
    put_done(new_part(), 0);
    p = new_part();
    m = put_route(p, RTN_UNICAST, 0, 0); /* of the default route, only the next hop counts */
    attribute_address(p, RTA_GATEWAY, IP(10, 0, 0, 1));
    message_end(p, m);
    m = put_route(p, RTN_UNICAST, 24, IP(10, 0, 1, 0));
    const int device = 1;
    attribute(p, RTA_OIF, &device, sizeof device);
    message_end(p, m);
    message_end(p, put_route(p, RTN_LOCAL, 16, IP(10, 3, 0, 0)));
    message_end(p, put_route(p, RTN_MULTICAST, 4, IP(224, 0, 0, 0)));
    put_done(p, 0);
    interrupted = 1;
    size_t n;
    _cleanup_free_ struct used_range *ranges = read_ranges(&n);
    assert_int_equal(count_all(ranges, n), 5);
    assert_int_equal(count(ranges, n, USE_ADDRESS, IP(127, 0, 0, 0), 8), 1);
    assert_int_equal(count(ranges, n, USE_ADDRESS, IP(127, 0, 0, 1), 32), 1);
    assert_int_equal(count(ranges, n, USE_GATEWAY, IP(10, 0, 0, 1), 32), 1);
    assert_int_equal(count(ranges, n, USE_ROUTE, IP(10, 0, 1, 0), 24), 1);
    assert_int_equal(count(ranges, n, USE_ADDRESS, IP(10, 3, 0, 0), 16), 1);
    assert_string_equal(ranges[0].device, "lo");
}

/* Adds a hop of a route with several hops; a gateway of 0 is none. */
static void put_hop(struct part *hops, uint32_t gateway)
{
    const struct rtnexthop hop = {.rtnh_ifindex = 1};
    struct rtnexthop *h = put(hops, &hop, sizeof hop);
    if (gateway)
        attribute_address(hops, RTA_GATEWAY, gateway);
    h->rtnh_len = (unsigned short)(hops->data + hops->size - (char *)h);
}

static void test_every_hop_of_a_route_counts(void **state)
{
    (void)state;
    put_done(new_part(), 0);
    struct part *p = new_part(), hops = {.size = 0};
    put_hop(&hops, IP(10, 0, 0, 1));
    put_hop(&hops, 0); /* on the device itself */
    put_hop(&hops, IP(10, 0, 0, 2));
    struct nlmsghdr *m = put_route(p, RTN_UNICAST, 24, IP(10, 0, 1, 0));
    attribute(p, RTA_MULTIPATH, hops.data, hops.size);
    message_end(p, m);
    put_done(p, 0);
    size_t n;
    _cleanup_free_ struct used_range *ranges = read_ranges(&n);
    assert_int_equal(count_all(ranges, n), 3);
    assert_int_equal(count(ranges, n, USE_GATEWAY, IP(10, 0, 0, 1), 32), 1);
    assert_int_equal(count(ranges, n, USE_GATEWAY, IP(10, 0, 0, 2), 32), 1);
    assert_int_equal(count(ranges, n, USE_ROUTE, IP(10, 0, 1, 0), 24), 1);
    assert_string_equal(ranges[0].device, "lo");
}

static void test_a_dump_during_a_change_is_requested_again(void **state)
{
    (void)state;
    struct part *p = new_part();
    put_loopback(p);
    put_done(p, NLM_F_DUMP_INTR);
    p = new_part();
    put_loopback(p);
    put_done(p, 0);
    put_done(new_part(), 0);
    size_t n;
    _cleanup_free_ struct used_range *ranges = read_ranges(&n);
    assert_int_equal(asked, 3);
    assert_int_equal(count_all(ranges, n), 2); /* each once */
}

static void test_the_fifth_dump_during_a_change_fails(void **state)
{
    (void)state;
    struct error e;
    for (int i = 0; i < 10; i++)
        put_done(new_part(), NLM_F_DUMP_INTR);
    assert_int_equal(failure(&e), -EAGAIN);
    assert_int_equal(asked, 5);
    assert_non_null(strstr(e.message, "cannot read this machine's addresses and routes"));
}

static void test_errors_of_the_kernel_are_returned(void **state)
{
    struct error e;
    const struct nlmsgerr refused = {.error = -EPERM}, none = {.error = 0};
    struct part *p = new_part();
    message_end(p, message(p, NLMSG_ERROR, &refused, sizeof refused));
    assert_int_equal(failure(&e), -EPERM);
    begin(state);
    p = new_part();
    message_end(
        p, message(p, NLMSG_ERROR, &none, sizeof none)); /* an acknowledgement does not reply to a dump */
    assert_int_equal(failure(&e), -EPROTO);
    begin(state);
    p = new_part();
    message_end(p, message(p, NLMSG_ERROR, &refused, 4)); /* cut off */
    assert_int_equal(failure(&e), -EPROTO);
    /* The second dump fails as well as the first. */
    begin(state);
    put_done(new_part(), 0);
    assert_int_equal(failure(&e), -EAGAIN);
    /* A reply that is larger than the reader's buffer. */
    begin(state);
    new_part()->size = 65537;
    assert_int_equal(failure(&e), -EMSGSIZE);
}

#define RANGES_TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RANGES_TEST(test_addresses_and_routes_are_read),
        RANGES_TEST(test_every_hop_of_a_route_counts),
        RANGES_TEST(test_a_dump_during_a_change_is_requested_again),
        RANGES_TEST(test_the_fifth_dump_during_a_change_fails),
        RANGES_TEST(test_errors_of_the_kernel_are_returned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
