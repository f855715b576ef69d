/* Implements parse.h. */
#include "lib/schema/parse.h"

#include <errno.h>
#include <stdio.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

/* A value's place in the document, which messages show as a JSON pointer. Each function that parses a value
 * has one on its stack, linked to that of the enclosing value. NULL is the document itself. */
struct place {
    const struct place *parent;
    const char *name;
    size_t index; /* used when name is NULL */
};

static size_t print_place(const struct place *p, char *out, size_t size)
{
    if (!p)
        return 0;
    size_t n = print_place(p->parent, out, size);
    int m =
        p->name ? snprintf(out + n, size - n, "/%s", p->name) : snprintf(out + n, size - n, "/%zu", p->index);
    return m < 0 || n + (size_t)m >= size ? size - 1 : n + (size_t)m;
}

static const char *type_of(json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a real number";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

static int refuse(struct error *e, const struct place *p, const char *what)
{
    char where[512] = "/";
    print_place(p, where, sizeof where);
    return error_refuse(e, EINVAL, "%s: %s", where, what);
}

static int expected(struct error *e, const struct place *p, const char *what, json_t *got)
{
    char text[128];
    snprintf(text, sizeof text, "expected %s, got %s", what, type_of(got));
    return refuse(e, p, text);
}

static int parse_object(const struct schema_struct *s, json_t *json, unsigned flags, const struct place *p,
                        void *ret, struct error *e);

static int parse_enum(const struct schema_field *f, json_t *json, const struct place *p, int *ret,
                      struct error *e)
{
    if (!json_is_string(json))
        return expected(e, p, "a string", json);
    int v = schema_enum_value(f->enumeration, json_string_value(json));
    if (v >= 0) {
        *ret = v;
        return 0;
    }
    char text[512];
    int n = snprintf(text, sizeof text, "'%.64s' is not one of", json_string_value(json));
    for (size_t i = 0; i == 0 || f->enumeration->values[i]; i++)
        if (f->enumeration->values[i] && (size_t)n < sizeof text)
            n += snprintf(text + n, sizeof text - (size_t)n, " %s", f->enumeration->values[i]);
    return refuse(e, p, text);
}

/* Parses one value that is not an array or map. 'at' is the member or the item that receives it. */
static int parse_value(const struct schema_field *f, json_t *json, unsigned flags, const struct place *p,
                       void *at, struct error *e)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        if (!json_is_boolean(json))
            return expected(e, p, "a boolean", json);
        *(bool *)at = json_is_true(json);
        return 0;
    case SCHEMA_INT:
        if (!json_is_integer(json))
            return expected(e, p, "an integer", json);
        *(int64_t *)at = json_integer_value(json);
        return 0;
    case SCHEMA_STRING:
        if (!json_is_string(json))
            return expected(e, p, "a string", json);
        *(char **)at = xstrdup(json_string_value(json));
        return 0;
    case SCHEMA_ENUM:
        return parse_enum(f, json, p, at, e);
    case SCHEMA_OBJECT:
        if (!json_is_object(json))
            return expected(e, p, "an object", json);
        *(json_t **)at = json_incref(json);
        return 0;
    case SCHEMA_STRUCT: {
        void *value = xcalloc(1, f->structure->size);
        int r = parse_object(f->structure, json, flags, p, value, e);
        if (r < 0) {
            free(value);
            return r;
        }
        *(void **)at = value;
        return 0;
    }
    }
    abort();
}

static int parse_array(const struct schema_field *f, json_t *json, unsigned flags, const struct place *p,
                       char *base, struct error *e)
{
    if (!json_is_array(json))
        return expected(e, p, "an array", json);
    size_t n = json_array_size(json), size = schema_element_size(f->type);
    if (n == 0)
        return 0;
    char *items = xcalloc(n, size);
    /* The struct owns the array from the beginning, and counts the items that are parsed, so that
     * schema_done() releases them if a later item is invalid. */
    *(char **)(base + f->offset) = items;
    size_t *count = (size_t *)(base + f->count_offset);
    for (size_t i = 0; i < n; i++) {
        struct place here = {.parent = p, .index = i};
        int r = parse_value(f, json_array_get(json, i), flags, &here, items + i * size, e);
        if (r < 0)
            return r;
        *count = i + 1;
    }
    return 0;
}

static int parse_map(const struct schema_field *f, json_t *json, const struct place *p, char *base,
                     struct error *e)
{
    if (!json_is_object(json))
        return expected(e, p, "an object", json);
    struct schema_pair **map = (struct schema_pair **)(base + f->offset);
    size_t *count = (size_t *)(base + f->count_offset);
    const char *key;
    json_t *value;
    if (json_object_size(json) == 0)
        return 0;
    *map = xcalloc(json_object_size(json), sizeof **map);
    json_object_foreach(json, key, value)
    {
        struct place here = {.parent = p, .name = key};
        if (!json_is_string(value))
            return expected(e, &here, "a string", value);
        (*map)[*count] = (struct schema_pair){xstrdup(key), xstrdup(json_string_value(value))};
        (*count)++;
    }
    return 0;
}

static const struct schema_field *find_field(const struct schema_struct *s, const char *name)
{
    for (const struct schema_field *f = s->fields; f->name; f++)
        if (streq(f->name, name))
            return f;
    return NULL;
}

static int parse_fields(const struct schema_struct *s, json_t *json, unsigned flags, const struct place *p,
                        char *base, struct error *e)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json))
        return expected(e, p, "an object", json);
    if (flags & SCHEMA_STRICT)
        json_object_foreach(json, key, value)
        {
            struct place here = {.parent = p, .name = key};
            if (!find_field(s, key))
                return refuse(e, &here, "unknown member");
        }
    for (const struct schema_field *f = s->fields; f->name; f++) {
        struct place here = {.parent = p, .name = f->name};
        value = json_object_get(json, f->name);
        if (!value || json_is_null(value)) {
            if (!(f->flags & SCHEMA_NULLABLE))
                return refuse(e, &here, "is missing");
            continue;
        }
        int r = f->flags & SCHEMA_ARRAY ? parse_array(f, value, flags, &here, base, e)
                : f->flags & SCHEMA_MAP ? parse_map(f, value, &here, base, e)
                                        : parse_value(f, value, flags, &here, base + f->offset, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_object(const struct schema_struct *s, json_t *json, unsigned flags, const struct place *p,
                        void *ret, struct error *e)
{
    int r = parse_fields(s, json, flags, p, ret, e);
    if (r < 0)
        schema_done(s, ret);
    return r;
}

int schema_parse(const struct schema_struct *s, json_t *json, unsigned flags, void *ret, struct error *e)
{
    return parse_object(s, json, flags, NULL, ret, e);
}

int schema_parse_text(const struct schema_struct *s, const char *text, size_t size, unsigned flags,
                      const char *source, void *ret, struct error *e)
{
    json_error_t je;
    skip_byte_order_mark(&text, &size);
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &je);
    if (!json)
        return error_refuse(e, EINVAL, "%s: line %d, column %d: %s", source, je.line, je.column, je.text);
    int r = schema_parse(s, json, flags, ret, e);
    json_decref(json);
    return r < 0 ? error_prefix(e, "%s", source) : 0;
}
