/* Tests building packages (reproducibly, and refusing unsupported files), reading them back, and their
 * indexes. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/package/build.h"
#include "lib/package/index.h"
#include "lib/package/index_scan.h"
#include "lib/package/reader.h"
#include "package_fixture.h"

static void write_file(const char *dir, const char *name, const char *content, mode_t mode)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, content, strlen(content)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void make_dir(const char *dir, const char *name)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void make_link(const char *dir, const char *name, const char *target)
{
    _cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
    assert_int_equal(symlink(target, path), 0);
}

/* Makes the same content in either order. */
static char *make_input(bool backwards)
{
    char *dir = scratch_make();
    for (int turn = 0; turn < 2; turn++)
        if ((turn == 0) != backwards) {
            make_dir(dir, "bin");
            write_file(dir, "bin/server", "#!/bin/sh\n", 04755);
            make_link(dir, "bin/alias", "../bin/server");
            make_link(dir, "dangling", "/nowhere");
        } else {
            make_dir(dir, ".ipk");
            write_file(dir, ".ipk/old", "left out", 0644);
            make_dir(dir, "empty");
            write_file(dir, "B", "upper", 0640);
            write_file(dir, "a-\xc3\xa4", "lower", 0644);
        }
    return dir;
}

static struct package_build_options options_for(const char *input, const char *output, enum compression c)
{
    return (struct package_build_options){.directory = input,
                                          .output_directory = output,
                                          .name = "Demo",
                                          .version = "1.2.3-r4",
                                          .os = "linux",
                                          .arch = "amd64",
                                          .description = "a demonstration",
                                          .compression = c,
                                          .level = -1,
                                          .time = -1};
}

static void count_notes(void *userdata, const char *message)
{
    (void)message;
    ++*(unsigned *)userdata;
}

static void builds_are_reproducible(void **state)
{
    (void)state;
    char *first = make_input(false), *second = make_input(true), *output = scratch_make();
    for (enum compression c = 0; c < _COMPRESSION_MAX; c++) {
        char *data[2];
        size_t size[2];
        for (int i = 0; i < 2; i++) {
            struct package_build_options o = options_for(i ? second : first, output, c);
            unsigned notes = 0;
            o.note = count_notes;
            o.userdata = &notes;
            _cleanup_free_ char *path = NULL;
            _cleanup_package_ struct package *p = NULL;
            struct error e = ERROR_INIT;
            if (package_build(&o, &path, &p, &e) < 0)
                fail_msg("%s", e.message);
            assert_int_equal(notes, 1); /* setuid */
            assert_string_equal(p->id, "demo_1.2.3-r4_linux_amd64");
            assert_string_equal(p->metadata_version, "1.2.3");
            assert_non_null(strstr(path, "/demo_1.2.3-r4_linux_amd64.ipk"));
            assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 20, &data[i], &size[i], NULL), 0);
        }
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(data[0], data[1], size[0]);
        free(data[0]);
        free(data[1]);
    }
    assert_int_equal(count_names(output), 1);
    scratch_remove(first);
    scratch_remove(second);
    scratch_remove(output);
}

static void a_package_is_read_back(void **state)
{
    (void)state;
    char *input = make_input(false), *output = scratch_make();
    struct package_build_options o = options_for(input, output, COMPRESSION_XZ);
    o.time = 1700000000;
    _cleanup_free_ char *path = NULL;
    _cleanup_package_ struct package *p = NULL;
    assert_int_equal(package_build(&o, &path, &p, NULL), 0);
    assert_int_equal(p->built, 1700000000);
    static const struct {
        const char *name;
        enum package_entry_type type;
        mode_t mode;
        const char *target;
    } expected[] = {
        {"", ENTRY_DIRECTORY, 0755, NULL},
        {".ipk", ENTRY_DIRECTORY, 0755, NULL},
        {".ipk/metadata.json", ENTRY_FILE, 0644, NULL},
        {"B", ENTRY_FILE, 0640, NULL},
        {"a-\xc3\xa4", ENTRY_FILE, 0644, NULL},
        {"bin", ENTRY_DIRECTORY, 0755, NULL},
        {"bin/alias", ENTRY_SYMLINK, 0777, "../bin/server"},
        {"bin/server", ENTRY_FILE, 0755, NULL},
        {"dangling", ENTRY_SYMLINK, 0777, "/nowhere"},
        {"empty", ENTRY_DIRECTORY, 0755, NULL},
    };
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct package_limits limits = PACKAGE_LIMITS_DEFAULT;
    struct source_options options = {"'demo'", &limits, NULL, 0};
    _cleanup_(cleanup_package_reader_close) struct package_reader *r = NULL;
    assert_int_equal(package_reader_open(fd, &options, &r, NULL), 0);
    assert_string_equal(package_reader_package(r)->description, "a demonstration");
    struct package_entry entry;
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        assert_int_equal(package_reader_next(r, &entry, NULL), 1);
        assert_string_equal(entry.name, expected[i].name);
        assert_int_equal(entry.type, expected[i].type);
        assert_int_equal(entry.mode, expected[i].mode);
        assert_int_equal(entry.modified.tv_sec, 1700000000);
        assert_true(streq_null(entry.target, expected[i].target));
    }
    assert_int_equal(package_reader_next(r, &entry, NULL), 0);
    scratch_remove(input);
    scratch_remove(output);
}

