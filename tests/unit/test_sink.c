/* Tests the fetcher's sink: bytes that arrive in pieces of any size become the package, and wrong bytes are
 * never published. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetcher/sink.h"
#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/package/header.h"

#define ID "demo_1.0.0_linux_amd64"

struct fixture {
    char *root;
    struct store store;
    sd_event *event;
    uint8_t *bytes; /* the package */
    size_t size;
    char sha256[SHA256_HEX_SIZE], checksum[80];
    struct package_reference package;
    struct sink *sink;
    bool changed, stopped;
};

static void hash(const void *data, size_t size, char ret[SHA256_HEX_SIZE])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    assert_int_equal(EVP_Digest(data, size, digest, &n, EVP_sha256(), NULL), 1);
    bytes_to_hex(digest, n, ret);
}

static void make_package(struct fixture *f, size_t block_size)
{
    uint8_t *block = xcalloc(1, block_size);
    char block_hash[SHA256_HEX_SIZE];
    random_bytes(block, block_size);
    hash(block, block_size, block_hash);
    snprintf(f->checksum, sizeof f->checksum, "sha256:%s", block_hash);
    _cleanup_free_ char *header =
        xasprintf("{\"metadata\":{\"name\":\"demo\"},\"release\":{\"version\":\"1.0.0\",\"os\":\"linux\","
                  "\"arch\":\"amd64\",\"size\":%zu,\"checksum\":\"%s\"}}",
                  block_size, f->checksum);
    uint32_t n = (uint32_t)strlen(header); /* all supported machines are little-endian */
    f->size = 8 + n + block_size;
    f->bytes = xcalloc(1, f->size);
    memcpy(f->bytes, "IPK1", 4);
    memcpy(f->bytes + 4, &n, 4);
    memcpy(f->bytes + 8, header, n);
    memcpy(f->bytes + 8 + n, block, block_size);
    free(block);
    hash(f->bytes, f->size, f->sha256);
    f->package = (struct package_reference){.id = (char *)ID,
                                            .name = (char *)"demo",
                                            .version = (char *)"1.0.0",
                                            .os = (char *)"linux",
                                            .arch = (char *)"amd64",
                                            .sha256 = f->sha256,
                                            .checksum = f->checksum,
                                            .size = (int64_t)f->size};
}

static int set_up(void **state)
{
    static const char *const failpoints[] = {"fetch.partial_opened", "fetch.begun",     "fetch.bytes",
                                             "fetch.received",       "fetch.verified",  "fetch.synced",
                                             "fetch.renamed",        "remove.unlinked", NULL};
    failpoint_table(failpoints);
    struct fixture *f = xcalloc(1, sizeof *f);
    f->root = xstrdup("/tmp/hostlet-test-XXXXXX");
    assert_non_null(mkdtemp(f->root));
    struct tree tree = {.var = f->root};
    f->store = (struct store)STORE_INIT;
    struct error e = ERROR_INIT;
    if (store_prepare(&tree, geteuid(), getegid(), &e) < 0 || store_open(&f->store, &tree, &e) < 0)
        fail_msg("%s", e.message);
    assert_true(sd_event_new(&f->event) >= 0);
    make_package(f, 3000000);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    sink_free(f->sink);
    sd_event_unref(f->event);
    store_close(&f->store);
    remove_tree_at(AT_FDCWD, f->root, NULL);
    free(f->root);
    free(f->bytes);
    free(f);
    return 0;
}

static void on_change(void *userdata)
{
    ((struct fixture *)userdata)->changed = true;
}

static void on_stopped(void *userdata)
{
    ((struct fixture *)userdata)->stopped = true;
}

static void open_sink(struct fixture *f, bool fresh)
{
    const struct sink_options options = {.store = &f->store,
                                         .package = &f->package,
                                         .size_max = 1 << 24,
                                         .keep_free = 0,
                                         .on_change = on_change,
                                         .userdata = f};
    struct error e = ERROR_INIT;
    if (sink_new(f->event, &options, fresh, &f->sink, &e) < 0)
        fail_msg("%s", e.message);
}

static void begin(struct fixture *f)
{
    const struct facts facts = {.url = (char *)"http://h/x.ipk", .size = f->package.size};
    sink_restart(f->sink, &facts);
}

static void run_loop(struct fixture *f)
{
    assert_true(sd_event_run(f->event, 20 * USEC_PER_SEC) > 0); /* 0: nothing happened for too long */
}

