/* Tests package files: versions, ids, headers, compression. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/package/compress_encoder.h"
#include "lib/package/header.h"
#include "lib/package/id.h"
#include "lib/package/version.h"

static void versions_are_ordered(void **state)
{
    (void)state;
    /* Each version is newer than the one before it. */
    static const char *const ordered[] = {
        "not a version",
        "0.0.1",
        "0.9",
        "1.0.0-1",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
        "1.0.0-rc1",
        "1.0.0-rc1-r3",
        "1.0.0-rc2",
        "1.0.0",
        "1.0.0-r1",
        "1.0.0-r2",
        "1.0.0-r10",
        "1.0.1-rc1",
        "1.0.1",
        "1.0.10",
        "1.9",
        "1.10.0",
        "2",
        "10.0.0",
        "99999999999999999999999.0.0",
        "100000000000000000000000.0.0",
    };
    for (size_t i = 0; i < ARRAY_SIZE(ordered); i++)
        for (size_t j = 0; j < ARRAY_SIZE(ordered); j++) {
            int r = version_compare(ordered[i], ordered[j]);
            if ((r > 0) - (r < 0) != (i > j) - (i < j))
                fail_msg("'%s' against '%s' is %d", ordered[i], ordered[j], r);
        }
    assert_int_equal(version_compare("1.0.0", "1.0.0+build"), 0);
    assert_int_equal(version_compare("1.0", "1.0.0"), 0);
    assert_int_equal(version_compare("01.002.0", "1.2.0"), 0);
}

static void hostile_versions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "1.",
        "1..0",
        "1.0.0.0",
        "v1.0.0",
        "1.0.0-",
        "1.0.0-a..b",
        "1.0.0+",
        "1.0.0/../../x",
        "1.0.0_1",
        "1.0.0 ",
        " 1.0.0",
        "-1.0.0",
        "1.0.0-\xc3\xa9",
        "1.0.0\n",
        "0x10.0.0",
        "1.0.0-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error e = ERROR_INIT;
        if (version_check(bad[i], &e) != -EINVAL || e.class != ERROR_REFUSED)
            fail_msg("'%s' is taken for a version", bad[i]);
    }
    assert_int_equal(version_check("1.0.0--r2", NULL), 0);
    assert_int_equal(version_rule_check("", NULL), 0);
    assert_int_equal(version_rule_check("2.0", NULL), 0);
    assert_int_equal(version_rule_check("2.x", NULL), -EINVAL);
}

/* Returns the index of the newest of n versions that satisfies the rule (the first of equal ones), or −1. */
static ssize_t newest_of(const char *rule, const char *const *versions, size_t n)
{
    ssize_t best = -1;
    for (size_t i = 0; i < n; i++)
        if (version_matches(rule, versions[i]) &&
            (best < 0 || version_compare(versions[i], versions[best]) > 0))
            best = (ssize_t)i;
    return best;
}