static void unsupported_input_is_refused(void **state)
{
    (void)state;
    char *output = scratch_make();
    static const struct {
        const char *version, *message;
        int kind;
    } cases[] = {
        {"1.0.0", "'sub/pipe' is a fifo", 1}, {"1.0.0", "is in the packed directory", 2},
        {"1.0.0", "cannot be packed", 3}, /* a name that is not UTF-8 */
        {"../1", "is not a version", 0},      {"1.0.0", "cannot open directory", 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *input = scratch_make();
        make_dir(input, "sub");
        _cleanup_free_ char *inner = xasprintf("%s/sub", input), *missing = xasprintf("%s/missing", input);
        _cleanup_free_ char *fifo = xasprintf("%s/sub/pipe", input);
        if (cases[i].kind == 1)
            assert_int_equal(mkfifo(fifo, 0600), 0);
        if (cases[i].kind == 3)
            write_file(input, "bad-\xff", "", 0644);
        struct package_build_options o = options_for(cases[i].kind == 4 ? missing : input,
                                                     cases[i].kind == 2 ? inner : output, COMPRESSION_NONE);
        o.version = cases[i].version;
        char *path;
        struct package *p;
        struct error e = ERROR_INIT;
        assert_true(package_build(&o, &path, &p, &e) < 0);
        if (!strstr(e.message, cases[i].message))
            fail_msg("\"%s\" instead of \"%s\"", e.message, cases[i].message);
        assert_int_equal(count_names(output), 0);
        scratch_remove(input);
    }
    scratch_remove(output);
}

static void the_environment_sets_the_date(void **state)
{
    (void)state;
    int64_t when;
    unsetenv("SOURCE_DATE_EPOCH");
    assert_int_equal(package_build_time(&when, NULL), 0);
    assert_int_equal(when, -1);
    setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
    assert_int_equal(package_build_time(&when, NULL), 0);
    assert_int_equal(when, 1700000000);
    setenv("SOURCE_DATE_EPOCH", "yesterday", 1);
    assert_int_equal(package_build_time(&when, NULL), -EINVAL);
    unsetenv("SOURCE_DATE_EPOCH");
}

static void samples_are_indexed(void **state)
{
    (void)state;
    char *dir = scratch_make();
    static const char *const names[] = {"tiny_1.0.1-r1_linux_amd64.ipk", "tiny_1.0.0_linux_amd64.ipk",
                                        "tiny_1.0.1_linux_amd64.ipk"};
    make_dir(dir, "tiny");
    make_dir(dir, ".hidden");
    write_file(dir, ".hidden/x.ipk", "no package", 0644);
    write_file(dir, "notes.txt", "no package", 0644);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        _cleanup_free_ char *from = xasprintf(VECTORS "/ipk/%s", names[i]), *data = NULL;
        _cleanup_free_ char *to = xasprintf("%s/%s%s", dir, i == 0 ? "tiny/" : "", names[i]);
        size_t size;
        assert_int_equal(read_file_at(AT_FDCWD, from, 1 << 20, &data, &size, NULL), 0);
        assert_int_equal(replace_file(to, data, size, 0644, NULL), 0);
    }
    size_t items = 0;
    struct error e = ERROR_INIT;
    if (package_index_write(dir, &items, &e) < 0)
        fail_msg("%s", e.message);
    assert_int_equal(items, 3);
    _cleanup_free_ char *path = xasprintf("%s/index.json", dir), *text = NULL, *again = NULL;
    size_t size;
    assert_int_equal(read_file_at(AT_FDCWD, path, 1 << 20, &text, &size, NULL), 0);
    _cleanup_(cleanup_package_index_free) struct package_index *index = NULL;
    assert_int_equal(package_index_parse(text, size, &index, &e), 0);
    assert_int_equal(index->n_items, 3);
    assert_string_equal(index->items[0].file, "tiny_1.0.0_linux_amd64.ipk");
    assert_int_equal(index->items[0].size, 794);
    assert_string_equal(index->items[2].file, "tiny/tiny_1.0.1-r1_linux_amd64.ipk");
    assert_int_equal(strlen(index->items[2].sha256), 64);
    again = package_index_format(index);
    assert_string_equal(text, again);

    assert_int_equal(package_index_find(index, "tiny", "1.0", "linux", "amd64"), 2);
    assert_int_equal(package_index_find(index, "tiny", "1.0.1", "linux", "amd64"), 1);
    assert_int_equal(package_index_find(index, "tiny", "", "linux", "amd64"), 2);
    assert_int_equal(package_index_find(index, "tiny", "9", "linux", "amd64"), -1);
    assert_int_equal(package_index_find(index, "tiny", "", "linux", "arm64"), -1);
    assert_int_equal(package_index_find(index, "Tiny", "", "linux", "amd64"), -1);

    /* A damaged package, and a file name that an index cannot contain. */
    _cleanup_free_ char *one = xasprintf("%s/%s", dir, names[1]);
    _cleanup_close_ int fd = open(one, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, 700), 1);
    assert_int_equal(package_index_write(dir, &items, &e), -EBADMSG);
    assert_non_null(strstr(e.message, "'tiny_1.0.0_linux_amd64.ipk' is damaged"));
    assert_int_equal(unlink(one), 0);
    write_file(dir, "a b.ipk", "", 0644);
    assert_int_equal(package_index_write(dir, &items, &e), -EINVAL);
    assert_non_null(strstr(e.message, "'a b.ipk' is not a name for an index"));
    scratch_remove(dir);
}

