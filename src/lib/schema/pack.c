/* Implements pack.h. */
#include "lib/schema/pack.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/schema/object.h"

/* Returns a string as JSON. Jansson refuses a string that is not UTF-8, which can be a file name in an error
 * message. In such a string every byte that is not ASCII becomes '?'. */
static json_t *pack_string(const char *s)
{
    json_t *json = json_string(s);
    if (json)
        return json;
    char *copy = xstrdup(s);
    for (char *c = copy; *c; c++)
        if (*c & 0x80)
            *c = '?';
    json = json_string(copy);
    free(copy);
    if (!json)
        abort();
    return json;
}

static json_t *pack_value(const struct schema_field *f, const void *at)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        return json_boolean(*(const bool *)at);
    case SCHEMA_INT:
        return json_integer(*(const int64_t *)at);
    case SCHEMA_ENUM: {
        const char *name = schema_enum_name(f->enumeration, *(const int *)at);
        return name ? json_string(name) : NULL;
    }
    case SCHEMA_STRING: {
        const char *s = *(char *const *)at;
        return s ? pack_string(s) : NULL;
    }
    case SCHEMA_OBJECT:
        return json_incref(*(json_t *const *)at);
    case SCHEMA_STRUCT: {
        const void *value = *(void *const *)at;
        return value ? schema_pack(f->structure, value) : NULL;
    }
    }
    abort();
}

/* Reports whether a nullable member, which is not an array or map, has the value that means absent. */
static bool is_absent(const struct schema_field *f, const void *at)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        return !*(const bool *)at;
    case SCHEMA_INT:
        return *(const int64_t *)at == 0;
    case SCHEMA_ENUM:
        return *(const int *)at == 0;
    default:
        return *(void *const *)at == NULL;
    }
}

static json_t *pack_field(const struct schema_field *f, const char *base)
{
    const char *at = base + f->offset;
    if (!(f->flags & (SCHEMA_ARRAY | SCHEMA_MAP)))
        return (f->flags & SCHEMA_NULLABLE) && is_absent(f, at) ? NULL : pack_value(f, at);

    size_t n = *(const size_t *)(base + f->count_offset);
    if (n == 0)
        return NULL;
    if (f->flags & SCHEMA_MAP) {
        const struct schema_pair *map = *(struct schema_pair *const *)at;
        json_t *object = json_object();
        for (size_t i = 0; i < n; i++)
            json_object_set_new(object, map[i].key, pack_string(map[i].value));
        return object;
    }
    json_t *array = json_array();
    const char *items = *(char *const *)at;
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, pack_value(f, items + i * schema_element_size(f->type)));
    return array;
}

json_t *schema_pack(const struct schema_struct *s, const void *value)
{
    json_t *object = json_object();
    for (const struct schema_field *f = s->fields; f->name; f++) {
        json_t *packed = pack_field(f, value);
        assert(packed || (f->flags & SCHEMA_NULLABLE));
        if (packed)
            json_object_set_new(object, f->name, packed);
    }
    return object;
}

char *schema_pack_text(const struct schema_struct *s, const void *value, size_t *ret_size)
{
    json_t *json = schema_pack(s, value);
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    if (!text)
        abort();
    if (ret_size)
        *ret_size = strlen(text);
    return text;
}