static void version_rules_select_the_newest(void **state)
{
    (void)state;
    /* The responses of a real leader, and the rest of the contract's section 7. */
    static const char *const versions[] = {"1.0.0", "1.0.1-r1", "1.0.1", "2.0.3", "2.0.12", "20.0.0", "junk"};
    static const struct {
        const char *rule, *best;
    } cases[] = {
        {"1.0", "1.0.1-r1"},      {"1", "1.0.1-r1"},        {"1.0.1", "1.0.1"},
        {"1.0.1-r1", "1.0.1-r1"}, {"1.0.1-R1", "1.0.1-r1"}, {"2.0", "2.0.12"},
        {"2", "2.0.12"},          {"", "20.0.0"},           {"9", NULL},
        {"1.0.1-r2", NULL},       {"2.0.1", NULL},          {"junk", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        ssize_t at = newest_of(cases[i].rule, versions, ARRAY_SIZE(versions));
        const char *found = at < 0 ? NULL : versions[at];
        if (!streq_null(found, cases[i].best))
            fail_msg("rule '%s' gives '%s'", cases[i].rule, found ?: "nothing");
    }
    assert_int_equal(newest_of("", versions, 0), -1);
    static const struct {
        const char *version, *bare;
    } rebuilds[] = {{"1.0.1-r1", "1.0.1"},          {"1.0.1", "1.0.1"},
                    {"1.0.1-rc1", "1.0.1-rc1"},     {"1.0.1-rc1-r22", "1.0.1-rc1"},
                    {"1.0.1-a.-r2", "1.0.1-a.-r2"}, {"1.0.1-r1+b", "1.0.1+b"}};
    for (size_t i = 0; i < ARRAY_SIZE(rebuilds); i++) {
        _cleanup_free_ char *bare = version_without_rebuild(rebuilds[i].version);
        assert_string_equal(bare, rebuilds[i].bare);
    }
}

static void names_and_ids_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     ".",   "..",  ".x",    "-x",       "a/b",
                                      "a..b", "a b", "a\n", "a\x7f", "\xc3\xa9", "../x"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (package_name_check(bad[i], NULL) != -EINVAL)
            fail_msg("'%s' is taken for a name", bad[i]);
    char longest[PACKAGE_NAME_LENGTH_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(package_name_check(longest, NULL), -EINVAL);
    longest[sizeof longest - 2] = '\0';
    assert_int_equal(package_name_check(longest, NULL), 0);
    assert_int_equal(package_name_check("g++-12_x.y", NULL), 0);

    _cleanup_free_ char *id = NULL;
    assert_int_equal(package_id_make("Tiny_App", "1.0.1-R1", "Linux", "AMD64", &id, NULL), 0);
    assert_string_equal(id, "tiny_app_1.0.1-r1_linux_amd64");
    struct package_id parsed;
    assert_int_equal(package_id_parse(id, &parsed, NULL), 0);
    assert_string_equal(parsed.name, "tiny_app");
    assert_string_equal(parsed.version, "1.0.1-r1");
    assert_string_equal(parsed.os, "linux");
    assert_string_equal(parsed.arch, "amd64");
    package_id_clear(&parsed);
    assert_int_equal(package_file_name_parse("tiny_1.0.0_all_src.ipk", &parsed, NULL), 0);
    package_id_clear(&parsed);
    assert_int_equal(package_id_check("Tiny_App", id, NULL), 0);
    assert_int_equal(package_id_check("tiny", id, NULL), -EINVAL);
    static const char *const bad_ids[] = {"",
                                          "tiny",
                                          "_1.0.0_linux_amd64",
                                          "tiny_1.0.0_linux",
                                          "tiny__linux_amd64",
                                          "tiny_1.0.0_linux_",
                                          "Tiny_1.0.0_linux_amd64",
                                          "../x_1.0.0_linux_amd64",
                                          "x_1.0.0_linux_../a",
                                          "tiny_1.0.0_linux_amd64 "};
    for (size_t i = 0; i < ARRAY_SIZE(bad_ids); i++)
        if (package_id_parse(bad_ids[i], &parsed, NULL) != -EINVAL)
            fail_msg("'%s' is taken for an id", bad_ids[i]);
    assert_int_equal(package_file_name_parse("tiny_1.0.0_linux_amd64", &parsed, NULL), -EINVAL);
}

/* Makes a package file in memory with this header; 'length' 0 means the actual length. */
static int make_file(const char *header, uint32_t length, const char *data)
{
    int fd = memfd_create("ipk", MFD_CLOEXEC);
    if (length == 0)
        length = (uint32_t)strlen(header);
    assert_int_equal(write_all(fd, "IPK1", 4), 0);
    assert_int_equal(write_all(fd, &length, 4), 0);
    assert_int_equal(write_all(fd, header, strlen(header)), 0);
    assert_int_equal(write_all(fd, data, strlen(data)), 0);
    return fd;
}

#define SUM "sha256:46954a9913000fe5dc5e491d6ed4f5029d73cd8662ff6acb225f9fb22aae1010"
#define HEAD                                                                                                 \
    "{\"metadata\":{\"name\":\"Tiny\"},\"release\":{\"version\":\"1.0.0\",\"os\":\"linux\",\"arch\":"        \
    "\"amd64\","
#define GOOD HEAD "\"checksum\":\"" SUM "\",\"size\":4,\"compress\":\"xz\",\"unknown\":[1]}}"

static void header_vectors_are_read_and_written(void **state)
{
    (void)state;
    static const struct {
        const char *file, *id;
        enum compression compression;
        uint64_t size;
    } cases[] = {
        {"tiny_1.0.0_linux_amd64.ipk", "tiny_1.0.0_linux_amd64", COMPRESSION_XZ, 416},
        {"tiny_1.0.1_linux_amd64.ipk", "tiny_1.0.1_linux_amd64", COMPRESSION_GZIP, 368},
        {"tiny_1.0.1-r1_linux_amd64.ipk", "tiny_1.0.1-r1_linux_amd64", COMPRESSION_XZ, 420},
        {"tiny_1.0.2_linux_amd64.ipk", "tiny_1.0.2_linux_amd64", COMPRESSION_XZ, 432},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_free_ char *path = xasprintf(VECTORS "/ipk/%s", cases[i].file);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        _cleanup_package_ struct package *p = NULL;
        uint64_t offset, size;
        struct error e = ERROR_INIT;
        if (package_header_read(fd, path, &p, &offset, &size, &e) < 0)
            fail_msg("%s", e.message);
        assert_string_equal(p->id, cases[i].id);
        assert_string_equal(p->description, "vector package");
        assert_int_equal(p->compression, cases[i].compression);
        assert_int_equal(p->size, cases[i].size);
        assert_int_equal(size, cases[i].size);

        /* Written again, the start of the file is the same, byte for byte. */
        _cleanup_close_ int copy = memfd_create("head", MFD_CLOEXEC);
        assert_int_equal(package_header_write(copy, p, NULL), 0);
        _cleanup_free_ char *ours = xcalloc(1, offset + 1), *theirs = xcalloc(1, offset + 1);
        assert_int_equal(pread(copy, ours, offset + 1, 0), offset);
        assert_int_equal(pread(fd, theirs, offset, 0), offset);
        assert_memory_equal(ours, theirs, offset);
    }
}

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *data, *message;
        uint32_t length;
    } cases[] = {
        {GOOD, "abc", "truncated", 0},
        {GOOD, "abcde", "trailing data", 0},
        {GOOD, "", "within its header", 100000},
        {GOOD, "abcd", "would have 0 bytes", UINT32_MAX}, /* UINT32_MAX stands for 0, see below */
        {GOOD, "abcd", "would have 1048577 bytes", PACKAGE_HEADER_MAX + 1},
        {"[]", "abcd", "not described by an object", 0},
        {"{\"metadata\":{\"name\":\"a\"},\"metadata\":{}}", "x", "not JSON", 0},
        {"{\"metadata\":{\"name\":\"a\"}}", "x", "release is missing", 0},
        {"{\"release\":{}}", "x", "metadata is missing", 0},
        {HEAD "\"size\":4}}", "abcd", "release.checksum is missing", 0},
        {HEAD "\"checksum\":\"sha256:46\"}}", "abcd", "release.checksum", 0},
        {HEAD "\"checksum\":\"md5:d41d8cd98f00b204e9800998ecf8427e\"}}", "abcd", "release.checksum", 0},
        {HEAD "\"checksum\":7}}", "abcd", "release.checksum is not a string", 0},
        {HEAD "\"checksum\":\"" SUM "\",\"size\":\"4\"}}", "abcd", "release.size is not a whole number", 0},
        {HEAD "\"checksum\":\"" SUM "\",\"size\":-4}}", "abcd", "release.size is negative", 0},
        {HEAD "\"checksum\":\"" SUM "\",\"size\":99999999999999999999}}", "abcd", "not JSON", 0},
        {HEAD "\"checksum\":\"" SUM "\",\"compress\":\"rar\"}}", "abcd", "'rar' is not known", 0},
        {"{\"metadata\":{\"name\":\"../"
         "x\"},\"release\":{\"version\":\"1\",\"os\":\"linux\",\"arch\":\"amd64\","
         "\"checksum\":\"" SUM "\"}}",
         "abcd", "is not a package name", 0},
        {"{\"metadata\":{\"name\":\"x\"},\"release\":{\"version\":\"1/"
         "..\",\"os\":\"linux\",\"arch\":\"amd64\","
         "\"checksum\":\"" SUM "\"}}",
         "abcd", "is not a version", 0},
        {"{\"metadata\":{\"name\":\"x\"},\"release\":{\"version\":\"1\",\"os\":\"li/x\",\"arch\":\"amd64\","
         "\"checksum\":\"" SUM "\"}}",
         "abcd", "operating system", 0},
        {"{\"metadata\":{\"name\":\"x\"},\"release\":{\"version\":\"1\",\"os\":\"linux\",\"checksum\":\"" SUM
         "\"}}",
         "abcd", "release.arch is missing", 0},
        {GOOD, "", "truncated", 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_close_ int fd = make_file(cases[i].header, cases[i].length, cases[i].data);
        if (cases[i].length == UINT32_MAX)
            assert_int_equal(pwrite(fd, "\0\0\0\0", 4, 4), 4);
        struct package *p = NULL;
        uint64_t offset, size;
        struct error e = ERROR_INIT;
        assert_true(package_header_read(fd, "'x.ipk'", &p, &offset, &size, &e) < 0);
        if (!strstr(e.message, cases[i].message) || e.class != ERROR_REFUSED)
            fail_msg("case %zu: \"%s\" instead of \"%s\"", i, e.message, cases[i].message);
    }
    _cleanup_close_ int fd = make_file(GOOD, 0, "abcd");
    struct package *p = NULL;
    uint64_t offset, size;
    assert_int_equal(package_header_read(fd, "'x.ipk'", &p, &offset, &size, NULL), 0);
    assert_string_equal(p->id, "tiny_1.0.0_linux_amd64");
    assert_string_equal(p->name, "Tiny");
    package_free(p);
    assert_int_equal(pwrite(fd, "IPK2", 4, 0), 4);
    assert_int_equal(package_header_read(fd, "'x.ipk'", &p, &offset, &size, NULL), -EBADMSG);
}

