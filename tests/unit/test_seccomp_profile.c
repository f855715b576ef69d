/* Tests which calls hostlet's seccomp profile allows, with an evaluation that does the same as libseccomp,
 * and which profiles of an administrator are accepted. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "container-driver/docker/inspect.h"
#include "container-driver/reading.h"
#include "container-driver/seccomp_file.h"
#include "container-driver/seccomp_profile.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"

static json_t *profile;

static bool condition_holds(json_t *argument, const uint64_t *values)
{
    uint64_t is = values[json_integer_value(json_object_get(argument, "index"))],
             value = (uint64_t)json_integer_value(json_object_get(argument, "value")),
             two = (uint64_t)json_integer_value(json_object_get(argument, "valueTwo"));
    const char *op = json_string_value(json_object_get(argument, "op"));
    if (streq(op, "SCMP_CMP_EQ"))
        return is == value;
    assert_string_equal(op, "SCMP_CMP_MASKED_EQ"); /* no other operator is safe: see seccomp_profile.c */
    return (is & value) == two;
}

static bool names_call(json_t *rule, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(rule, "names"), i,
                       item) if (streq(json_string_value(item), name)) return true;
    return false;
}

/* Reports whether the profile allows a call to a process whose container has every capability that a rule
 * requires. */
static bool allows(const char *name, const uint64_t *values)
{
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
    {
        json_t *arguments = json_object_get(rule, "args");
        if (!names_call(rule, name) ||
            !streq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW"))
            continue;
        assert_true(json_array_size(arguments) <= 1); /* several on one argument would be "or" */
        if (!arguments || condition_holds(json_array_get(arguments, 0), values))
            return true;
    }
    return false;
}

/* Tries every value of the low 16 bits with several values of the bits above: exactly two are refused, with
 * any bits above. */
static void two_ioctls_are_refused_with_any_high_bits(void **state)
{
    (void)state;
    static const uint64_t above[] = {
        0,          0x401c0000,        0x40080000,        0x40040000,
        0xffff0000, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_C(0xffffffffffff0000),
    };
    size_t i, n = 0;
    json_t *rule;
    json_array_foreach(json_object_get(profile, "syscalls"), i, rule) n += names_call(rule, "ioctl");
    assert_int_equal(n, 28);
    for (uint64_t command = 0; command <= 0xffff; command++)
        for (size_t k = 0; k < ARRAY_SIZE(above); k++) {
            bool refused = command == 0x5820 || command == 0x6602;
            const uint64_t values[6] = {3, above[k] | command};
            if (allows("ioctl", values) == refused)
                fail_msg("ioctl 0x%llx is %s", (unsigned long long)values[1],
                         refused ? "allowed" : "refused");
        }
}

static void new_namespaces_are_refused(void **state)
{
    (void)state;
    static const uint64_t ordinary[] = {17, 0x1200011, 0x3d0f00, 0x4111};
    for (size_t i = 0; i < ARRAY_SIZE(ordinary); i++)
        assert_true(allows("clone", (const uint64_t[6]){ordinary[i]}));
    for (unsigned bit = 0; bit < 64; bit++) {
        bool namespace = bit == 17 || (bit >= 25 && bit <= 30);
        assert_int_equal(allows("clone", (const uint64_t[6]){UINT64_C(1) << bit}), !namespace);
        assert_int_equal(allows("clone", (const uint64_t[6]){17 | UINT64_C(1) << bit | UINT64_C(1) << 40}),
                         !namespace);
    }
    static const char *const never[] = {"clone3",
                                        "unshare",
                                        "setns",
                                        "mount",
                                        "quotactl",
                                        "quotactl_fd",
                                        "file_setattr",
                                        "bpf",
                                        "keyctl",
                                        "add_key",
                                        "request_key",
                                        "userfaultfd",
                                        "perf_event_open",
                                        "io_uring_setup",
                                        "io_uring_enter",
                                        "io_uring_register",
                                        "open_by_handle_at",
                                        "name_to_handle_at",
                                        "kexec_load",
                                        "init_module",
                                        "finit_module",
                                        "delete_module",
                                        "pivot_root",
                                        "umount",
                                        "umount2",
                                        "move_mount",
                                        "open_tree",
                                        "fsopen",
                                        "fsmount",
                                        "fsconfig",
                                        "fspick",
                                        "mount_setattr",
                                        "swapon",
                                        "swapoff",
                                        "reboot",
                                        "syslog",
                                        "acct",
                                        "iopl",
                                        "ioperm",
                                        "lookup_dcookie",
                                        "nfsservctl",
                                        "ustat",
                                        "sysfs",
                                        "_sysctl",
                                        "vm86",
                                        "vm86old",
                                        "move_pages",
                                        "migrate_pages",
                                        "mbind",
                                        "set_mempolicy",
                                        "get_mempolicy",
                                        "kcmp",
                                        "process_madvise",
                                        "pidfd_getfd",
                                        "settimeofday",
                                        "clock_settime",
                                        "stime",
                                        "fanotify_init",
                                        "vhangup",
                                        "uselib",
                                        "create_module",
                                        "query_module",
                                        "sethostname",
                                        "setdomainname",
                                        "syscall",
                                        "process_vm_readv",
                                        "process_vm_writev"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (allows(never[i], (const uint64_t[6]){0}))
            fail_msg("%s is allowed", never[i]);
}

/* A family with an additional high bit is refused, although the kernel ignores the bit. */
static void only_ordinary_socket_families_are_allowed(void **state)
{
    (void)state;
    for (uint64_t family = 0; family < 256; family++)
        for (unsigned bit = 31; bit < 64; bit++) {
            bool known = family == 1 || family == 2 || family == 10 || family == 16 || family == 17;
            assert_int_equal(allows("socket", (const uint64_t[6]){family}), known);
            assert_false(allows("socket", (const uint64_t[6]){family | UINT64_C(1) << bit}));
        }
    size_t i;
    json_t *rule;
    json_array_foreach(json_object_get(profile, "syscalls"), i,
                       rule) if (names_call(rule, "socket") && json_object_get(rule, "includes"))
    {
        assert_string_equal(
            json_string_value(json_array_get(json_object_get(json_object_get(rule, "includes"), "caps"), 0)),
            "CAP_NET_RAW");
        assert_int_equal(
            json_integer_value(json_object_get(json_array_get(json_object_get(rule, "args"), 0), "value")),
            17);
    }
}

static void the_profile_is_well_formed(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    size_t i;
    json_t *rule;
    assert_int_equal(seccomp_profile_check(profile, "ours", &e), 0);
    assert_string_equal(json_string_value(json_object_get(profile, "defaultAction")), "SCMP_ACT_ERRNO");
    assert_int_equal(json_array_size(json_object_get(profile, "archMap")), 2);
    /* Every rule allows calls, except the one for clone3, after which C libraries use clone. */
    json_array_foreach(json_object_get(profile, "syscalls"), i, rule)
    {
        if (streq(json_string_value(json_object_get(rule, "action")), "SCMP_ACT_ALLOW"))
            continue;
        assert_true(names_call(rule, "clone3"));
        assert_int_equal(json_integer_value(json_object_get(rule, "errnoRet")), ENOSYS);
    }
}

static void the_engine_and_its_seccomp_are_recognized(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool yes;
    } infos[] = {
        {"{\"SecurityOptions\": [\"name=seccomp,profile=default\"]}", true},
        {"{\"SecurityOptions\": [\"name=apparmor\", \"name=seccomp,profile=unconfined\"]}", true},
        {"{\"SecurityOptions\": [\"seccomp\"]}", true},
        {"{\"SecurityOptions\": [\"name=apparmor\", \"name=seccompish\"]}", false},
        {"{\"SecurityOptions\": [7, null, {}]}", false},
        {"{\"SecurityOptions\": null}", false},
        {"{}", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(infos); i++) {
        _cleanup_json_ json_t *info = json_loads(infos[i].text, 0, NULL);
        assert_int_equal(docker_read_seccomp(info), infos[i].yes);
    }
    _cleanup_json_ json_t *docker = json_loads(
                              "{\"Components\": [{\"Name\": \"Engine\"}, {\"Name\": \"containerd\"}]}", 0,
                              NULL),
                          *podman = json_loads("{\"Components\": [{\"Name\": \"Podman Engine\"}]}", 0, NULL),
                          *odd = json_loads("{\"Components\": [{\"Name\": 7}, 7, null]}", 0, NULL);
    assert_false(docker_read_podman(docker));
    assert_true(docker_read_podman(podman));
    assert_false(docker_read_podman(odd));
}

static void only_well_formed_profiles_are_accepted(void **state)
{
    (void)state;
    static const struct {
        const char *text; /* with ' in place of " */
        bool good;
    } cases[] = {
        {"{'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': []}", true},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW', "
         "'args': null}]}",
         true},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'name': 'read', 'action': 'SCMP_ACT_ALLOW', "
         "'args': []}]}",
         true},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'name': 'a', 'names': ['b'], 'action': "
         "'SCMP_ACT_ALLOW'}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': [], 'action': 'SCMP_ACT_ALLOW'}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'action': 'SCMP_ACT_ALLOW'}]}", false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read']}]}", false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [7]}", false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': {}}", false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO'}", false},
        {"{'defaultAction': 'ERRNO', 'syscalls': []}", false},
        {"{'defaultAction': 7, 'syscalls': []}", false},
        {"{'syscalls': []}", false},
        {"[]", false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [], 'architectures': ['SCMP_ARCH_X86'], 'archMap': "
         "[{}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW',"
         " 'args': [{'index': 1, 'value': 5, 'op': 'SCMP_CMP_EQ'}]}]}",
         true},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW',"
         " 'args': [{'index': 6, 'value': 5, 'op': 'SCMP_CMP_EQ'}]}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW',"
         " 'args': [{'index': 1, 'value': -5, 'op': 'SCMP_CMP_EQ'}]}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW',"
         " 'args': [{'index': 1, 'value': 5, 'op': 'EQ'}]}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ALLOW', "
         "'args': {}}]}",
         false},
        {"{'defaultAction': 'SCMP_ACT_ERRNO', 'syscalls': [{'names': ['read'], 'action': 'SCMP_ACT_ERRNO', "
         "'errnoRet': -1}]}",
         false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        _cleanup_free_ char *text = xstrdup(cases[i].text);
        for (char *c = text; *c; c++)
            *c = *c == '\'' ? '"' : *c;
        _cleanup_json_ json_t *one = json_loads(text, 0, NULL);
        assert_non_null(one);
        if ((seccomp_profile_check(one, "profile.json", &e) >= 0) != cases[i].good)
            fail_msg("%s: %s", text, e.message);
        if (!cases[i].good) {
            assert_int_equal(e.class, ERROR_REFUSED);
            assert_non_null(strstr(e.message, "profile.json"));
        }
    }
}

