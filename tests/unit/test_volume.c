/* Tests where a container can have volumes, and the names of their directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/app/volume.h"

static const struct app_volume_rules image = {.inagent = false}, inagent = {.inagent = true},
                                     read_only = {.read_only = true};

static void test_a_volume_is_refused_where_something_else_is_mounted(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const struct app_volume_rules *rules;
        const char *message; /* a part of it; NULL: the path is accepted */
    } rows[] = {
        {"/data", &image, NULL},
        {"/var/lib/postgresql/data", &inagent, NULL},
        {"/with space:and,more=\xc3\xa4", &image, NULL},
        {"/...", &image, NULL},
        {"/.cache", &image, NULL},
        {"/etc", &image, NULL}, /* the files in it are mounted over it */
        {"/usr", &image, NULL},
        {"/process", &image, NULL},
        {"/", &image, "whole file system"},
        {"", &image, "shortest form"},
        {"data", &image, "shortest form"},
        {"./data", &image, "shortest form"},
        {"/data/", &image, "shortest form"},
        {"//data", &image, "shortest form"},
        {"/a//b", &image, "shortest form"},
        {"/a/../b", &image, "shortest form"},
        {"/a/..", &image, "shortest form"},
        {"/./a", &image, "shortest form"},
        {"/a/.", &image, "shortest form"},
        {"/a\nb", &image, "shortest form"},
        {"/a\x7f", &image, "shortest form"},
        {"/proc", &image, "replace /proc,"},
        {"/proc/x", &image, "replace /proc,"},
        {"/sys/fs/cgroup", &image, "replace /sys,"},
        {"/dev/shm", &image, "replace /dev,"},
        {"/usr/innerstack", &image, "replace /usr/innerstack,"},
        {"/usr/innerstack/tiny", &image, "replace /usr/innerstack,"},
        {"/etc/hosts", &image, "replace /etc/hosts,"},
        {"/etc/resolv.conf", &image, "replace /etc/resolv.conf,"},
        {"/etc/hostname", &image, "replace /etc/hostname,"},
        {"/home", &image, NULL},
        {"/opt", &image, NULL},
        {"/home/action/.innerstack", &image, NULL},
        {"/home", &inagent, "directory of the replica anyway"},
        {"/opt", &inagent, "directory of the replica anyway"},
        {"/opt/app/data", &inagent, NULL},
        {"/home/action/data", &inagent, NULL},
        {"/home/action", &inagent, "replace /home/action/.innerstack,"},
        {"/home/action/.innerstack", &inagent, "replace /home/action/.innerstack,"},
        {"/home/action/.innerstack/x", &inagent, "replace /home/action/.innerstack,"},
        {"/tmp", &inagent, NULL},
        {"/tmp", &read_only, "in memory"},
        {"/run", &read_only, "in memory"},
        {"/run/app", &read_only, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct error e = ERROR_INIT;
        int r = app_volume_check(rows[i].path, rows[i].rules, &e);
        if (rows[i].message ? r >= 0 || !strstr(e.message, rows[i].message) : r < 0)
            fail_msg("'%s': %s", rows[i].path, r < 0 ? e.message : "accepted");
    }
    char path[200] = "/";
    struct error e = ERROR_INIT;
    memset(path + 1, 'x', 128);
    assert_int_equal(app_volume_check(path, &image, &e), 0);
    path[129] = 'x';
    assert_true(app_volume_check(path, &image, &e) < 0);
    assert_non_null(strstr(e.message, "too long"));
}

static void test_the_name_of_a_directory_stands_for_one_path(void **state)
{
    (void)state;
    static const struct {
        const char *path, *key;
    } rows[] = {
        {"/data", "data"},
        {"/var/lib/postgresql/data", "var.lib.postgresql.data"},
        {"/a.b", "a_2eb"},
        {"/a/b", "a.b"},
        {"/a_2eb", "a_5f2eb"},
        {"/.cache", "_2ecache"},
        {"/with-hyphen", "with-hyphen"},
        {"/\xc3\xa4", "_c3_a4"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char *key = app_volume_key(rows[i].path);
        assert_string_equal(key, rows[i].key);
        free(key);
    }
}

/* Checks the volumes that declared VOLUMEs make, joined by spaces. */
static void check_image(const struct app_volume_rules *rules, const char *expected, size_t n,
                        const char *const *declared)
{
    struct error e = ERROR_INIT;
    char **list = NULL, text[1200] = "";
    size_t count = 0;
    int r = app_volumes_of_image((char *const *)declared, n, rules, &list, &count, &e);
    if (r < 0)
        snprintf(text, sizeof text, "%s", e.message);
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", list[i]);
    if (r < 0 ? !strstr(text, expected) : strcmp(text, expected) != 0)
        fail_msg("'%s', not '%s'", text, expected);
    app_volumes_free(list, count);
}
#define DECLARED(...)                                                                                        \
    sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[])                                 \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

static void test_volumes_of_an_image_are_shortened_as_the_runtime_does(void **state)
{
    (void)state;
    check_image(&image, "", 0, NULL);
    check_image(&image, "/a /b /x/y", DECLARED("/x//y/", "/b", "/c/../a", "/b/."));
    check_image(&image, "/home /opt /run /tmp", DECLARED("/tmp", "/run", "/opt", "/home"));
    check_image(&inagent, "/opt/x /run /tmp", DECLARED("/tmp", "/run", "/opt/", "/home", "/opt/x"));
    check_image(&read_only, "/home /opt", DECLARED("/tmp", "/run", "/opt", "/home"));
    check_image(&image, "whole file system", DECLARED("/data", "/.."));
    check_image(&image, "not absolute", DECLARED("data"));
    check_image(&image, "replace /proc", DECLARED("/data", "/x/../proc/y"));
    check_image(&inagent, ".innerstack", DECLARED("/home/action"));
    const char *many[33];
    for (size_t i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = "/data";
    check_image(&image, "/data", 32, many);
    check_image(&image, "at most 32", 33, many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_volume_is_refused_where_something_else_is_mounted),
        cmocka_unit_test(test_the_name_of_a_directory_stands_for_one_path),
        cmocka_unit_test(test_volumes_of_an_image_are_shortened_as_the_runtime_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
