/* Implements merge.h. */
#include "inagent/config/merge.h"

#include <errno.h>
#include <stdlib.h>

#include "inagent/config/json.h"
#include "inagent/config/properties.h"
#include "inagent/config/toml.h"
#include "inagent/config/yaml.h"
#include "inagent/config/yaml_read.h"
#include "lib/basic/cleanup.h"

int config_format(const char *type, const char *path, enum config_format *ret, struct error *e)
{
    static const struct {
        const char *type, *suffix;
        enum config_format format;
    } formats[] = {
        {"text_json", ".json", CONFIG_JSON},
        {"text_toml", ".toml", CONFIG_TOML},
        {"text_yaml", ".yaml", CONFIG_YAML},
        {"text_yaml", ".yml", CONFIG_YAML},
        {"text_javaprop", ".properties", CONFIG_PROPERTIES},
        {"text_ini", ".ini", CONFIG_INI},
        {"text_ini", ".cfg", CONFIG_INI},
        {"text_ini", ".conf", CONFIG_INI},
    };
    for (int by_suffix = 0; by_suffix < 2; by_suffix++)
        for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
            if (by_suffix ? has_suffix(path, formats[i].suffix) : streq(type, formats[i].type)) {
                *ret = formats[i].format;
                return 0;
            }
    return error_refuse(
        e, EINVAL,
        "neither the item's type '%.32s' nor the extension of '%s' is a known format (json, toml, "
        "yaml, yml, properties, ini, cfg, conf)",
        type, path);
}

static int read_text(enum config_format format, struct toml *text)
{
    switch (format) {
    case CONFIG_JSON:
        return json_read(&text->document);
    case CONFIG_TOML:
        return toml_read(text);
    case CONFIG_YAML:
        return yaml_read(&text->document);
    case CONFIG_PROPERTIES:
        return properties_read(&text->document);
    case CONFIG_INI:
        break;
    }
    return 0;
}

static int merge_texts(enum config_format format, struct toml *old, const struct toml *value)
{
    switch (format) {
    case CONFIG_JSON:
        return json_merge(&old->document, &value->document);
    case CONFIG_TOML:
        return toml_merge(old, value);
    case CONFIG_YAML:
        return yaml_merge(&old->document, &value->document);
    case CONFIG_PROPERTIES:
        return properties_merge(&old->document, &value->document);
    case CONFIG_INI:
        break;
    }
    return 0;
}

/* Merges once. */
static int merge(enum config_format format, const char *name, const char *old, size_t size,
                 const struct toml *value, char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_(toml_done) struct toml text = {.statements = NULL};
    /* Java reads ISO 8859-1: what is beyond ASCII in a file of properties stays as it is. */
    int r = document_open(&text.document, name, old, size, format != CONFIG_PROPERTIES, e);
    if (r < 0 || (r = read_text(format, &text)) < 0 || (r = merge_texts(format, &text, value)) < 0)
        return r;
    size_t result_size;
    _cleanup_free_ char *result = document_result(&text.document, &result_size);
    if (result_size > DOCUMENT_MAX)
        return error_refuse(e, EFBIG, "%s would have %zu bytes, more than %u", name, result_size,
                            DOCUMENT_MAX);
    *ret = TAKE_PTR(result);
    *ret_size = result_size;
    return 0;
}

int config_merge(enum config_format format, const char *old_name, const char *old, size_t size,
                 const char *value_name, const char *value, char **ret, size_t *ret_size, struct error *e)
{
    _cleanup_(toml_done) struct toml new = {.statements = NULL};
    _cleanup_free_ char *lines = xasprintf("%s\n", value);
    int r = document_open(&new.document, value_name, lines, strlen(lines), true, e);
    if (r < 0 || (r = read_text(format, &new)) < 0)
        return r;
    bool empty = strspn(old, " \t\r\n") == size;
    if (format == CONFIG_INI ||
        (empty && format != CONFIG_PROPERTIES)) { /* the latter are rewritten as ASCII */
        *ret_size = strlen(lines);
        *ret = TAKE_PTR(lines);
        return 0;
    }
    size_t result_size, again_size;
    _cleanup_free_ char *result = NULL, *again = NULL;
    r = merge(format, old_name, old, size, &new, &result, &result_size, e);
    if (r < 0)
        return r;
    /* Nothing is written that cannot be read back: the result contains the value, so that another merge
     * changes nothing. */
    r = merge(format, old_name, result, result_size, &new, &again, &again_size, e);
    if (r < 0)
        return error_prefix(e, "the result could not be read back");
    if (again_size != result_size || memcmp(again, result, result_size) != 0)
        return error_refuse(e, EINVAL, "%s: the value cannot be merged in place", old_name);
    *ret = TAKE_PTR(result);
    *ret_size = result_size;
    return 0;
}
