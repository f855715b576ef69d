/* Tests hostlet.conf: values, and one clear message with file and line for each mistake. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/config/config.h"
#include "lib/config/value.h"

static char base[] = "/tmp/hostlet-test-XXXXXX";

static int load(const char *text, const char *extra, struct config **ret, struct error *e)
{
    struct tree tree;
    assert_int_equal(tree_init(&tree, base, NULL, NULL, e), 0);
    _cleanup_free_ char *file = tree_config_file(&tree), *dir = tree_config_dir(&tree);
    assert_int_equal(make_dirs(dir, 0755, e), 0);
    _cleanup_free_ char *more = xasprintf("%s/10-more.conf", dir);
    assert_int_equal(replace_file(file, text, strlen(text), 0644, e), 0);
    assert_int_equal(replace_file(more, extra, strlen(extra), 0644, e), 0);
    int r = config_load(&tree, ret, e);
    tree_done(&tree);
    return r;
}

static void test_values_are_read(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct config *config = NULL;
    int64_t low, high;
    assert_int_equal(
        load("# a comment\n[container-driver]\nruntime = null\n[fetcher]\nrepositories = file:///a\n"
             "repositories = http://b\n[reconciler]\nhost_ports = 100-200\nprobation = 200ms\n",
             "[reconciler]\nprobation = 1.5 s\n[unpacker]\nmax_size = 2G\n", &config, &e),
        0);
    assert_string_equal(config_string(config, "container-driver", "runtime"), "null");
    assert_string_equal(config_string(config, "fetcher", "repositories"), "file:///a http://b");
    assert_int_equal(config_duration(config, "reconciler", "probation"), 1500000);
    assert_int_equal(config_number(config, "unpacker", "max_size"), (int64_t)2 << 30);
    config_range(config, "reconciler", "host_ports", &low, &high);
    assert_int_equal(low, 100);
    assert_int_equal(high, 200);
    config_free(config);
}

static void test_mistakes_are_refused_with_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[container-driver]\nruntim = null\n",
         "/etc/hostlet.conf:2: unknown key 'runtim' in [container-driver]"},
        {"[container-driver]\n\nruntime = podman\n",
         "/etc/hostlet.conf:3: runtime = podman: expected docker|null"},
        {"[container-driver]\nruntime = docke\n",
         "/etc/hostlet.conf:2: runtime = docke: expected docker|null"},
        {"[drive]\nruntime = null\n", "/etc/hostlet.conf:2: unknown section [drive]"},
        {"runtime = null\n", "/etc/hostlet.conf:1: 'runtime' is in no section"},
        {"[container-driver]\nruntime = null\nruntime = docker\n",
         "/etc/hostlet.conf:3: 'runtime' is given twice"},
        {"[container-driver]\nwhat\n", "/etc/hostlet.conf:2: expected [section] or key = value"},
        {"[reconciler]\nprobation = -1\n",
         "/etc/hostlet.conf:2: probation = -1: expected a duration such as 5s"},
        {"[reconciler]\nhost_ports = 9-1\n",
         "/etc/hostlet.conf:2: host_ports = 9-1: expected a range such as 20000-29999"},
        {"[reconciler]\nparallel_first = 900\n",
         "/etc/hostlet.conf:2: parallel_first = 900: out of range: from 1 to 128"},
        {"[fetcher]\nconnect_timeout = 999d\n",
         "/etc/hostlet.conf:2: connect_timeout = 999d: out of range: from 1ms to 10min"},
        {"[container-driver]\nlog_max_size = 1\n",
         "/etc/hostlet.conf:2: log_max_size = 1: out of range: from 4K to 1T"},
        {"[zone]\ndns_servers = 192.0.2.53 2001:db8::53\ndns_servers = dns.example\n",
         "/etc/hostlet.conf:3: dns_servers = dns.example: expected IP addresses"},
        {"[container-driver]\nruntime = null\n  more\n",
         "/etc/hostlet.conf:3: a line must not begin with a space"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        struct config *config = NULL;
        assert_true(load(cases[i].text, "", &config, &e) < 0);
        assert_non_null(after_prefix(e.message, base));
        assert_string_equal(after_prefix(e.message, base), cases[i].message);
    }
    char line[300] = "[fetcher]\nrepositories = ";
    memset(line + strlen(line), 'x', 250);
    struct error e = ERROR_INIT;
    struct config *config = NULL;
    assert_true(load(line, "", &config, &e) < 0);
    assert_string_equal(after_prefix(e.message, base),
                        "/etc/hostlet.conf:2: the line is longer than 190 bytes");
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(base) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return remove_tree_at(AT_FDCWD, base, NULL);
}

static void test_forms_of_values_are_parsed(void **state)
{
    (void)state;
    /* One row per line, so that a new row changes no other one. */
    /* clang-format off */
    static const struct {
        const char *text;
        int64_t value; /* microseconds, or bytes; negative: refused */
        bool size;
    } cases[] = {
        {"500ms", 500000, false},
        {"5 s", 5000000, false},
        {"1.5", 1500000, false},
        {"2min", 120000000, false},
        {"1h", 3600000000, false},
        {"2d", INT64_C(172800000000), false},
        {"2 weeks", -1, false},
        {"", -1, false},
        {"64K", 65536, true},
        {"1.5Gi", INT64_C(3) << 29, true},
        {"2T", INT64_C(2) << 40, true},
        {"5X", -1, true},
    };
    /* clang-format on */
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t usec = 0;
        int64_t bytes = 0;
        int r = cases[i].size ? parse_size(cases[i].text, &bytes) : parse_duration(cases[i].text, &usec);
        int64_t got = r < 0 ? -1 : cases[i].size ? bytes : (int64_t)usec;
        if (got != cases[i].value)
            fail_msg("'%s' is %lld", cases[i].text, (long long)got);
    }
}

