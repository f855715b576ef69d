/* Tests the unpacker's core with packages, in particular hostile and damaged ones: a refused package leaves
 * nothing behind. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/failpoint.h"
#include "lib/basic/fs.h"
#include "lib/package/reader.h"
#include "package_fixture.h"
#include "unpacker/extract.h"
#include "unpacker/staging.h"

#define NAME "tiny"
#define ID   "tiny_1.0.0_linux_amd64"

#define STAGING ".staging"

static struct package_limits limits_for_tests(void)
{
    struct package_limits l = PACKAGE_LIMITS_DEFAULT;
    l.free_space = 1 << 20;
    return l;
}

struct fixture {
    char *path; /* of the store */
    int store, staging;
};

static struct fixture fixture_make(void)
{
    struct fixture f = {scratch_make(), -1, -1};
    f.store = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.store >= 0);
    assert_int_equal(mkdirat(f.store, STAGING, 0700), 0);
    f.staging = openat(f.store, STAGING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.staging >= 0);
    return f;
}

static void fixture_remove(struct fixture *f)
{
    close(f->staging);
    close(f->store);
    scratch_remove(f->path);
}

static int unpack(const struct fixture *f, int fd, const char *id, const struct package_limits *limits,
                  struct extract_result *result, struct error *e)
{
    struct extract_progress progress = {0};
    struct extract_request request = {fd, f->store, f->staging, NAME, id, NULL, *limits, 0};
    return extract_package(&request, &progress, result, e);
}

static void assert_store_is_empty(const struct fixture *f, const char *what)
{
    _cleanup_free_ char *path = xasprintf("%s/" STAGING, f->path);
    if (count_names(path) > 0)
        fail_msg("%s: something was left in the store", what);
}

/* Unpacks 'block' as a package and expects a refusal whose message contains 'message'. */
static void expect_refusal(const char *what, enum compression said, const struct bytes *block,
                           const struct package_limits *limits, const char *message)
{
    struct fixture f = fixture_make();
    struct package_limits standard = limits_for_tests();
    _cleanup_close_ int fd = make_package(said, block);
    struct extract_result result;
    struct error e = ERROR_INIT;
    int r = unpack(&f, fd, ID, limits ?: &standard, &result, &e);
    if (r >= 0)
        fail_msg("%s: was unpacked", what);
    if (!strstr(e.message, message) || !strstr(e.message, ID) || r != -e.errnum)
        fail_msg("%s: \"%s\" instead of \"%s\"", what, e.message, message);
    assert_store_is_empty(&f, what);
    fixture_remove(&f);
}

static void hostile(const char *what, void (*make)(struct bytes *tar), const char *message)
{
    struct bytes tar = {0};
    make(&tar);
    tar_end(&tar);
    expect_refusal(what, COMPRESSION_NONE, &tar, NULL, message);
    bytes_clear(&tar);
}

static char outside[4096]; /* a directory outside, which no archive may reach */