static int write_profile(const char *path, const char *text, mode_t mode)
{
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 || write_all(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0 ? -1 : 0;
}

static void only_a_file_of_root_is_accepted(void **state)
{
    (void)state;
    static const char good[] = "\xef\xbb\xbf{\"defaultAction\": \"SCMP_ACT_ALLOW\",\n \"syscalls\": []}";
    char directory[] = "/tmp/hostlet-profile-XXXXXX";
    struct error e = ERROR_INIT;
    char *text = NULL;
    assert_non_null(mkdtemp(directory));
    _cleanup_free_ char *path = xasprintf("%s/profile.json", directory),
                        *link = xasprintf("%s/link.json", directory),
                        *fifo = xasprintf("%s/fifo.json", directory);
    assert_int_equal(write_profile(path, good, 0644), 0);
    assert_int_equal(seccomp_profile_read(path, &text, &e), 0);
    assert_string_equal(text, "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[]}");
    free(text);
    text = NULL;
    static const mode_t modes[] = {0664, 0646, 0666};
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(seccomp_profile_read(path, &text, &e), -EPERM);
    }
    assert_int_equal(chmod(path, 0644), 0);
    /* A file that another user can replace, and files that block, are refused. */
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(seccomp_profile_read(link, &text, &e), -ELOOP);
    assert_int_equal(mkfifo(fifo, 0644), 0);
    assert_int_equal(seccomp_profile_read(fifo, &text, &e), -EINVAL);
    assert_int_equal(seccomp_profile_read(directory, &text, &e), -EINVAL);
    assert_int_equal(write_profile(path, "{\"a\": 1, \"a\": 2}", 0644), 0);
    assert_int_equal(seccomp_profile_read(path, &text, &e), -EINVAL);
    assert_int_equal(truncate(path, 1 << 20), 0);
    assert_int_equal(seccomp_profile_read(path, &text, &e), -EFBIG);
    assert_int_equal(e.class, ERROR_REFUSED);
    assert_null(text);
    assert_int_equal(remove_tree_at(AT_FDCWD, directory, &e), 0);
}

static int load(void **state)
{
    (void)state;
    _cleanup_free_ char *text = seccomp_profile_text();
    profile = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    return profile ? 0 : -1;
}

static int drop(void **state)
{
    (void)state;
    json_decref(profile);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ioctls_are_refused_with_any_high_bits),
        cmocka_unit_test(new_namespaces_are_refused),
        cmocka_unit_test(only_ordinary_socket_families_are_allowed),
        cmocka_unit_test(the_profile_is_well_formed),
        cmocka_unit_test(the_engine_and_its_seccomp_are_recognized),
        cmocka_unit_test(only_well_formed_profiles_are_accepted),
        cmocka_unit_test(only_a_file_of_root_is_accepted),
    };
    return cmocka_run_group_tests(tests, load, drop);
}