/* A URL with user or password is refused in a file that other users may read. */
static void test_secrets_in_a_shared_file_are_refused(void **state)
{
    (void)state;
    static const char secret[] =
        "[fetcher]\n\nrepositories = file:///a\nrepositories = https://h/@x http://me:pw@h/x\n";
    static const char token[] = "[fetcher]\nrepositories = https://T0KEN@h\n";
    static const char open_text[] = "[fetcher]\nrepositories = https://h/@x/a@b file:///a@b\n";
    static const struct {
        const char *text;
        mode_t mode;
        gid_t gid;
        bool extra; /* in hostlet.conf.d */
        const char *where;
    } cases[] = {
        {secret, 0644, 0, false, "/etc/hostlet.conf:4: [fetcher] repositories: "},
        {secret, 0604, 0, false, "/etc/hostlet.conf:4: "},
        {secret, 0640, 12345, false, "/etc/hostlet.conf:4: "},
        {secret, 0640, 0, false, NULL},
        {secret, 0600, 12345, false, NULL},
        {secret, 0644, 0, true, "/etc/hostlet.conf.d/10-more.conf:4: "},
        {secret, 0400, 0, true, NULL},
        {token, 0644, 0, false, "/etc/hostlet.conf:2: "},
        {open_text, 0644, 0, false, NULL},
    };
    if (geteuid() != 0) {
        print_message("skip test_secrets_in_a_shared_file_are_refused: only root can give files away\n");
        skip();
    }
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        struct config *config = NULL;
        struct tree tree;
        assert_true(load(cases[i].extra ? "" : "[container-driver]\n", "", &config, &e) >= 0);
        config_free(TAKE_PTR(config));
        assert_int_equal(tree_init(&tree, base, NULL, NULL, &e), 0);
        _cleanup_free_ char *file = tree_config_file(&tree), *dir = tree_config_dir(&tree);
        _cleanup_free_ char *path = cases[i].extra ? xasprintf("%s/10-more.conf", dir) : xstrdup(file);
        assert_int_equal(replace_file(path, cases[i].text, strlen(cases[i].text), cases[i].mode, &e), 0);
        assert_int_equal(chown(path, 0, cases[i].gid), 0);
        int r = config_load(&tree, &config, &e);
        tree_done(&tree);
        assert_int_equal(r, cases[i].where ? -EPERM : 0);
        if (r < 0) {
            assert_int_equal(e.class, ERROR_REFUSED);
            assert_non_null(strstr(after_prefix(e.message, base), cases[i].where));
            assert_non_null(strstr(e.message, "0600"));
            assert_null(strstr(e.message, "pw"));
            assert_null(strstr(e.message, "T0KEN"));
        }
        config_free(config);
    }
}

