/* Tests the limits for peers: accounts of memory, and the cost of their frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/account.h"
#include "lib/grpc/tally.h"

static struct peer peer_of(const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct peer peer;
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    peer_from_socket((const struct sockaddr *)&six, &peer);
    return peer;
}

static void test_accounts_enforce_their_limits(void **state)
{
    (void)state;
    struct grpc_accounts all = {.max = {{10, 15, 30}, {40, 40, 50}}};
    struct grpc_account a = {.held = 1}, same = {.held = 0}, b = {.held = 0}, c = {.held = 0};
    const struct peer one = peer_of("fd00::1"), two = peer_of("fd00:0:0:2::1"),
                      three = peer_of("fd00:0:0:3::1");
    /* Bytes that are added before the account is opened count afterwards. */
    grpc_account_add(&a, 1);
    grpc_account_open(&all, &a, &one, NULL);
    grpc_account_open(&all, &same, &one, NULL);
    grpc_account_open(&all, &b, &two, NULL);
    grpc_account_open(&all, &c, &three, NULL);
    assert_int_equal(all.held[GRPC_STRANGERS], 2);
    assert_int_equal(grpc_account_judge(&a, 8), GRPC_ACCOUNT_FITS);
    assert_int_equal(grpc_account_judge(&a, 9),
                     GRPC_ACCOUNT_TOO_MUCH); /* more than the connection may hold */
    grpc_account_add(&a, 8);
    assert_int_equal(grpc_account_judge(&same, 5), GRPC_ACCOUNT_FITS);
    assert_int_equal(grpc_account_judge(&same, 6), GRPC_ACCOUNT_TOO_MUCH); /* more than the origin may hold */
    grpc_account_add(&same, 5);
    grpc_account_add(&b, 10);
    assert_int_equal(grpc_account_judge(&c, 5), GRPC_ACCOUNT_FITS);
    assert_int_equal(grpc_account_judge(&c, 6), GRPC_ACCOUNT_FULL);
    /* The connection that holds most, of the origin that holds most, is evicted; never one of an origin that
     * holds less than the new one would. */
    assert_ptr_equal(grpc_account_heaviest(&c, 6), &a);
    assert_ptr_equal(grpc_account_heaviest(&b, 1), &a);
    assert_null(grpc_account_heaviest(&same, 1));
    grpc_account_leave(&a);
    assert_int_equal(all.held[GRPC_STRANGERS], 15);
    assert_int_equal(grpc_account_judge(&c, 6), GRPC_ACCOUNT_FITS);
    grpc_account_sub(&a, 10); /* gives back what does not count any more */
    assert_int_equal(all.held[GRPC_STRANGERS], 15);
    /* A connection that shows a token no longer counts as unauthenticated. */
    grpc_account_trust(&b);
    assert_int_equal(all.held[GRPC_STRANGERS], 5);
    assert_int_equal(all.held[GRPC_TRUSTED], 10);
    assert_int_equal(grpc_account_judge(&b, 30), GRPC_ACCOUNT_FITS);
    assert_int_equal(grpc_account_judge(&b, 31), GRPC_ACCOUNT_TOO_MUCH);
    assert_null(grpc_account_heaviest(&b, 100));
    grpc_account_close(&a);
    grpc_account_close(&b);
    grpc_account_close(&same);
    grpc_account_close(&c);
    grpc_account_close(&c);
    assert_int_equal(all.held[GRPC_STRANGERS], 0);
    assert_int_equal(all.held[GRPC_TRUSTED], 0);
    assert_null(all.first);
}

/* The same bytes contain the same frames, however they are divided into reads. */
static void test_the_cost_of_frames_does_not_depend_on_reads(void **state)
{
    (void)state;
    static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const struct {
        uint8_t type;
        size_t size;
        unsigned frames;
    } sent[] = {
        {4, 6, 1},   {8, 4, 1},   {0xf5, 0, 1}, {0xf5, 70000, 1}, {0, 0, 1}, {0, 255, 1},
        {0, 256, 0}, {0, 300, 0}, {6, 8, 1},    {1, 20, 1},       {9, 0, 1}, {3, 4, 1},
    };
    static uint8_t bytes[80000];
    size_t n = sizeof preface - 1;
    unsigned frames = 0;
    memcpy(bytes, preface, n);
    for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
        const uint8_t header[9] = {(uint8_t)(sent[i].size >> 16), (uint8_t)(sent[i].size >> 8),
                                   (uint8_t)sent[i].size, sent[i].type};
        memcpy(bytes + n, header, sizeof header);
        n += sizeof header + sent[i].size;
        frames += sent[i].frames;
    }
    for (size_t step = 1; step < 40; step++) {
        struct grpc_tally tally = {.preface = GRPC_PREFACE_SIZE};
        unsigned found = 0, cost = 0;
        for (size_t at = 0; at < n; at += step) {
            struct grpc_toll toll = grpc_tally(&tally, bytes + at, n - at < step ? n - at : step);
            found += toll.frames;
            cost += toll.cost;
        }
        assert_int_equal(found, frames);
        assert_true(cost >= ARRAY_SIZE(sent) + n / step);
    }
    struct grpc_tally tally = {.preface = GRPC_PREFACE_SIZE};
    struct grpc_toll toll = grpc_tally(&tally, bytes, n);
    assert_int_equal(toll.frames, frames);
    assert_true(toll.cost >= ARRAY_SIZE(sent) + n / 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accounts_enforce_their_limits),
                                       cmocka_unit_test(test_the_cost_of_frames_does_not_depend_on_reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