#define MAKE(name) static void name(struct bytes *t)
MAKE(absolute)
{
    tar_entry(t, "/etc/x", '0', "", 0644, "x");
}
MAKE(dot_dot)
{
    tar_entry(t, "a/../../x", '0', "", 0644, "x");
}
MAKE(only_dot_dot)
{
    tar_entry(t, "..", '5', "", 0755, "");
}
MAKE(ends_in_dot_dot)
{
    tar_entry(t, "a/b/..", '5', "", 0755, "");
}
MAKE(through_link)
{
    tar_entry(t, "link", '2', outside, 0777, "");
    tar_entry(t, "link/escaped", '0', "", 0644, "x");
}
MAKE(through_inner_link)
{
    tar_entry(t, "dir", '5', "", 0755, "");
    tar_entry(t, "link", '2', "dir", 0777, "");
    tar_entry(t, "link/file", '0', "", 0644, "x");
}
MAKE(directory_through_link)
{
    tar_entry(t, "link", '2', outside, 0777, "");
    tar_entry(t, "link/a/b", '5', "", 0755, "");
}
MAKE(directory_over_link)
{
    tar_entry(t, "link", '2', outside, 0777, "");
    tar_entry(t, "link", '5', "", 0777, "");
}
MAKE(hard_link)
{
    tar_entry(t, "a", '0', "", 0644, "x");
    tar_entry(t, "b", '1', "a", 0644, "");
}
MAKE(hard_link_outside)
{
    tar_entry(t, "b", '1', "/etc/passwd", 0644, "");
}
MAKE(character_device)
{
    tar_entry(t, "null", '3', "", 0666, "");
}
MAKE(block_device)
{
    tar_entry(t, "disk", '4', "", 0666, "");
}
MAKE(fifo)
{
    tar_entry(t, "pipe", '6', "", 0666, "");
}
MAKE(empty_target)
{
    tar_entry(t, "bin/link", '2', "", 0777, "");
}
MAKE(file_twice)
{
    tar_entry(t, "a", '0', "", 0644, "x");
    tar_entry(t, "./a", '0', "", 0644, "y");
}
MAKE(file_over_link)
{
    tar_entry(t, "a", '2', "/etc/passwd", 0777, "");
    tar_entry(t, "a", '0', "", 0644, "y");
}
MAKE(link_over_file)
{
    tar_entry(t, "a", '0', "", 0644, "y");
    tar_entry(t, "a", '2', "/etc/passwd", 0777, "");
}
MAKE(link_over_directory)
{
    tar_entry(t, "a", '5', "", 0755, "");
    tar_entry(t, "a", '2', "/etc", 0777, "");
}
MAKE(directory_over_file)
{
    tar_entry(t, "a", '0', "", 0644, "y");
    tar_entry(t, "a", '5', "", 0755, "");
}
MAKE(file_over_directory)
{
    tar_entry(t, "a", '5', "", 0755, "");
    tar_entry(t, "a", '0', "", 0644, "y");
}
MAKE(beneath_file)
{
    tar_entry(t, "a", '0', "", 0644, "y");
    tar_entry(t, "a/b", '0', "", 0644, "y");
}
MAKE(empty_name)
{
    tar_entry(t, "", '0', "", 0644, "y");
}
MAKE(root_as_file)
{
    tar_entry(t, ".", '0', "", 0644, "y");
}
MAKE(root_as_link)
{
    tar_entry(t, "./", '2', "/etc", 0777, "");
}
MAKE(pax_dot_dot)
{
    tar_pax(t, "path", "../evil", 7);
    tar_entry(t, "fine", '0', "", 0644, "y");
}
MAKE(gnu_long_name)
{
    tar_entry(t, "././@LongLink", 'L', "", 0644, "../../evil");
    tar_entry(t, "fine", '0', "", 0644, "y");
}
MAKE(pax_long_name)
{
    char name[5001];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 100 == 99 ? '/' : 'n';
    tar_pax(t, "path", name, 5000);
    tar_entry(t, "fine", '0', "", 0644, "y");
}
MAKE(long_part)
{
    char name[300];
    memset(name, 'n', sizeof name);
    tar_pax(t, "path", name, sizeof name);
    tar_entry(t, "fine", '0', "", 0644, "y");
}
MAKE(too_deep)
{
    char name[1000];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '/' : 'd';
    tar_pax(t, "path", name, sizeof name - 1);
    tar_entry(t, "fine", '0', "", 0644, "y");
}
MAKE(invalid_utf8)
{
    tar_pax(t, "path", "a\xff\xfe", 3);
    tar_entry(t, "fine", '0', "", 0644, "y");
}
MAKE(long_target)
{
    char target[5000];
    memset(target, 't', sizeof target);
    tar_pax(t, "linkpath", target, sizeof target);
    tar_entry(t, "link", '2', "x", 0777, "");
}
MAKE(huge_size)
{
    tar_pax(t, "size", "1099511627776", 13);
    tar_entry(t, "huge", '0', "", 0644, "x");
}
MAKE(damaged_header)
{
    tar_entry(t, "a", '0', "", 0644, "y");
    t->data[3] = 'z';
}
MAKE(trailing_data)
{
    tar_entry(t, "a", '0', "", 0644, "y");
    tar_end(t);
    bytes_add(t, "here comes more", 15);
}
MAKE(second_archive)
{
    tar_entry(t, "a", '0', "", 0644, "y");
    tar_end(t);
    tar_entry(t, "b", '0', "", 0644, "y");
}
MAKE(empty_archive)
{
    (void)t;
}
MAKE(no_archive)
{
    for (int i = 0; i < 300; i++)
        bytes_add(t, "This is no archive. ", 20);
}
MAKE(control_characters)
{
    tar_entry(t, "/\033[2J\n", '0', "", 0644, "y");
}

