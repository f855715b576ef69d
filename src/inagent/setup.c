/* Implements setup.h. */
#include "inagent/setup.h"

#include <errno.h>
#include <stdlib.h>

#include "inagent/template.h"
#include "inagent/variables.h"
#include "lib/basic/cleanup.h"

#define NOT_SETUP "Not App Instance Setup"

int setup_parse(const char *data, size_t size, const struct identity *identity, struct setup *ret,
                struct error *e)
{
    json_error_t at;
    json_t *root = json_loadb(data, size, JSON_DECODE_INT_AS_REAL, &at);
    if (!root)
        return error_refuse(e, EINVAL, NOT_SETUP ": app_replica.json is not JSON (line %d, column %d)",
                            at.line, at.column);
    json_t *app = json_object_get(root, "app"), *replica = json_object_get(root, "replica");
    const struct {
        const char *name;
        json_t *value;
    } members[] = {{"app", app},
                   {"app.spec", json_object_get(app, "spec")},
                   {"app.deploy", json_object_get(app, "deploy")},
                   {"replica", replica}};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!json_is_object(members[i].value)) {
            json_decref(root);
            return error_refuse(e, EINVAL, NOT_SETUP ": app_replica.json has no object '%s'",
                                members[i].name);
        }
    if (identity)
        replica = spec_find_replica(root, identity) ?: replica;
    *ret = (struct setup){.root = root, .variables = variables_make(root, replica)};
    return 0;
}

void setup_clear(struct setup *setup)
{
    json_decref(setup->variables);
    json_decref(setup->root);
    *setup = (struct setup){.root = NULL};
}

/* Reports whether two names are the same; "/" and "." are the same, "-" and "_", too. 'n' is the length of
 * 'a'. */
static bool same_name(const char *a, size_t n, const char *b)
{
    if (strlen(b) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        char x = a[i] == '/'   ? '.'
                 : a[i] == '-' ? '_'
                               : a[i],
             y = b[i] == '/'   ? '.'
                 : b[i] == '-' ? '_'
                               : b[i];
        if (x != y)
            return false;
    }
    return true;
}

static const char *member(json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name)) ?: "";
}

static const char *without_cfg(const char *name)
{
    return after_prefix(name, "cfg/") ?: name;
}

static json_t *find_named(json_t *items, const char *name, size_t n)
{
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) if (same_name(name, n, without_cfg(member(item, "name")))) return item;
    return NULL;
}

int setup_find_config(const struct setup *setup, const char *name, char **ret, const char **ret_type,
                      struct error *e)
{
    json_t *configs =
        json_object_get(json_object_get(json_object_get(setup->root, "app"), "deploy"), "configs");
    const char *rest = without_cfg(name);
    json_t *item = find_named(configs, rest, strlen(rest));
    for (const char *point = strchr(rest, '.'); point && !item; point = strchr(point + 1, '.'))
        item = find_named(json_object_get(find_named(configs, rest, (size_t)(point - rest)), "items"),
                          point + 1, strlen(point + 1));
    if (!item)
        return error_set(e, ERROR_NOT_FOUND, ENOENT, "the application has no config field '%s'", name);
    _cleanup_free_ char *trimmed = template_trim(member(item, "value"));
    *ret = template_expand(trimmed, variables_lookup, setup->variables);
    *ret_type = member(item, "type");
    return 0;
}

char *setup_export(const struct setup *setup)
{
    char *text = json_dumps(setup->variables, JSON_INDENT(2) | JSON_SORT_KEYS);
    if (!text)
        abort();
    return text;
}
