/* Compares hostlet.conf(5) and service.conf(5) with what the programs accept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/basic/cleanup.h"
#include "lib/basic/fs.h"
#include "lib/basic/remove_tree.h"
#include "lib/config/config.h"
#include "lib/topology/topology.h"

static char *read_page(const char *name)
{
    struct error e = ERROR_INIT;
    _cleanup_free_ char *path = xasprintf("%s/%s.scd", MANUAL, name);
    char *text = NULL;
    if (read_file_at(AT_FDCWD, path, 1 << 20, &text, NULL, &e) < 0)
        fail_msg("%s", e.message);
    return text;
}

/* Returns the text between a heading and the next one. The caller frees it. */
static char *read_part(const char *page, const char *heading)
{
    _cleanup_free_ char *line = xasprintf("\n# %s\n", heading);
    const char *start = strstr(page, line);
    if (!start)
        fail_msg("the page has no heading '%s'", heading);
    start += strlen(line);
    const char *end = strstr(start, "\n# ");
    return xstrndup(start, end ? (size_t)(end - start) : strlen(start));
}

/* Returns the entry of a key, its line and the indented ones below, or NULL. The caller frees it. */
static char *find_entry(const char *part, const char *key)
{
    _cleanup_free_ char *line = xasprintf("\n*%s* = ", key);
    const char *start = strstr(part, line);
    if (!start)
        return NULL;
    const char *end = strstr(start + 1, "\n\n");
    return xstrndup(start, end ? (size_t)(end - start) : strlen(start));
}

static size_t count_entries(const char *text)
{
    size_t n = 0;
    for (const char *c = text; (c = strstr(c, "\n*")); c++)
        n += strcspn(c + 2, "*\n") > 0 && strncmp(c + 2 + strcspn(c + 2, "*\n"), "* = ", 4) == 0;
    return n;
}

static void check_choices(const struct config_key *key, const char *entry)
{
    _cleanup_free_ char *choices = xstrdup(key->choices);
    char *save = NULL;
    for (char *word = strtok_r(choices, "|", &save); word; word = strtok_r(NULL, "|", &save)) {
        _cleanup_free_ char *bold = xasprintf("*%s*", word);
        if (!strstr(entry, bold))
            fail_msg("hostlet.conf(5): [%s] %s does not name '%s'", key->section, key->name, word);
    }
}

static void test_every_key_of_the_configuration_is_described(void **state)
{
    (void)state;
    size_t n = 0;
    _cleanup_free_ char *page = read_page("hostlet.conf.5");
    for (const struct config_key *key = config_keys; key->section; key++, n++) {
        _cleanup_free_ char *heading = xasprintf("SECTION [%s]", key->section);
        _cleanup_free_ char *part = read_part(page, heading), *entry = find_entry(part, key->name);
        if (!entry)
            fail_msg("hostlet.conf(5) does not have %s of [%s]", key->name, key->section);
        _cleanup_free_ char *standard = xasprintf("Default: *%s*.", key->standard);
        if (*key->standard && !strstr(entry, standard))
            fail_msg("hostlet.conf(5): [%s] %s: expected '%s' in:%s", key->section, key->name, standard,
                     entry);
        if (key->type == CONFIG_CHOICE)
            check_choices(key, entry);
    }
    assert_int_equal(count_entries(page), n);
}

/* Every key with an accepted value. */
static const struct {
    const char *key, *value;
} service_keys[] = {
    {"exec", "program"},
    {"description", "what it is for"},
    {"user", "root"},
    {"group", "root"},
    {"groups", "root root"},
    {"capabilities", "CAP_CHOWN"},
    {"network", "no"},
    {"socket", "one"},
    {"public_socket", "agents/one.sock"},
    {"tcp", "zone.peer_port zone.http_port"},
    {"tcp_enabled", "zone.enable"},
    {"enabled", "zone.enable"},
    {"peers", "root"},
    {"supervisor", "List Watch"},
    {"needs", ""},
    {"start", "demand"},
    {"check", "yes"},
    {"reload", "yes"},
    {"idle_timeout", "1s"},
    {"ready_timeout", "1s"},
    {"stop_timeout", "1s"},
    {"config_sections", "fetcher unpacker"},
};

static char base[] = "/tmp/hostlet-unit-XXXXXX";

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

/* Calls service_conf_load() for a service 'one' with this service.conf. */
static int load(const char *text, struct service_conf **ret, struct error *e)
{
    struct tree tree = {.prefix = NULL};
    assert_int_equal(tree_init(&tree, base, base, base, e), 0);
    _cleanup_free_ char *directory = xasprintf("%s/one", base),
                        *path = xasprintf("%s/service.conf", directory);
    (void)mkdir(directory, 0755);
    assert_int_equal(replace_file(path, text, strlen(text), 0644, e), 0);
    int r = service_conf_load(&tree, "one", ret, e);
    tree_done(&tree);
    return r;
}