static void test_hostile_archives_are_refused(void **state)
{
    (void)state;
    char *other = scratch_make();
    snprintf(outside, sizeof outside, "%s", other);
    static const struct {
        const char *what;
        void (*make)(struct bytes *tar);
        const char *message;
    } cases[] = {
        {"absolute name", absolute, "'/etc/x' has an absolute name"},
        {"..", dot_dot, "'a/../../x' has '..'"},
        {"only ..", only_dot_dot, "'..' has '..'"},
        {".. at the end", ends_in_dot_dot, "'a/b/..' has '..'"},
        {"file through a link", through_link, "'link/escaped' lies beneath a symbolic link or a file"},
        {"file through an inner link", through_inner_link,
         "'link/file' lies beneath a symbolic link or a file"},
        {"directory through a link", directory_through_link,
         "'link/a/b' lies beneath a symbolic link or a file"},
        {"directory over a link", directory_over_link, "'link' comes twice"},
        {"hard link", hard_link, "'b' is a hard link"},
        {"hard link outside", hard_link_outside, "'b' is a hard link"},
        {"character device", character_device, "'null' is a device"},
        {"block device", block_device, "'disk' is a device"},
        {"fifo", fifo, "'pipe' is a fifo"},
        {"empty target", empty_target, "'bin/link' is a symbolic link with an empty target"},
        {"file twice", file_twice, "'a' comes twice"},
        {"file over link", file_over_link, "'a' comes twice"},
        {"link over file", link_over_file, "'a' comes twice"},
        {"link over directory", link_over_directory, "'a' comes twice"},
        {"directory over file", directory_over_file, "'a' comes twice"},
        {"file over directory", file_over_directory, "'a' comes twice"},
        {"file beneath a file", beneath_file, "'a/b' lies beneath a symbolic link or a file"},
        {"empty name", empty_name, "'' has an empty name"},
        {"root as file", root_as_file, "'.' is the package's root"},
        {"root as link", root_as_link, "'.' is the package's root"},
        {".. in a pax header", pax_dot_dot, "'../evil' has '..'"},
        {".. in a GNU long name", gnu_long_name, "'../../evil' has '..'"},
        {"long name", pax_long_name, "has a name that is too long"},
        {"long part of a name", long_part, "has a part of more than 255 bytes"},
        {"too deep", too_deep, "is in too many directories"},
        {"invalid UTF-8", invalid_utf8, "athname can't be converted"},
        {"long target", long_target, "'link' is a symbolic link whose target is too long"},
        {"huge size", huge_size, "'huge' makes the package larger than is allowed"},
        {"damaged header", damaged_header, "cannot read the archive"},
        {"trailing data", trailing_data, "trailing data after the end of its archive"},
        {"second archive", second_archive, "trailing data after the end of its archive"},
        {"empty archive", empty_archive, "has no entries"},
        {"no archive", no_archive, "cannot read the archive"},
        {"control characters", control_characters, "'/\\x1b[2J\\x0a' has an absolute name"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        hostile(cases[i].what, cases[i].make, cases[i].message);
    assert_int_equal(count_names(outside), 0);
    scratch_remove(other);
}

static void one_file(struct bytes *tar)
{
    tar_entry(tar, "file", '0', "", 0644, "content\n");
}

static void test_hostile_streams_are_refused(void **state)
{
    (void)state;
    struct bytes tar = {0}, no_mark = {0}, half_mark = {0}, zeros_at_end = {0};
    one_file(&tar);
    bytes_add(&no_mark, tar.data, tar.size);
    bytes_add(&half_mark, tar.data, tar.size);
    bytes_add(&half_mark, (char[512]){0}, 512);
    /* The zeros at the end of the last file are not an end mark. */
    tar_raw(&zeros_at_end, "zeros", '0', "", 0644, 2048);
    bytes_add(&zeros_at_end, (char[2048]){0}, 2048);
    tar_end(&tar);
    expect_refusal("no end mark", COMPRESSION_NONE, &no_mark, NULL, "has no end mark");
    expect_refusal("half an end mark", COMPRESSION_NONE, &half_mark, NULL, "has no end mark");
    expect_refusal("zeros instead of an end mark", COMPRESSION_NONE, &zeros_at_end, NULL, "has no end mark");
    /* Padding of any length is valid: it is not refused below. */
    bytes_add(&tar, (char[300]){0}, 300);
    for (enum compression c = COMPRESSION_XZ; c < _COMPRESSION_MAX; c++) {
        struct bytes block = {0}, twice = {0};
        compress_bytes(c, &tar, &block);
        for (enum compression said = 0; said < _COMPRESSION_MAX; said++)
            if (said != c)
                expect_refusal("another compression", said, &block, NULL, "but its header says");
        bytes_add(&twice, block.data, block.size);
        bytes_add(&twice, block.data, block.size);
        expect_refusal("two streams", c, &twice, NULL, "trailing data");
        twice.size = block.size;
        bytes_add(&twice, "", 1);
        expect_refusal("a byte too many", c, &twice, NULL, "trailing data");
        twice.size = block.size - 1;
        expect_refusal("a byte too few", c, &twice, NULL, "truncated");
        bytes_clear(&twice);
        compress_bytes(c, &block, &twice);
        expect_refusal("compressed twice", c, &twice, NULL, "cannot read the archive");
        bytes_clear(&block);
        bytes_clear(&twice);
    }
    bytes_clear(&tar);
    bytes_clear(&no_mark);
    bytes_clear(&half_mark);
    bytes_clear(&zeros_at_end);
}

static void test_limits_are_enforced(void **state)
{
    (void)state;
    struct bytes tar = {0}, block = {0};
    enum { SIZE = 4 << 20 };
    _cleanup_free_ char *zeros = xcalloc(1, SIZE);
    tar_raw(&tar, "zeros", '0', "", 0644, SIZE);
    bytes_add(&tar, zeros, SIZE);
    tar_entry(&tar, "second", '0', "", 0644, "x");
    tar_end(&tar);
    compress_bytes(COMPRESSION_ZSTD, &tar, &block);

    struct package_limits l = limits_for_tests();
    l.ratio_from = 1 << 20;
    expect_refusal("bomb", COMPRESSION_ZSTD, &block, &l, "unpacks to more than 200 times its size");
    l = limits_for_tests();
    l.size = 3 << 20;
    expect_refusal("size of a file", COMPRESSION_ZSTD, &block, &l, "larger than is allowed");
    l = limits_for_tests();
    l.size = SIZE + 1;
    expect_refusal("size of the archive", COMPRESSION_ZSTD, &block, &l, "unpacks to more than");
    l = limits_for_tests();
    l.entries = 1;
    expect_refusal("entries", COMPRESSION_ZSTD, &block, &l, "'second' exceeds the allowed number of entries");
    l = limits_for_tests();
    l.path = 5;
    expect_refusal("path", COMPRESSION_ZSTD, &block, &l, "'second' has a name that is too long");
    l = limits_for_tests();
    l.free_space = UINT64_C(1) << 60;
    expect_refusal("free space", COMPRESSION_ZSTD, &block, &l, "are to stay free");
    bytes_clear(&tar);
    bytes_clear(&block);
}

static struct stat stat_of(const struct fixture *f, const char *name)
{
    struct stat st;
    _cleanup_free_ char *path = xasprintf(STAGING "/" ID "/%s", name);
    if (fstatat(f->store, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return st;
}

static void test_a_package_is_unpacked_completely(void **state)
{
    (void)state;
    struct bytes tar = {0}, long_name = {0};
    tar_entry(&tar, ".", '5', "", 0700, "");
    tar_entry(&tar, "closed/", '5', "", 0500, "");
    tar_entry(&tar, "closed/in.txt", '0', "", 0640, "inside\n");
    tar_entry(&tar, "./again//x", '0', "", 06755, "#!/bin/sh\n");
    tar_entry(&tar, "again", '5', "", 0750, "");
    tar_entry(&tar, "closed", '5', "", 0511, "");
    tar_entry(&tar, "up", '2', "../../../etc/passwd", 0777, "");
    tar_entry(&tar, "absolute", '2', "/nowhere", 0777, "");
    tar_pax(&tar, "path", "\xc3\xa4/\xe6\x97\xa5", 6);
    tar_entry(&tar, "x", '0', "", 0644, "");
    for (int i = 0; i < 3000; i++)
        bytes_add(&long_name, i % 200 == 199 ? "/" : "l", 1);
    bytes_add(&long_name, "e", 1);
    tar_pax(&tar, "path", (char *)long_name.data, long_name.size);
    tar_entry(&tar, "x", '0', "", 0600, "deep");
    tar_end(&tar);
    bytes_add(&long_name, "", 1);
    for (enum compression c = 0; c < _COMPRESSION_MAX; c++) {
        struct fixture f = fixture_make();
        struct bytes block = {0};
        compress_bytes(c, &tar, &block);
        _cleanup_close_ int fd = make_package(c, &block);
        struct extract_result result = {0};
        struct package_limits l = limits_for_tests();
        struct error e = ERROR_INIT;
        mode_t mask = umask(027); /* modes are set by the package, not by the umask */
        if (unpack(&f, fd, ID, &l, &result, &e) < 0)
            fail_msg("%s", e.message);
        umask(mask);
        assert_false(result.existed);
        assert_int_equal(result.entries, 10);
        assert_int_equal(result.size, 7 + 10 + 4);
        assert_int_equal(stat_of(&f, "").st_mode, S_IFDIR | 0755);
        assert_int_equal(stat_of(&f, "closed").st_mode, S_IFDIR | 0711);
        assert_int_equal(stat_of(&f, "closed").st_mtime, 1795468213);
        assert_int_equal(stat_of(&f, "closed/in.txt").st_mode, S_IFREG | 0640);
        assert_int_equal(stat_of(&f, "closed/in.txt").st_mtime, 1795468213);
        assert_int_equal(stat_of(&f, "again").st_mode, S_IFDIR | 0750);
        assert_int_equal(stat_of(&f, "again/x").st_mode, S_IFREG | 0755);
        assert_true(S_ISLNK(stat_of(&f, "up").st_mode));
        assert_true(S_ISLNK(stat_of(&f, "absolute").st_mode));
        assert_int_equal(stat_of(&f, "\xc3\xa4/\xe6\x97\xa5").st_size, 0);
        assert_int_equal(stat_of(&f, (char *)long_name.data).st_size, 4);
        _cleanup_free_ char *names = xasprintf("%s/" STAGING, f.path);
        assert_int_equal(count_names(names), 1);
        /* A second request succeeds, because the package is staged. */
        assert_int_equal(unpack(&f, fd, ID, &l, &result, &e), 0);
        assert_true(result.existed);
        assert_false(result.published);
        /* So does one after the package was published. */
        assert_int_equal(mkdirat(f.store, NAME, 0755), 0);
        assert_int_equal(renameat(f.staging, ID, f.store, NAME "/" ID), 0);
        assert_int_equal(unpack(&f, fd, ID, &l, &result, &e), 0);
        assert_true(result.existed && result.published);
        bytes_clear(&block);
        fixture_remove(&f);
    }
    bytes_clear(&tar);
    bytes_clear(&long_name);
}

static void test_sample_packages_are_unpacked(void **state)
{
    (void)state;
    static const char *const good[] = {"tiny_1.0.0_linux_amd64", "tiny_1.0.1_linux_amd64",
                                       "tiny_1.0.1-r1_linux_amd64"};
    struct fixture f = fixture_make();
    struct package_limits l = limits_for_tests();
    struct extract_result result;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        _cleanup_free_ char *path = xasprintf(VECTORS "/ipk/%s.ipk", good[i]);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct error e = ERROR_INIT;
        if (unpack(&f, fd, good[i], &l, &result, &e) < 0)
            fail_msg("%s", e.message);
        assert_int_equal(result.entries, 8);
        _cleanup_free_ char *tiny = xasprintf("%s/" STAGING "/%s/bin/tiny", f.path, good[i]);
        struct stat st;
        assert_int_equal(stat(tiny, &st), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0755);
        assert_int_equal(st.st_size, 20);
        /* A file that contains another package than requested. */
        assert_int_equal(unpack(&f, fd, "tiny_9.0.0_linux_amd64", &l, &result, &e), -EBADMSG);
        assert_non_null(strstr(e.message, "the file contains package"));
    }
    _cleanup_close_ int fd = open(VECTORS "/ipk/tiny_1.0.2_linux_amd64.ipk", O_RDONLY | O_CLOEXEC);
    struct error e = ERROR_INIT;
    assert_int_equal(unpack(&f, fd, "tiny_1.0.2_linux_amd64", &l, &result, &e), -EBADMSG);
    assert_non_null(strstr(e.message, "entry 'bin/link' is a symbolic link with an empty target"));
    assert_int_equal(e.class, ERROR_REFUSED);
    _cleanup_free_ char *names = xasprintf("%s/" STAGING, f.path);
    assert_int_equal(count_names(names), 3);
    fixture_remove(&f);
}

/* Truncates each sample at every byte, and alters every byte of its data block. */
static void test_truncated_and_altered_packages_are_refused(void **state)
{
    (void)state;
    struct fixture f = fixture_make();
    struct package_limits l = limits_for_tests();
    static const char *const ids[] = {"tiny_1.0.0_linux_amd64", "tiny_1.0.1_linux_amd64"};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        _cleanup_free_ char *path = xasprintf(VECTORS "/ipk/%s.ipk", ids[i]), *data = NULL;
        size_t size;
        assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 20, &data, &size, NULL), 0);
        size_t head = 8 + (uint8_t)data[4] + 256 * (size_t)(uint8_t)data[5];
        for (size_t turn = 0; turn < size + (size - head); turn++) {
            FILE *file = tmpfile();
            size_t keep = turn < size ? turn : size, at = turn < size ? 0 : head + turn - size;
            if (turn >= size)
                data[at] = (char)(data[at] ^ 0x40);
            assert_int_equal(fwrite(data, 1, keep, file), keep);
            assert_int_equal(fflush(file), 0);
            if (turn >= size)
                data[at] = (char)(data[at] ^ 0x40);
            struct extract_result result;
            struct error e = ERROR_INIT;
            int r = unpack(&f, fileno(file), ids[i], &l, &result, &e);
            fclose(file);
            if (r >= 0 || e.class != ERROR_REFUSED)
                fail_msg("%s, turn %zu: %s", ids[i], turn, r < 0 ? e.message : "was unpacked");
            if (turn >= size)
                assert_non_null(strstr(e.message, "damaged: its data block has the checksum"));
            assert_store_is_empty(&f, "truncated or altered");
        }
    }
    fixture_remove(&f);
}