#define PACKAGE                                                                                              \
    "{\"metadata\":{\"name\":\"a\"},\"release\":{\"version\":\"1.0.0\",\"os\":\"linux\",\"arch\":\"amd64\"," \
    "\"checksum\":\"sha256:46954a9913000fe5dc5e491d6ed4f5029d73cd8662ff6acb225f9fb22aae1010\"}}"
#define INDEX(item) "{\"format\":1,\"items\":[" item "]}"

static void hostile_indexes_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "is not JSON"},
        {"[]", "is not an object"},
        {"{\"items\":[]}", "format number is missing"},
        {"{\"format\":2,\"items\":[]}", "its format is 2"},
        {"{\"format\":1}", "items is missing"},
        {"{\"format\":1,\"format\":1,\"items\":[]}", "is not JSON"},
        {INDEX("7"), "items[0]: it is not an object"},
        {INDEX("{}"), "items[0]: file is missing"},
        {INDEX("{\"file\":\"/etc/x.ipk\"}"), "not a plain relative path"},
        {INDEX("{\"file\":\"../x.ipk\"}"), "not a plain relative path"},
        {INDEX("{\"file\":\"a/../x.ipk\"}"), "not a plain relative path"},
        {INDEX("{\"file\":\"http://x/a.ipk\"}"), "not a plain relative path"},
        {INDEX("{\"file\":\"a?b.ipk\"}"), "not a plain relative path"},
        {INDEX("{\"file\":\"a.zip\"}"), "not a plain relative path"},
        {INDEX("{\"file\":\"a.ipk\",\"size\":-1}"), "size is not"},
        {INDEX("{\"file\":\"a.ipk\",\"size\":1,\"sha256\":\"12\"}"), "sha256 is not 64 hex digits"},
        {INDEX("{\"file\":\"a.ipk\",\"size\":1}"), "items[0]: the package is not described"},
        {INDEX("{\"file\":\"a.ipk\",\"package\":" PACKAGE "},{\"file\":\"a.ipk\",\"package\":{}}"),
         "items[1]: metadata is missing"},
    };
    struct package_index *index = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        assert_true(package_index_parse(cases[i].text, strlen(cases[i].text), &index, &e) < 0);
        if (!strstr(e.message, cases[i].message) || e.class != ERROR_REFUSED)
            fail_msg("\"%s\" instead of \"%s\"", e.message, cases[i].message);
    }
    const char *good = INDEX("{\"file\":\"a.ipk\",\"size\":1,\"more\":1,\"package\":" PACKAGE "}");
    assert_int_equal(package_index_parse(good, strlen(good), &index, NULL), 0);
    assert_int_equal(index->n_items, 1);
    package_index_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(builds_are_reproducible),      cmocka_unit_test(a_package_is_read_back),
        cmocka_unit_test(unsupported_input_is_refused), cmocka_unit_test(the_environment_sets_the_date),
        cmocka_unit_test(samples_are_indexed),          cmocka_unit_test(hostile_indexes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