/* Passes bytes in pieces of varying sizes, waiting for room as a transfer does. */
static void feed(struct fixture *f, const uint8_t *data, size_t size, size_t piece_max)
{
    size_t piece = 1;
    while (size > 0 && sink_result(f->sink, NULL) == 0) {
        size_t n = piece < size ? piece : size;
        if (sink_room(f->sink) < n) {
            run_loop(f);
            continue;
        }
        sink_write(f->sink, data, n);
        data += n;
        size -= n;
        piece = piece * 7 % piece_max + 1;
    }
}

/* Waits until the thread has ended its work, and returns its result. */
static int result(struct fixture *f, struct error *e)
{
    int r;
    while ((r = sink_result(f->sink, e)) == 0)
        run_loop(f);
    return r;
}

static void stop(struct fixture *f)
{
    f->stopped = false;
    sink_stop(f->sink, on_stopped, f);
    while (!f->stopped)
        run_loop(f);
    f->sink = NULL;
}

static void assert_published(struct fixture *f)
{
    _cleanup_free_ char *path = NULL, *there = NULL;
    uint64_t size = 0;
    size_t n = 0;
    struct error e = ERROR_INIT;
    assert_int_equal(store_find(&f->store, &f->package, &path, &size, &e), 1);
    assert_int_equal(size, f->size);
    assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 24, &there, &n, NULL), 0);
    assert_int_equal(n, f->size);
    assert_memory_equal(there, f->bytes, n);
    assert_int_equal(faccessat(f->store.partial_fd, ID ".ipk", F_OK, 0), -1);
    assert_int_equal(faccessat(f->store.partial_fd, ID ".json", F_OK, 0), -1);
}

static void assert_nothing_published(struct fixture *f)
{
    _cleanup_free_ char *path = NULL;
    uint64_t size = 0;
    assert_int_equal(store_find(&f->store, &f->package, &path, &size, NULL), 0);
}

static void test_pieces_of_any_size_become_the_package(void **state)
{
    struct fixture *f = *state;
    static const size_t pieces[] = {1 << 16, 16384, 997};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        struct error e = ERROR_INIT;
        open_sink(f, true);
        begin(f);
        feed(f, f->bytes, f->size, pieces[i]);
        assert_int_equal(sink_position(f->sink), f->size);
        sink_end(f->sink);
        assert_int_equal(result(f, &e), 1);
        stop(f);
        assert_published(f);
        assert_int_equal(store_remove(&f->store, "demo", ID, &e), 0);
        assert_nothing_published(f);
    }
}

static void test_a_partial_file_is_resumed(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    static const size_t cuts[] = {0, 3, 8, 9, 100, 300, 1000000, 2999999};
    open_sink(f, true);
    begin(f);
    for (size_t i = 0; i + 1 < ARRAY_SIZE(cuts); i++) {
        feed(f, f->bytes + cuts[i], cuts[i + 1] - cuts[i], 5000);
        stop(f); /* the bytes in the ring are written first */
        open_sink(f, false);
        assert_int_equal(sink_position(f->sink), cuts[i + 1]);
    }
    feed(f, f->bytes + 2999999, f->size - 2999999, 5000);
    sink_end(f->sink);
    assert_int_equal(result(f, &e), 1);
    stop(f);
    assert_published(f);
}

static void test_a_restart_discards_the_partial_file(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    _cleanup_free_ uint8_t *junk = xcalloc(1, 900000);
    memcpy(junk, f->bytes, 400);
    open_sink(f, true);
    begin(f);
    feed(f, junk, 900000, 16384);
    begin(f); /* while the thread works */
    assert_int_equal(sink_position(f->sink), 0);
    feed(f, f->bytes, f->size, 16384);
    sink_end(f->sink);
    assert_int_equal(result(f, &e), 1);
    stop(f);
    assert_published(f);
    /* A partial file longer than the package is discarded too. */
    assert_int_equal(store_remove(&f->store, "demo", ID, &e), 0);
    int fd = openat(f->store.partial_fd, ID ".ipk", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write_all(fd, f->bytes, f->size), 0);
    assert_int_equal(write_all(fd, junk, 1000), 0);
    close(fd);
    open_sink(f, false);
    begin(f);
    feed(f, f->bytes, f->size, 16384);
    sink_end(f->sink);
    assert_int_equal(result(f, &e), 1);
    stop(f);
    assert_published(f);
}