static void test_a_cancelled_extraction_leaves_nothing(void **state)
{
    (void)state;
    struct fixture f = fixture_make();
    struct bytes tar = {0};
    one_file(&tar);
    tar_end(&tar);
    _cleanup_close_ int fd = make_package(COMPRESSION_NONE, &tar);
    struct extract_progress progress = {.cancel = true};
    struct extract_request request = {fd, f.store, f.staging, NAME, ID, NULL, limits_for_tests(), 0};
    struct extract_result result;
    struct error e = ERROR_INIT;
    assert_int_equal(extract_package(&request, &progress, &result, &e), -ECANCELED);
    assert_store_is_empty(&f, "cancelled");
    bytes_clear(&tar);
    fixture_remove(&f);
}

struct racer {
    const struct fixture *fixture;
    int fd;
    int result;
};

static void *race(void *userdata)
{
    struct racer *r = userdata;
    struct package_limits l = limits_for_tests();
    struct extract_result result;
    struct error e = ERROR_INIT;
    unsigned removed;
    r->result = unpack(r->fixture, r->fd, ID, &l, &result, &e);
    (void)staging_clean(r->fixture->staging, &removed, NULL); /* must not remove directories in use */
    return NULL;
}

static void test_several_processes_can_unpack_at_once(void **state)
{
    (void)state;
    struct fixture f = fixture_make();
    struct bytes tar = {0};
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "d%d/file", i);
        tar_entry(&tar, name, '0', "", 0644, "content\n");
    }
    tar_end(&tar);
    struct racer racers[4];
    pthread_t threads[ARRAY_SIZE(racers)];
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        racers[i] = (struct racer){&f, make_package(COMPRESSION_NONE, &tar), 1};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(racers); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(racers[i].result, 0);
        close(racers[i].fd);
    }
    _cleanup_free_ char *names = xasprintf("%s/" STAGING, f.path),
                        *files = xasprintf("%s/" STAGING "/" ID, f.path);
    assert_int_equal(count_names(names), 1);
    assert_int_equal(count_names(files), 200);
    bytes_clear(&tar);
    fixture_remove(&f);
}

