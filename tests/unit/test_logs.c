/* Tests frames of containers' output, received in pieces of any size. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/logs/frames.h"

struct seen {
    char text[256];
    size_t n;
};

static int on_piece(int stream, const void *data, size_t size, void *userdata)
{
    struct seen *s = userdata;
    s->n += (size_t)snprintf(s->text + s->n, sizeof s->text - s->n, "%d:%.*s;", stream, (int)size,
                             (const char *)data);
    return 0;
}

static void frames_may_arrive_in_any_pieces(void **state)
{
    (void)state;
    static const char input[] = "\1\0\0\0\0\0\0\3abc"
                                "\2\0\0\0\0\0\0\0"
                                "\2\0\0\0\0\0\0\2xy"
                                "\3\0\0\0\0\0\0\1z";
    struct log_frames whole = {0};
    struct seen s = {0};
    assert_int_equal(log_frames_feed(&whole, input, sizeof input - 1, on_piece, &s, NULL), 0);
    assert_string_equal(s.text, "1:abc;2:xy;2:z;");
    assert_true(log_frames_at_boundary(&whole));
    for (size_t step = 1; step < sizeof input; step++) {
        struct log_frames f = {0};
        size_t total = 0;
        for (size_t i = 0; i < sizeof input - 1; i += step) {
            size_t n = sizeof input - 1 - i < step ? sizeof input - 1 - i : step;
            assert_int_equal(log_frames_feed(&f, input + i, n, NULL, NULL, NULL), 0);
            total += n;
        }
        assert_int_equal(total, sizeof input - 1);
        assert_true(log_frames_at_boundary(&f));
    }
}

static void truncated_and_invalid_frames_are_detected(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct log_frames cut = {0}, text = {0}, huge = {0};
    assert_int_equal(log_frames_feed(&cut, "\1\0\0\0\0\0\0\3ab", 10, NULL, NULL, &e), 0);
    assert_false(log_frames_at_boundary(&cut));
    assert_int_equal(log_frames_feed(&text, "plain text\n", 11, NULL, NULL, &e), -EPROTO);
    assert_int_equal(log_frames_feed(&huge, "\1\0\0\0\377\0\0\0", 8, NULL, NULL, &e), -EPROTO);
}

static void a_header_is_read_back(void **state)
{
    (void)state;
    uint8_t header[LOG_FRAME_HEADER];
    log_frame_header(LOG_STREAM_ERROR, 0x010203, header);
    struct log_frames f = {0};
    assert_int_equal(log_frames_feed(&f, header, sizeof header, NULL, NULL, NULL), 0);
    assert_int_equal(f.left, 0x010203);
    assert_int_equal(f.stream, LOG_STREAM_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_may_arrive_in_any_pieces),
        cmocka_unit_test(truncated_and_invalid_frames_are_detected),
        cmocka_unit_test(a_header_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
