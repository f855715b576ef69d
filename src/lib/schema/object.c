/* Implements object.h. */
#include "lib/schema/object.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/schema/pack.h"

size_t schema_element_size(enum schema_type type)
{
    switch (type) {
    case SCHEMA_BOOL:
        return sizeof(bool);
    case SCHEMA_INT:
        return sizeof(int64_t);
    case SCHEMA_ENUM:
        return sizeof(int);
    default:
        return sizeof(void *);
    }
}

static void done_value(const struct schema_field *f, void *at)
{
    if (f->type == SCHEMA_STRING)
        free(*(char **)at);
    else if (f->type == SCHEMA_OBJECT)
        json_decref(*(json_t **)at);
    else if (f->type == SCHEMA_STRUCT)
        schema_free(f->structure, *(void **)at);
}

void schema_done(const struct schema_struct *s, void *value)
{
    if (!value)
        return;
    for (const struct schema_field *f = s->fields; f->name; f++) {
        char *base = value, *at = base + f->offset;
        if (!(f->flags & (SCHEMA_ARRAY | SCHEMA_MAP))) {
            done_value(f, at);
            continue;
        }
        size_t n = *(size_t *)(base + f->count_offset), size = schema_element_size(f->type);
        char *items = *(char **)at;
        for (size_t i = 0; i < n; i++)
            if (f->flags & SCHEMA_MAP) {
                free(((struct schema_pair *)items)[i].key);
                free(((struct schema_pair *)items)[i].value);
            } else
                done_value(f, items + i * size);
        free(items);
    }
    memset(value, 0, s->size);
}

void schema_free(const struct schema_struct *s, void *value)
{
    schema_done(s, value);
    free(value);
}

static void copy_value(const struct schema_field *f, const void *from, void *to)
{
    switch (f->type) {
    case SCHEMA_BOOL:
        *(bool *)to = *(const bool *)from;
        return;
    case SCHEMA_INT:
        *(int64_t *)to = *(const int64_t *)from;
        return;
    case SCHEMA_ENUM:
        *(int *)to = *(const int *)from;
        return;
    case SCHEMA_STRING:
        *(char **)to = xstrdup_null(*(char *const *)from);
        return;
    case SCHEMA_OBJECT: {
        json_t *json = *(json_t *const *)from;
        /* The copy must not share the JSON, because either owner may change it. */
        *(json_t **)to = json ? json_deep_copy(json) : NULL;
        return;
    }
    case SCHEMA_STRUCT: {
        const void *value = *(void *const *)from;
        void *copy = value ? xcalloc(1, f->structure->size) : NULL;
        if (copy)
            schema_copy(f->structure, value, copy);
        *(void **)to = copy;
        return;
    }
    }
    abort();
}

static struct schema_pair *copy_map(const struct schema_pair *map, size_t n)
{
    struct schema_pair *copy = xcalloc(n, sizeof *copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (struct schema_pair){xstrdup(map[i].key), xstrdup(map[i].value)};
    return copy;
}

static void *copy_array(const struct schema_field *f, const char *items, size_t n)
{
    size_t size = schema_element_size(f->type);
    char *copy = xcalloc(n, size);
    for (size_t i = 0; i < n; i++)
        copy_value(f, items + i * size, copy + i * size);
    return copy;
}

void schema_copy(const struct schema_struct *s, const void *value, void *ret)
{
    for (const struct schema_field *f = s->fields; f->name; f++) {
        const char *from = (const char *)value + f->offset;
        char *to = (char *)ret + f->offset;
        if (!(f->flags & (SCHEMA_ARRAY | SCHEMA_MAP))) {
            copy_value(f, from, to);
            continue;
        }
        size_t n = *(const size_t *)((const char *)value + f->count_offset);
        const void *items = *(void *const *)from;
        *(size_t *)((char *)ret + f->count_offset) = n;
        if (n > 0)
            *(void **)to = f->flags & SCHEMA_MAP ? (void *)copy_map(items, n) : copy_array(f, items, n);
    }
}

bool schema_equal(const struct schema_struct *s, const void *a, const void *b)
{
    json_t *x = schema_pack(s, a), *y = schema_pack(s, b);
    bool equal = json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return equal;
}

const char *schema_enum_name(const struct schema_enum *en, int value)
{
    return en->values[value];
}

int schema_enum_value(const struct schema_enum *en, const char *name)
{
    for (int i = 0; i == 0 || en->values[i]; i++)
        if (en->values[i] && streq_null(en->values[i], name))
            return i;
    return -EINVAL;
}

const char *schema_map_get(const struct schema_pair *map, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (streq(map[i].key, key))
            return map[i].value;
    return NULL;
}

void schema_map_set(struct schema_pair **map, size_t *n, const char *key, const char *value)
{
    for (size_t i = 0; i < *n; i++)
        if (streq((*map)[i].key, key)) {
            free((*map)[i].value);
            (*map)[i].value = xstrdup(value);
            return;
        }
    *map = xrealloc(*map, *n + 1, sizeof **map);
    (*map)[(*n)++] = (struct schema_pair){xstrdup(key), xstrdup(value)};
}

void *schema_append(void *array, size_t *n, size_t size)
{
    void ***items = array, *item = xcalloc(1, size);
    *items = xrealloc(*items, *n + 1, sizeof **items);
    (*items)[(*n)++] = item;
    return item;
}

void schema_append_string(char ***array, size_t *n, const char *value)
{
    *array = xrealloc(*array, *n + 1, sizeof **array);
    (*array)[(*n)++] = xstrdup(value);
}