static void test_staging_is_cleaned_and_packages_are_removed(void **state)
{
    (void)state;
    struct fixture f = fixture_make();
    struct staging used = STAGING_INIT;
    struct error e = ERROR_INIT;
    assert_int_equal(staging_create(f.staging, ID, &used, &e), 0);
    assert_int_equal(mkdirat(f.staging, ".making-left", 0700), 0);
    assert_int_equal(mkdirat(f.staging, ".making-left/closed", 0), 0);
    assert_int_equal(mkdirat(f.staging, ID, 0755), 0);
    assert_int_equal(mkdirat(f.staging, ID "/bin", 0755), 0);
    unsigned removed = 0;
    assert_int_equal(staging_clean(f.staging, &removed, &e), 0);
    assert_int_equal(removed, 1);
    _cleanup_free_ char *names = xasprintf("%s/" STAGING, f.path);
    assert_int_equal(count_names(names), 2);
    staging_clear(&used);
    assert_int_equal(count_names(names), 1);
    bool was_there;
    assert_int_equal(staging_remove(f.staging, ID, &was_there, &e), 0);
    assert_true(was_there);
    assert_int_equal(staging_remove(f.staging, ID, &was_there, &e), 0);
    assert_false(was_there);
    assert_int_equal(count_names(names), 0);
    /* Packages of an earlier process are hidden at once and removed later, also a symbolic link. */
    assert_int_equal(mkdirat(f.staging, ID, 0755), 0);
    assert_int_equal(symlinkat("/", f.staging, "other_1.0.0_linux_amd64"), 0);
    assert_int_equal(staging_forget(f.staging, &e), 0);
    assert_int_equal(staging_exists(f.staging, ID, &e), 0);
    assert_int_equal(staging_clean(f.staging, &removed, &e), 0);
    assert_int_equal(removed, 2);
    assert_int_equal(count_names(names), 0);
    fixture_remove(&f);
}

