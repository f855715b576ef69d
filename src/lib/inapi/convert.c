/* Implements convert.h with the descriptions of both sides. */
#include "lib/inapi/convert.h"

#include <errno.h>

#include "lib/basic/cleanup.h"
#include "lib/schema/object.h"

static void *member(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (char *)m + f->offset;
}

static size_t *count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    return (size_t *)((char *)m + f->quantifier_offset);
}

static const struct schema_field *schema_of(const struct schema_struct *s, const char *name)
{
    for (const struct schema_field *f = s->fields; f->name; f++)
        if (streq(f->name, name))
            return f;
    return NULL;
}

/* Returns the size of one element in an array of this type, in bytes. */
static size_t wide(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return sizeof(int64_t);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return sizeof(int32_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    default:
        return sizeof(void *);
    }
}

static int get_number(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, const void *at,
                      int64_t *ret, struct error *e)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
        *ret = *(const int64_t *)at;
        return 0;
    case PROTOBUF_C_TYPE_INT32:
        *ret = *(const int32_t *)at;
        return 0;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *ret = *(const uint32_t *)at;
        return 0;
    case PROTOBUF_C_TYPE_UINT64: {
        uint64_t v = *(const uint64_t *)at;
        if (v > INT64_MAX && !streq(m->descriptor->short_name, "Metadata"))
            return error_refuse(e, ERANGE, "%s.%s: %llu is beyond 2^63-1", m->descriptor->name, f->name,
                                (unsigned long long)v);
        *ret = v > INT64_MAX ? INT64_MAX : (int64_t)v;
        return 0;
    }
    default:
        abort(); /* the two descriptions disagree */
    }
}

static void set_number(const ProtobufCFieldDescriptor *f, void *at, int64_t v)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
        *(int64_t *)at = v;
        break;
    case PROTOBUF_C_TYPE_INT32:
        *(int32_t *)at = v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
        break;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *(uint32_t *)at = v > UINT32_MAX ? UINT32_MAX : v < 0 ? 0 : (uint32_t)v;
        break;
    case PROTOBUF_C_TYPE_UINT64:
        *(uint64_t *)at = v < 0 ? 0 : (uint64_t)v;
        break;
    default:
        abort();
    }
}

/* --- from messages to structs --- */

static int fill(const struct schema_struct *s, const ProtobufCMessage *m, void *ret, struct error *e);

static int get_value(const struct schema_field *to, const ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *f, const void *from, void *at, struct error *e)
{
    const ProtobufCMessage *child;
    const char *text;
    switch (to->type) {
    case SCHEMA_BOOL:
        *(bool *)at = *(const protobuf_c_boolean *)from;
        return 0;
    case SCHEMA_INT:
        return get_number(m, f, from, at, e);
    case SCHEMA_STRING:
        text = *(char *const *)from;
        /* An unset string is empty in proto3; in a list, empty strings are elements, too. */
        if ((text && *text) || (f->label == PROTOBUF_C_LABEL_REPEATED))
            *(char **)at = xstrdup(text ?: "");
        return 0;
    case SCHEMA_STRUCT:
        child = *(ProtobufCMessage *const *)from;
        if (!child)
            return 0;
        *(void **)at = xcalloc(1, to->structure->size);
        return fill(to->structure, child, *(void **)at, e);
    default:
        abort();
    }
}

/* Converts the entries of a map<string, string>: messages with the fields key and value. */
static void get_map(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, struct schema_pair **map,
                    size_t *n)
{
    const ProtobufCMessage *const *entries = *(const ProtobufCMessage *const **)member(m, f);
    for (size_t i = 0; i < *count_of(m, f); i++) {
        const char *key = *(char **)member(entries[i], &entries[i]->descriptor->fields[0]),
                   *value = *(char **)member(entries[i], &entries[i]->descriptor->fields[1]);
        schema_map_set(map, n, key ?: "", value ?: "");
    }
}

