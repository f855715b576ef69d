/* Tests what is checked before a message is unpacked, frames, and the values of gRPC headers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/grpc/frames.h"
#include "lib/grpc/message.h"
#include "lib/grpc/wire.h"
#include "lib/inapi/zone.pb-c.h"

#define MEMORY ((size_t)64 << 20)

/* Returns n levels of AppDeployStage.stages, from the inside out. */
static uint8_t *nested(unsigned n, size_t *ret_size)
{
    uint8_t *data = xcalloc(8 * (size_t)n + 1, 1), *at = data + 8 * (size_t)n;
    size_t size = 0;
    for (unsigned i = 1; i < n; i++) {
        size_t length = size;
        uint8_t head[8] = {0x82, 0x01};
        unsigned k = 2;
        do
            head[k++] = (uint8_t)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
        while (length >>= 7);
        at -= k;
        memcpy(at, head, k);
        size += k;
    }
    memmove(data, at, size);
    *ret_size = size;
    return data;
}

static void test_deep_nesting_is_refused(void **state)
{
    (void)state;
    size_t size = 0;
    struct error e = ERROR_INIT;
    _cleanup_free_ uint8_t *right = nested(GRPC_DEPTH_MAX, &size);
    _cleanup_message_ ProtobufCMessage *m = NULL;
    assert_int_equal(grpc_message_unpack(&inapi__app_deploy_stage__descriptor, right, size, MEMORY, &m, &e),
                     0);
    _cleanup_free_ uint8_t *deep = nested(GRPC_DEPTH_MAX + 1, &size);
    assert_int_equal(grpc_message_scan(&inapi__app_deploy_stage__descriptor, deep, size, MEMORY, NULL, &e),
                     -EBADMSG);
    assert_string_equal(e.message, "inapi.AppDeployStage: is nested too deeply");
    _cleanup_free_ uint8_t *bomb = nested(100000, &size);
    assert_int_equal(grpc_message_scan(&inapi__app_deploy_stage__descriptor, bomb, size, MEMORY, NULL, &e),
                     -EBADMSG);
}

/* 16 MiB of empty sub-messages would need hundreds of MiB. */
static void test_memory_is_limited(void **state)
{
    (void)state;
    size_t size = (size_t)16 << 20, memory = 0;
    struct error e = ERROR_INIT;
    _cleanup_free_ uint8_t *data = xcalloc(size, 1);
    for (size_t i = 0; i < size; i += 2)
        data[i] = 0x12; /* app_instances, empty */
    assert_int_equal(
        grpc_message_scan(&inapi__host_status_update_response__descriptor, data, size, MEMORY, &memory, &e),
        -EMSGSIZE);
    assert_int_equal(memory, 0);
    assert_string_equal(e.message, "inapi.AppInstance: would take more than 65536 KiB of memory");
    assert_int_equal(
        grpc_message_scan(&inapi__host_status_update_response__descriptor, data, size, SIZE_MAX, &memory, &e),
        0);
    assert_true(memory > (size_t)832 << 20);
}

struct heap {
    size_t used, peak;
};

static void *count_alloc(void *userdata, size_t size)
{
    struct heap *h = userdata;
    size_t *p = malloc(size + 16);
    *p = size;
    h->used += size + 16;
    h->peak = h->used > h->peak ? h->used : h->peak;
    return (char *)p + 16;
}

static void count_free(void *userdata, void *pointer)
{
    struct heap *h = userdata;
    if (!pointer)
        return;
    size_t *p = (size_t *)((char *)pointer - 16);
    h->used -= *p + 16;
    free(p);
}

/* The estimate of the scan is never below what unpacking allocates. */
static void test_the_estimate_covers_the_memory(void **state)
{
    (void)state;
    struct {
        uint8_t bytes[7];
        size_t size;
    } units[] = {
        {{0x12, 0}, 2},                  /* empty instance */
        {{0x12, 2, 0xb2, 0x01}, 0},      /* unused */
        {{0x12, 4, 0xb2, 1, 1, 'a'}, 6}, /* instance with one reference */
        {{0x32, 2, 0x42, 0}, 0},         /* unused */
        {{0xf8, 0x07, 1}, 3},            /* unknown number */
        {{0xfa, 0x07, 2, 'x', 'y'}, 5},  /* unknown bytes */
    };
    for (size_t u = 0; u < ARRAY_SIZE(units); u++)
        for (size_t n = 1; n < 5000 && units[u].size; n = n * 3 + 1) {
            size_t size = n * units[u].size, memory = 0;
            struct error e = ERROR_INIT;
            struct heap heap = {0};
            ProtobufCAllocator counting = {count_alloc, count_free, &heap};
            _cleanup_free_ uint8_t *data = xcalloc(size, 1);
            for (size_t i = 0; i < n; i++)
                memcpy(data + i * units[u].size, units[u].bytes, units[u].size);
            const ProtobufCMessageDescriptor *d = &inapi__host_status_update_response__descriptor;
            assert_int_equal(grpc_message_scan(d, data, size, SIZE_MAX, &memory, &e), 0);
            ProtobufCMessage *m = protobuf_c_message_unpack(d, &counting, size, data);
            assert_non_null(m);
            if (heap.peak > memory)
                fail_msg("unit %zu × %zu: %zu bytes taken, %zu foreseen", u, n, heap.peak, memory);
            protobuf_c_message_free_unpacked(m, &counting);
            assert_int_equal(heap.used, 0);
        }
}