/* Compresses all input with output buffers of 'step' bytes. */
static size_t encode(enum compression c, const uint8_t *data, size_t size, uint8_t *out, size_t out_size,
                     size_t step)
{
    _cleanup_(cleanup_encoder_free) struct encoder *x = NULL;
    assert_int_equal(encoder_new(c, -1, &x, NULL), 0);
    struct codec_buffers b = {data, size, out, 0};
    int r = 0;
    while (r == 0) {
        size_t room = (size_t)(out + out_size - b.out);
        assert_true(room > 0);
        b.out_size = room < step ? room : step;
        r = encoder_run(x, &b, true, NULL);
    }
    assert_int_equal(r, 1);
    return (size_t)(b.out - out);
}

static int decode(enum compression c, const uint8_t *data, size_t size, uint8_t *out, size_t out_size,
                  size_t step, size_t *ret_left, struct error *e)
{
    _cleanup_(cleanup_decoder_free) struct decoder *d = NULL;
    assert_int_equal(decoder_new(c, 0, &d, NULL), 0);
    struct codec_buffers b = {data, 0, out, 0};
    const uint8_t *end = data + size;
    int r = 0;
    for (int turns = 0; r == 0 && turns < 100000; turns++) {
        if (b.in_size == 0)
            b.in_size = (size_t)(end - b.in) < step ? (size_t)(end - b.in) : step;
        b.out_size = (size_t)(out + out_size - b.out) < step ? (size_t)(out + out_size - b.out) : step;
        r = decoder_run(d, &b, b.in + b.in_size == end, e);
    }
    *ret_left = (size_t)(end - b.in);
    return r;
}