static int get_field(const struct schema_field *to, const ProtobufCMessage *m,
                     const ProtobufCFieldDescriptor *f, char *base, struct error *e)
{
    if (f->label != PROTOBUF_C_LABEL_REPEATED)
        return get_value(to, m, f, member(m, f), base + to->offset, e);
    size_t n = *count_of(m, f), size = schema_element_size(to->type),
           *count = (size_t *)(base + to->count_offset);
    if (to->flags & SCHEMA_MAP) {
        get_map(m, f, (struct schema_pair **)(base + to->offset), count);
        return 0;
    }
    if (n == 0)
        return 0;
    const char *from = *(char **)member(m, f);
    char *items = xcalloc(n, size);
    *(char **)(base + to->offset) = items;
    int r = 0;
    for (size_t i = 0; r >= 0 && i < n; i++) {
        *count = i + 1; /* so that a partly filled element is released with the rest */
        r = get_value(to, m, f, from + i * wide(f->type), items + i * size, e);
    }
    return r;
}

static int fill(const struct schema_struct *s, const ProtobufCMessage *m, void *ret, struct error *e)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const struct schema_field *to = schema_of(s, f->name);
        int r = to ? get_field(to, m, f, ret, e) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int inapi_to_struct(const struct schema_struct *s, const ProtobufCMessage *m, void *ret, struct error *e)
{
    int r = fill(s, m, ret, e);
    if (r < 0)
        schema_done(s, ret);
    return r;
}

/* --- from structs to messages --- */

static void set_value(const struct schema_field *from, const ProtobufCFieldDescriptor *f, const void *at,
                      void *to)
{
    switch (from->type) {
    case SCHEMA_BOOL:
        *(protobuf_c_boolean *)to = *(const bool *)at;
        break;
    case SCHEMA_INT:
        set_number(f, to, *(const int64_t *)at);
        break;
    case SCHEMA_STRING:
        /* Otherwise the field keeps protobuf-c's shared empty string, which is never freed. */
        if (*(char *const *)at)
            *(char **)to = xstrdup(*(char *const *)at);
        break;
    case SCHEMA_STRUCT:
        if (*(void *const *)at)
            *(ProtobufCMessage **)to = inapi_from_struct(from->structure, f->descriptor, *(void *const *)at);
        break;
    default:
        abort();
    }
}

static ProtobufCMessage *make_message(const ProtobufCMessageDescriptor *d)
{
    ProtobufCMessage *m = xcalloc(1, d->sizeof_message);
    protobuf_c_message_init(d, m);
    return m;
}

static void set_map(const struct schema_pair *map, size_t n, ProtobufCMessage *m,
                    const ProtobufCFieldDescriptor *f)
{
    ProtobufCMessage **entries = xcalloc(n, sizeof *entries);
    for (size_t i = 0; i < n; i++) {
        const ProtobufCMessageDescriptor *d = f->descriptor;
        entries[i] = make_message(d);
        *(char **)member(entries[i], &d->fields[0]) = xstrdup(map[i].key);
        *(char **)member(entries[i], &d->fields[1]) = xstrdup(map[i].value);
    }
    *(ProtobufCMessage ***)member(m, f) = entries;
    *count_of(m, f) = n;
}

static void set_field(const struct schema_field *from, const char *base, ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *f)
{
    if (f->label != PROTOBUF_C_LABEL_REPEATED) {
        set_value(from, f, base + from->offset, member(m, f));
        return;
    }
    size_t n = *(const size_t *)(base + from->count_offset);
    if (n == 0)
        return;
    if (from->flags & SCHEMA_MAP) {
        set_map(*(struct schema_pair *const *)(base + from->offset), n, m, f);
        return;
    }
    const char *items = *(char *const *)(base + from->offset);
    char *to = xcalloc(n, wide(f->type));
    for (size_t i = 0; i < n; i++)
        set_value(from, f, items + i * schema_element_size(from->type), to + i * wide(f->type));
    *(char **)member(m, f) = to;
    *count_of(m, f) = n;
}

ProtobufCMessage *inapi_from_struct(const struct schema_struct *s, const ProtobufCMessageDescriptor *d,
                                    const void *value)
{
    ProtobufCMessage *m = make_message(d);
    for (unsigned i = 0; i < d->n_fields; i++) {
        const struct schema_field *from = schema_of(s, d->fields[i].name);
        if (from)
            set_field(from, value, m, &d->fields[i]);
    }
    return m;
}

void inapi_drop_echo(struct app_instance *app)
{
    schema_free(&app_status_schema, TAKE_PTR(app->status));
    if (app->deploy)
        schema_free(&app_stage_schema, TAKE_PTR(app->deploy->stages));
}