static void test_malformed_messages_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *why;
    } cases[] = {
        {"\x1a\x02\xc3\x28", 4, "inapi.HostStatusUpdateResponse.vpc_bridge_ip: is no UTF-8 text"},
        {"\x1a\x01\x00", 3, "inapi.HostStatusUpdateResponse.vpc_bridge_ip: is no UTF-8 text"},
        {"\x1a\x03\xed\xa0\x80", 5, "inapi.HostStatusUpdateResponse.vpc_bridge_ip: is no UTF-8 text"},
        {"\x1a\x02\xc0\x80", 4, "inapi.HostStatusUpdateResponse.vpc_bridge_ip: is no UTF-8 text"},
        {"\x1a\x05ok", 4, "inapi.HostStatusUpdateResponse: is malformed"},
        {"\x1a", 1, "inapi.HostStatusUpdateResponse: is malformed"},
        {"\x18\x01", 2, "inapi.HostStatusUpdateResponse.vpc_bridge_ip: is of another type"},
        {"\x02\x00", 2, "inapi.HostStatusUpdateResponse: is malformed"},
        {"\x1b\x1c", 2, "inapi.HostStatusUpdateResponse: is malformed"}, /* a group */
        {"\x32\x00\x32\x00", 4, "inapi.HostStatusUpdateResponse.zone_network_map: is given twice"},
        {"\xf8\x07\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 12,
         "inapi.HostStatusUpdateResponse: is malformed"},
        {"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "inapi.HostStatusUpdateResponse: is malformed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        ProtobufCMessage *m = NULL;
        assert_int_equal(grpc_message_unpack(&inapi__host_status_update_response__descriptor,
                                             (const uint8_t *)cases[i].bytes, cases[i].size, MEMORY, &m, &e),
                         -EBADMSG);
        assert_string_equal(e.message, cases[i].why);
        assert_null(m);
    }
}

/* Invalid text from another source is corrected in place when it is packed. */
static void test_packing_corrects_text(void **state)
{
    (void)state;
    size_t size = 0;
    Inapi__PingResponse ping = INAPI__PING_RESPONSE__INIT;
    ping.message = (char *)"a\xff"
                           "b\xc3\xbc";
    _cleanup_free_ uint8_t *data = grpc_message_pack(&ping.base, 5, &size);
    assert_int_equal(size, 5 + 7);
    assert_memory_equal(data + 5,
                        "\x0a\x05"
                        "a?b\xc3\xbc",
                        7);
}

static int keep_message(uint8_t *data, size_t size, size_t room, void *userdata)
{
    struct heap *h = userdata;
    h->used += size;
    h->peak++;
    assert_true(room >= size);
    free(data);
    return 0;
}