static void compression_is_reversible(void **state)
{
    (void)state;
    enum { SIZE = 300000 };
    _cleanup_free_ uint8_t *data = xcalloc(1, SIZE), *packed = xcalloc(1, 2 * SIZE),
                           *again = xcalloc(1, SIZE + 1);
    for (size_t i = 0; i < SIZE; i++)
        data[i] = (uint8_t)(i % 251 * (i / 1000));
    for (enum compression c = 0; c < _COMPRESSION_MAX; c++) {
        size_t size = encode(c, data, SIZE, packed, 2 * SIZE, 1000), left;
        assert_int_equal(compression_detect(packed, size), c);
        struct error e = ERROR_INIT;
        assert_int_equal(decode(c, packed, size, again, SIZE + 1, 777, &left, &e), 1);
        assert_int_equal(left, 0);
        assert_memory_equal(data, again, SIZE);
        if (c == COMPRESSION_NONE)
            continue;
        /* Trailing bytes are left in the input; a missing byte and a flipped one are detected. */
        memcpy(packed + size, "junk", 4);
        assert_int_equal(decode(c, packed, size + 4, again, SIZE + 1, 777, &left, &e), 1);
        assert_true(left > 0);
        assert_int_equal(decode(c, packed, size - 1, again, SIZE + 1, 777, &left, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "truncated"));
        if (c == COMPRESSION_XZ) /* left to the checksum of the data block */
            continue;
        packed[size / 2] ^= 0x10;
        assert_int_equal(decode(c, packed, size, again, SIZE + 1, 777, &left, &e), -EBADMSG);
    }
    enum compression c;
    assert_int_equal(compression_from_string("", &c), 0);
    assert_int_equal(c, COMPRESSION_NONE);
    assert_int_equal(compression_from_string("bzip2", &c), -EINVAL);
    struct encoder *x = NULL;
    assert_int_equal(encoder_new(COMPRESSION_XZ, 10, &x, NULL), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_ordered),
        cmocka_unit_test(hostile_versions_are_refused),
        cmocka_unit_test(version_rules_select_the_newest),
        cmocka_unit_test(names_and_ids_are_checked),
        cmocka_unit_test(header_vectors_are_read_and_written),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(compression_is_reversible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