/* An access list lets one more user read the file: its mode then shows 0640, and the file is root's in
 * both cases. */
static void test_an_access_list_shares_a_file(void **state)
{
    (void)state;
    static const char secret[] = "[fetcher]\nrepositories = https://me:pw@h/\n";
    const struct {
        struct posix_acl_xattr_header header;
        struct posix_acl_xattr_entry entries[5];
    } list = {{htole32(POSIX_ACL_XATTR_VERSION)},
              {{htole16(ACL_USER_OBJ), htole16(ACL_READ), htole32((uint32_t)ACL_UNDEFINED_ID)},
               {htole16(ACL_USER), htole16(ACL_READ), htole32(65534)},
               {htole16(ACL_GROUP_OBJ), 0, htole32((uint32_t)ACL_UNDEFINED_ID)},
               {htole16(ACL_MASK), htole16(ACL_READ), htole32((uint32_t)ACL_UNDEFINED_ID)},
               {htole16(ACL_OTHER), 0, htole32((uint32_t)ACL_UNDEFINED_ID)}}};
    struct error e = ERROR_INIT;
    struct config *config = NULL;
    struct tree tree;
    if (geteuid() != 0) {
        print_message(
            "skip test_an_access_list_shares_a_file: a file of another group is refused without a list\n");
        skip();
    }
    assert_true(load("[container-driver]\n", "", &config, &e) >= 0);
    config_free(TAKE_PTR(config));
    assert_int_equal(tree_init(&tree, base, NULL, NULL, &e), 0);
    _cleanup_free_ char *file = tree_config_file(&tree);
    assert_int_equal(replace_file(file, secret, strlen(secret), 0600, &e), 0);
    assert_int_equal(config_load(&tree, &config, &e), 0);
    config_free(TAKE_PTR(config));
    if (setxattr(file, "system.posix_acl_access", &list, sizeof list, 0) < 0) {
        tree_done(&tree);
        print_message("skip test_an_access_list_shares_a_file: no access lists in /tmp\n");
        skip();
    }
    assert_int_equal(config_load(&tree, &config, &e), -EPERM);
    tree_done(&tree);
}

/* Checks a part of the configuration that is not written yet: it takes its place in the order of the names.
 */
static void test_a_part_is_read_as_if_it_were_written(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct config *config = NULL;
    struct tree tree;
    static const struct {
        const char *part, *apps;
    } cases[] = {{"05-a.conf", "/more"}, {"10-more.conf", "/part"}, {"50-a.conf", "/part"}};
    assert_int_equal(load("[hostlet]\napp_path = /first\n", "[hostlet]\napp_path = /more\n", &config, &e), 0);
    config_free(TAKE_PTR(config));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(tree_init(&tree, base, NULL, NULL, &e), 0);
        assert_int_equal(config_load_with(&tree, cases[i].part, "[hostlet]\napp_path = /part\n", &config, &e),
                         0);
        assert_string_equal(config_string(config, "hostlet", "app_path"), cases[i].apps);
        config_free(TAKE_PTR(config));
        tree_done(&tree);
    }
    assert_int_equal(tree_init(&tree, base, NULL, NULL, &e), 0);
    assert_int_equal(config_load_with(&tree, "50-a.conf", "[hostlet]\nnone = 1\n", &config, &e), -EINVAL);
    assert_non_null(strstr(e.message, "50-a.conf:2: unknown key 'none'"));
    tree_done(&tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values_are_read),
                                       cmocka_unit_test(test_mistakes_are_refused_with_their_line),
                                       cmocka_unit_test(test_forms_of_values_are_parsed),
                                       cmocka_unit_test(test_secrets_in_a_shared_file_are_refused),
                                       cmocka_unit_test(test_an_access_list_shares_a_file),
                                       cmocka_unit_test(test_a_part_is_read_as_if_it_were_written)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