static void test_frames_are_assembled(void **state)
{
    (void)state;
    static const uint8_t input[] = {0, 0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'x'};
    for (size_t step = 1; step <= sizeof input; step++) {
        struct grpc_budget budget = {.max = 100};
        struct grpc_frames f = {.message_max = 3, .budget = &budget};
        struct heap seen = {0};
        struct error e = ERROR_INIT;
        for (size_t i = 0; i < sizeof input; i += step)
            assert_int_equal(grpc_frames_feed(&f, input + i,
                                              sizeof input - i < step ? sizeof input - i : step, keep_message,
                                              &seen, &e),
                             0);
        assert_int_equal(seen.peak, 3);
        assert_int_equal(seen.used, 4);
        assert_int_equal(budget.used, 3 + 1 + 1);
        assert_true(grpc_frames_at_boundary(&f));
        grpc_frames_done(&f);
    }
    struct error e = ERROR_INIT;
    struct grpc_frames large = {.message_max = 3}, packed = {.message_max = 3}, cut = {.message_max = 3};
    assert_int_equal(
        grpc_frames_feed(&large, (const uint8_t *)"\0\377\377\377\377", 5, keep_message, NULL, &e),
        -EMSGSIZE);
    assert_null(large.data);
    assert_int_equal(grpc_frames_feed(&packed, (const uint8_t *)"\1\0\0\0\1", 5, keep_message, NULL, &e),
                     -EPROTONOSUPPORT);
    assert_int_equal(grpc_frames_feed(&cut, (const uint8_t *)"\0\0\0\0\3ab", 7, keep_message, NULL, &e), 0);
    assert_false(grpc_frames_at_boundary(&cut));
    grpc_frames_done(&cut);

    struct grpc_budget little = {.max = 600};
    struct grpc_frames one = {.message_max = 1000, .budget = &little}, two = one;
    assert_int_equal(grpc_frames_feed(&one, (const uint8_t *)"\0\0\0\2\0a", 6, keep_message, NULL, &e), 0);
    assert_int_equal(little.used, 512);
    assert_int_equal(grpc_frames_feed(&two, (const uint8_t *)"\0\0\0\2\0a", 6, keep_message, NULL, &e),
                     -EMSGSIZE);
    grpc_frames_done(&one);
    grpc_frames_done(&two);
    assert_int_equal(little.used, 0);
}

static void test_timeouts_are_formatted_and_parsed(void **state)
{
    (void)state;
    static const struct {
        uint64_t usec;
        const char *text;
    } cases[] = {{0, "0u"},
                 {1, "1u"},
                 {3000000, "3000000u"},
                 {99999999, "99999999u"},
                 {100000000, "100000m"},
                 {100000001, "100001m"},
                 {UINT64_C(400000000000000), "400000000S"},
                 {UINT64_MAX, "99999999H"}};
    char text[GRPC_TIMEOUT_SIZE];
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        grpc_timeout_format(cases[i].usec, text);
        if (i == 6)
            /* Nine digits of seconds are too many. */
            assert_string_equal(text, "6666667M");
        else
            assert_string_equal(text, cases[i].text);
    }
    static const char *const bad[] = {"", "1", "u", "123456789u", "-1u", "1 u", "1x", "1.5S"};
    uint64_t usec = 77;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(grpc_timeout_parse(bad[i], strlen(bad[i]), &usec), -EINVAL);
    assert_int_equal(usec, 77);
    assert_int_equal(grpc_timeout_parse("1001n", 5, &usec), 0);
    assert_int_equal(usec, 2);
    assert_int_equal(grpc_timeout_parse("99999999H", 9, &usec), 0);
    assert_true(usec == UINT64_C(99999999) * 3600 * USEC_PER_SEC);
}

static void test_statuses_and_messages_are_converted(void **state)
{
    (void)state;
    _cleanup_free_ char *encoded = grpc_message_encode("a%b\n\xc3\xbc\xff~"),
                        *decoded = grpc_message_decode(encoded, strlen(encoded)),
                        *odd = grpc_message_decode("50% a%2", 7), *nul = grpc_message_decode("a%00b", 5);
    assert_string_equal(encoded, "a%25b%0A%C3%BC?~");
    assert_string_equal(decoded, "a%b\n\xc3\xbc?~");
    assert_string_equal(odd, "50% a%2");
    assert_string_equal(nul, "a?b");
    assert_string_equal(grpc_status_name(GRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
    assert_string_equal(grpc_status_name(99), "UNKNOWN");
}

static void test_all_occurrences_of_a_field_are_found(void **state)
{
    (void)state;
    static const uint8_t data[] = {0x12, 1, 'a', 0x08, 1, 0x1a, 1, 'n', 0x12, 0, 0x12, 9, 'x'};
    size_t at = 0, size = 7;
    const uint8_t *value = NULL;
    assert_true(grpc_message_next(data, sizeof data, 2, &at, &value, &size));
    assert_int_equal(size, 1);
    assert_int_equal(*value, 'a');
    assert_true(grpc_message_next(data, sizeof data, 2, &at, &value, &size));
    assert_int_equal(size, 0);
    assert_false(grpc_message_next(data, sizeof data, 2, &at, &value, &size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deep_nesting_is_refused),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_the_estimate_covers_the_memory),
        cmocka_unit_test(test_malformed_messages_are_refused),
        cmocka_unit_test(test_packing_corrects_text),
        cmocka_unit_test(test_frames_are_assembled),
        cmocka_unit_test(test_timeouts_are_formatted_and_parsed),
        cmocka_unit_test(test_statuses_and_messages_are_converted),
        cmocka_unit_test(test_all_occurrences_of_a_field_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