static void test_every_key_of_a_service_is_described(void **state)
{
    (void)state;
    _cleanup_free_ char *page = read_page("service.conf.5"), *part = read_part(page, "KEYS");
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    fputs("[service]\n", file);
    for (size_t i = 0; i < ARRAY_SIZE(service_keys); i++) {
        _cleanup_free_ char *entry = find_entry(part, service_keys[i].key);
        if (!entry)
            fail_msg("service.conf(5) does not have %s", service_keys[i].key);
        fprintf(file, "%s = %s\n", service_keys[i].key, service_keys[i].value);
    }
    fclose(file);
    assert_int_equal(count_entries(part), ARRAY_SIZE(service_keys));
    struct service_conf *conf = NULL;
    struct error e = ERROR_INIT;
    if (load(text, &conf, &e) < 0)
        fail_msg("%s", e.message);
    assert_int_equal(conf->n_config_sections, 2);
    assert_string_equal(conf->config_sections[1], "unpacker");
    service_conf_free(conf);
    free(text);
}

static void test_mistakes_in_a_service_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[service]\nsocket = x\n", "service.conf: 'exec' is missing"},
        {"[service]\nexec = x\nstart = demand\n", "service.conf: start = demand needs a 'socket'"},
        {"[service]\nexec = x\nstart = zone.enable\n", "service.conf: start = demand needs a 'socket'"},
        {"[service]\nexec = x\nsocket = x\nstart = zone.x\n",
         "start: hostlet.conf has no key 'zone.x' that is yes"},
        {"[service]\nexec = x\nstart = now\n", "service.conf:3: unknown key or bad value: start = now"},
        {"[service]\nexec = x\ntcp_enabled = zone.enable\n", "'tcp_enabled' needs 'tcp'"},
        {"[service]\nexec = x\npublic_socket = a/b\n", "'public_socket' needs a 'socket'"},
        {"[service]\nexec = x\nsocket = x\npublic_socket = ../b\n", "'../b' is no DIRECTORY/NAME"},
        {"[service]\nexec = x\nconfig_sections = fetcher nothing\n", "hostlet.conf has no section [nothing]"},
        {"[service]\nexec = x\nuser = no-such-user\n", "the user 'no-such-user' does not exist"},
        {"[service]\nexec = x\npeers = no-such-user\n", "the user 'no-such-user' does not exist"},
        {"[service]\nexec = x\npeers = root:\n", "peers: 'root:' has an empty method name"},
        {"[service]\nexec = x\npeers = root:A,,B\n", "peers: 'root:A,,B' has an empty method name"},
        {"[service]\nexec = x\npeers = no-such-user:A\n", "the user 'no-such-user' does not exist"},
        {"[service]\nexec = x\ngroups = no-such-group\n", "the group 'no-such-group' does not exist"},
        {"[service]\nexec = x\nnetwork = maybe\n",
         "service.conf:3: unknown key or bad value: network = maybe"},
        {"[service]\nexec = x\nidle_timeout = soon\n", "service.conf:3: unknown key or bad value"},
        {"[service]\nexec = x\ncolour = red\n", "service.conf:3: unknown key or bad value: colour = red"},
        {"[unit]\nexec = x\n", "service.conf:2: unknown section [unit]"},
        {"[service]\nexec =\n", "service.conf:2: unknown key or bad value: exec = "},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct service_conf *conf = NULL;
        struct error e = ERROR_INIT;
        if (load(cases[i].text, &conf, &e) >= 0)
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(e.class, ERROR_REFUSED);
        if (!strstr(e.message, cases[i].message))
            fail_msg("'%s' instead of '%s'", e.message, cases[i].message);
    }
}

static void test_a_service_reads_its_own_section_by_default(void **state)
{
    (void)state;
    struct service_conf *conf = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(load("[service]\nexec = x\n", &conf, &e), 0);
    assert_int_equal(conf->n_config_sections, 1);
    assert_string_equal(conf->config_sections[0], "one");
    service_conf_free(conf);
}

static void test_peers_have_their_rights(void **state)
{
    (void)state;
    struct service_conf *conf = NULL;
    struct error e = ERROR_INIT;
    assert_int_equal(load("[service]\nexec = x\npeers = daemon bin:Watch,List\n", &conf, &e), 0);
    uid_t all = conf->peer_ids[0], some = conf->peer_ids[1];
    const struct {
        uid_t uid;
        const char *method;
        bool allowed;
    } cases[] = {
        {0, "Apply", true},     {all, "Apply", true},   {all, "Watch", true}, {some, "Watch", true},
        {some, "List", true},   {some, "Apply", false}, {some, "", false},    {some, "watch", false},
        {65534, "List", false}, {some, "Lis", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (service_conf_method_allowed(conf, cases[i].uid, cases[i].method) != cases[i].allowed)
            fail_msg("uid %u, method '%s'", cases[i].uid, cases[i].method);
    assert_true(service_conf_peer_allowed(conf, some));
    assert_false(service_conf_peer_allowed(conf, 65534));
    service_conf_free(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_of_the_configuration_is_described),
        cmocka_unit_test(test_every_key_of_a_service_is_described),
        cmocka_unit_test(test_mistakes_in_a_service_are_refused),
        cmocka_unit_test(test_a_service_reads_its_own_section_by_default),
        cmocka_unit_test(test_peers_have_their_rights),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