static void test_wrong_bytes_are_not_published(void **state)
{
    struct fixture *f = *state;
    for (int kind = 0; kind < 6; kind++) {
        struct error e = ERROR_INIT;
        struct package_reference kept = f->package;
        size_t size = f->size, at = kind == 0 ? 0 : kind == 1 ? 20 : f->size - 1;
        uint8_t before = f->bytes[at];
        if (kind < 3)
            f->bytes[at] ^= 1; /* magic, header, data */
        if (kind == 3)
            size--;
        if (kind == 4)
            f->package.sha256 = (char *)"0000000000000000000000000000000000000000000000000000000000000000";
        if (kind == 5) {
            f->package.sha256 = NULL;
            f->package.checksum =
                (char *)"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        }
        open_sink(f, true);
        begin(f);
        feed(f, f->bytes, size, 16384);
        sink_end(f->sink);
        print_message("kind %d\n", kind);
        assert_int_equal(result(f, &e), -EBADMSG);
        assert_int_equal(e.class, ERROR_FAILED);
        assert_non_null(strstr(e.message, ID));
        stop(f);
        f->bytes[at] = before;
        f->package = kept;
        assert_nothing_published(f);
    }
}

static void test_a_file_that_is_not_a_package_is_detected_at_once(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    open_sink(f, true);
    begin(f);
    sink_write(f->sink, "<html>..", 8);
    assert_int_equal(result(f, &e), -EBADMSG); /* without sink_end() */
    stop(f);
}

static void test_more_bytes_than_the_package_are_refused(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    open_sink(f, true);
    begin(f);
    feed(f, f->bytes, f->size, 16384);
    sink_write(f->sink, "x", 1);
    assert_int_equal(result(f, &e), -EBADMSG);
    stop(f);
    assert_nothing_published(f);
}

static void test_a_local_file_is_copied(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    _cleanup_free_ char *path = xasprintf("%s/source", f->root);
    assert_int_equal(replace_file(path, f->bytes, f->size, 0644, &e), 0);
    for (int half = 0; half < 2; half++) {
        open_sink(f, !half);
        if (!half)
            begin(f);
        assert_int_equal(sink_position(f->sink), half ? 1500000 : 0);
        sink_copy(f->sink, open(path, O_RDONLY | O_CLOEXEC));
        assert_int_equal(result(f, &e), 1);
        stop(f);
        assert_published(f);
        assert_int_equal(store_remove(&f->store, "demo", ID, &e), 0);
        int fd = openat(f->store.partial_fd, ID ".ipk", O_WRONLY | O_CREAT, 0600);
        assert_int_equal(write_all(fd, f->bytes, 1500000), 0);
        close(fd);
    }
}

static void test_the_sink_can_be_stopped_at_any_moment(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 40; i++) {
        open_sink(f, i % 3 == 0);
        if (i % 3 == 0)
            begin(f);
        uint64_t position = sink_position(f->sink);
        if (i % 5 != 4 && position < f->size)
            feed(f, f->bytes + position, (f->size - position) / 3, 16384);
        stop(f);
    }
    open_sink(f, false);
    uint64_t position = sink_position(f->sink);
    struct error e = ERROR_INIT;
    feed(f, f->bytes + position, f->size - position, 16384);
    sink_end(f->sink);
    assert_int_equal(result(f, &e), 1);
    stop(f);
    assert_published(f);
}

static void test_other_contents_in_the_store_are_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct error e = ERROR_INIT;
    open_sink(f, true);
    begin(f);
    feed(f, f->bytes, f->size, 16384);
    sink_end(f->sink);
    assert_int_equal(result(f, &e), 1);
    stop(f);
    struct package_reference other = f->package;
    _cleanup_free_ char *path = NULL;
    uint64_t size = 0;
    other.checksum = (char *)"sha256:0000000000000000000000000000000000000000000000000000000000000000";
    assert_int_equal(store_find(&f->store, &other, &path, &size, &e), -EEXIST);
    assert_int_equal(e.class, ERROR_CONFLICT);
    assert_published(f);
    /* A damaged package is replaced by a valid one. */
    _cleanup_free_ char *there = store_package_path(&f->store, "demo", ID);
    assert_int_equal(truncate(there, 50), 0);
    assert_nothing_published(f);
    assert_int_equal(access(there, F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces_of_any_size_become_the_package, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_partial_file_is_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_restart_discards_the_partial_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_bytes_are_not_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_not_a_package_is_detected_at_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_more_bytes_than_the_package_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_local_file_is_copied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_sink_can_be_stopped_at_any_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_contents_in_the_store_are_a_conflict, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