/* A file that is the requested package, but not the resolved one: only the caller's checksum distinguishes
 * them. */
static void test_another_checksum_is_refused(void **state)
{
    (void)state;
    struct fixture f = fixture_make();
    struct bytes tar = {0};
    one_file(&tar);
    tar_end(&tar);
    _cleanup_close_ int fd = make_package(COMPRESSION_NONE, &tar);
    static const char *const wrong[] = {
        "sha256:0000000000000000000000000000000000000000000000000000000000000000", "md5:0", ""};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        struct extract_progress progress = {0};
        struct extract_request request = {fd, f.store, f.staging, NAME, ID, wrong[i], limits_for_tests(), 0};
        struct extract_result result;
        struct error e = ERROR_INIT;
        assert_int_equal(extract_package(&request, &progress, &result, &e), -EBADMSG);
        assert_int_equal(e.class, ERROR_REFUSED);
        assert_non_null(strstr(e.message, "checksum"));
        assert_store_is_empty(&f, "another checksum");
    }
    bytes_clear(&tar);
    fixture_remove(&f);
}

/* A kill at each step: the package is staged if the rename happened, and the next start removes everything
 * else. */
static void test_a_kill_at_each_step_leaves_nothing_incomplete(void **state)
{
    (void)state;
#ifdef ENABLE_FAILPOINTS
    for (size_t i = 0; unpacker_failpoints[i]; i++) {
        const char *point = unpacker_failpoints[i];
        struct fixture f = fixture_make();
        struct bytes tar = {0};
        one_file(&tar);
        tar_end(&tar);
        _cleanup_close_ int fd = make_package(COMPRESSION_NONE, &tar);
        struct package_limits l = limits_for_tests();
        struct extract_result result;
        bool was_there;
        pid_t child = fork();
        if (child == 0) {
            _cleanup_free_ char *action = xasprintf("%s:kill", point);
            setenv("HOSTLET_FAILPOINT", action, 1);
            (void)unpack(&f, fd, ID, &l, &result, NULL);
            (void)staging_remove(f.staging, ID, &was_there, NULL);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
            fail_msg("%s was not reached", point);
        bool published = streq(point, "unpack.renamed");
        unsigned removed = 0;
        _cleanup_free_ char *names = xasprintf("%s/" STAGING, f.path);
        assert_int_equal(count_names(names), 1);
        assert_int_equal(staging_exists(f.staging, ID, NULL), published);
        assert_int_equal(staging_clean(f.staging, &removed, NULL), 0);
        assert_int_equal(removed, published ? 0 : 1);
        assert_int_equal(unpack(&f, fd, ID, &l, &result, NULL), 0);
        assert_int_equal(result.existed, published);
        assert_int_equal(count_names(names), 1);
        bytes_clear(&tar);
        fixture_remove(&f);
    }
#else
    print_message(
        "skip test_a_kill_at_each_step_leaves_nothing_incomplete: runs in the failpoints variant\n");
    skip();
#endif
}

int main(void)
{
    failpoint_table(unpacker_failpoints);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_archives_are_refused),
        cmocka_unit_test(test_hostile_streams_are_refused),
        cmocka_unit_test(test_limits_are_enforced),
        cmocka_unit_test(test_a_package_is_unpacked_completely),
        cmocka_unit_test(test_sample_packages_are_unpacked),
        cmocka_unit_test(test_truncated_and_altered_packages_are_refused),
        cmocka_unit_test(test_a_cancelled_extraction_leaves_nothing),
        cmocka_unit_test(test_several_processes_can_unpack_at_once),
        cmocka_unit_test(test_staging_is_cleaned_and_packages_are_removed),
        cmocka_unit_test(test_another_checksum_is_refused),
        cmocka_unit_test(test_a_kill_at_each_step_leaves_nothing_incomplete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
