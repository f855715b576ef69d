/* protobuf's JSON of any message; see proto_json.h. */
#include "proto_json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *base64(const ProtobufCBinaryData *b)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = calloc(b->len * 4 / 3 + 5, 1), *at = text;
    for (size_t i = 0; i < b->len; i += 3) {
        unsigned v = (unsigned)b->data[i] << 16 | (i + 1 < b->len ? (unsigned)b->data[i + 1] << 8 : 0) |
                     (i + 2 < b->len ? b->data[i + 2] : 0);
        for (unsigned k = 0; k < 4; k++)
            *at++ = i + k < b->len + 1 ? digits[v >> (18 - 6 * k) & 63] : '=';
    }
    json_t *json = json_string(text);
    free(text);
    return json;
}

static json_t *number_text(long long v)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", v);
    return json_string(text);
}

/* NULL for what is unset. */
static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *at, bool keep)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
        return keep || *(const int32_t *)at ? json_integer(*(const int32_t *)at) : NULL;
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return keep || *(const uint32_t *)at ? json_integer(*(const uint32_t *)at) : NULL;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64:
        return keep || *(const int64_t *)at ? number_text(*(const int64_t *)at) : NULL;
    case PROTOBUF_C_TYPE_BOOL:
        return keep || *(const protobuf_c_boolean *)at ? json_boolean(*(const protobuf_c_boolean *)at) : NULL;
    case PROTOBUF_C_TYPE_STRING:
        return keep || **(char *const *)at ? json_string(*(char *const *)at) : NULL;
    case PROTOBUF_C_TYPE_BYTES:
        return keep || ((const ProtobufCBinaryData *)at)->len ? base64(at) : NULL;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(ProtobufCMessage *const *)at ? proto_json(*(ProtobufCMessage *const *)at) : NULL;
    default:
        abort();
    }
}

static size_t width(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_BOOL:
        return 4;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 8;
    }
}

static json_t *list_json(const ProtobufCFieldDescriptor *f, const char *items, size_t n)
{
    const ProtobufCMessageDescriptor *d = f->type == PROTOBUF_C_TYPE_MESSAGE ? f->descriptor : NULL;
    size_t tail = d ? strlen(d->short_name) : 0;
    bool map = tail > 5 && strcmp(d->short_name + tail - 5, "Entry") == 0;
    json_t *list = map ? json_object() : json_array();
    for (size_t i = 0; i < n; i++) {
        const char *at = items + i * width(f);
        if (!map) {
            json_array_append_new(list, value_json(f, at, true));
            continue;
        }
        const char *entry = *(char *const *)at;
        json_t *key = value_json(&d->fields[0], entry + d->fields[0].offset, true),
               *value = value_json(&d->fields[1], entry + d->fields[1].offset, true);
        char number[32];
        if (json_is_integer(key))
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(key));
        json_object_set_new(list, json_is_integer(key) ? number : json_string_value(key),
                            value ? value : json_object());
        json_decref(key);
    }
    return list;
}

json_t *proto_json(const ProtobufCMessage *m)
{
    json_t *object = json_object();
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        const char *at = (const char *)m + f->offset;
        json_t *value;
        if (f->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t n = *(const size_t *)((const char *)m + f->quantifier_offset);
            value = n > 0 ? list_json(f, *(char *const *)at, n) : NULL;
        } else
            value = value_json(f, at, false);
        if (value)
            json_object_set_new(object, f->name, value);
    }
    return object;
}
