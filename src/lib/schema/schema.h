/* Declared once, as data: the members of a C struct, their JSON names, types, nullability and a comment each.
 *
 * From one declaration come the checking and parsing of JSON into the struct, the packing back, comparison,
 * copies, release, and the text of the Varlink interfaces (lib/varlink/describe.c). It serves the wire and
 * the files on disk.
 *
 * How a type lies in C:
 *   BOOL bool; INT int64_t; STRING char * (owned); ENUM int (index into its names); STRUCT pointer (owned);
 *   OBJECT json_t * (owned, free JSON); ARRAY pointer 'm' and size_t 'n_m'; MAP struct schema_pair *'m' and
 * 'n_m' (string to string). A nullable member that is absent (or null) is false, 0, NULL or empty, and such a
 * value is not written. An enum that is nullable has NULL as its name 0. */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

enum schema_type { SCHEMA_BOOL, SCHEMA_INT, SCHEMA_STRING, SCHEMA_ENUM, SCHEMA_STRUCT, SCHEMA_OBJECT };
enum { SCHEMA_NULLABLE = 1, SCHEMA_ARRAY = 2, SCHEMA_MAP = 4 };

struct schema_enum {
    const char *name; /* of the Varlink type */
    const char *comment;
    const char *const *values; /* ends with NULL after index 0 */
};

struct schema_field {
    const char *name;
    enum schema_type type;
    unsigned flags;
    size_t offset;
    size_t count_offset; /* of n_m, for arrays and maps */
    const struct schema_struct *structure;
    const struct schema_enum *enumeration;
    const char *comment;
};

struct schema_struct {
    const char *name; /* of the Varlink type; NULL for the anonymous in and out of a method */
    size_t size;
    const char *comment;
    const struct schema_field *fields; /* ends with a name of NULL */
};

struct schema_pair {
    char *key, *value;
};

/* Declarations. 'T' is the C struct, 'm' the member; the _OPT forms are nullable. S_NAMED_ gives the JSON
 * name where it is no good C name. The array size is negative, so that compilation fails, where the C type is
 * another. */
#define S_OFFSET(T, m, ctype)                                                                                \
    (offsetof(T, m) + 0 * sizeof(char[__builtin_types_compatible_p(typeof(((T *)0)->m), ctype) ? 1 : -1]))
#define S_FIELD(T, m, json, ctype, ty, fl, st, en, text)                                                     \
    {                                                                                                        \
        .name = json, .type = ty, .flags = fl, .offset = S_OFFSET(T, m, ctype), .structure = st,             \
        .enumeration = en, .comment = text                                                                   \
    }
#define S_MANY(T, m, ctype, ty, fl, st, en, text)                                                            \
    {                                                                                                        \
        .name = #m, .type = ty, .flags = fl, .offset = S_OFFSET(T, m, ctype),                                \
        .count_offset = S_OFFSET(T, n_##m, size_t), .structure = st, .enumeration = en, .comment = text      \
    }

#define S_BOOL(T, m, text)       S_FIELD(T, m, #m, bool, SCHEMA_BOOL, 0, NULL, NULL, text)
#define S_BOOL_OPT(T, m, text)   S_FIELD(T, m, #m, bool, SCHEMA_BOOL, SCHEMA_NULLABLE, NULL, NULL, text)
#define S_INT(T, m, text)        S_FIELD(T, m, #m, int64_t, SCHEMA_INT, 0, NULL, NULL, text)
#define S_INT_OPT(T, m, text)    S_FIELD(T, m, #m, int64_t, SCHEMA_INT, SCHEMA_NULLABLE, NULL, NULL, text)
#define S_STRING(T, m, text)     S_FIELD(T, m, #m, char *, SCHEMA_STRING, 0, NULL, NULL, text)
#define S_STRING_OPT(T, m, text) S_FIELD(T, m, #m, char *, SCHEMA_STRING, SCHEMA_NULLABLE, NULL, NULL, text)
#define S_NAMED_STRING_OPT(T, m, json, text)                                                                 \
    S_FIELD(T, m, json, char *, SCHEMA_STRING, SCHEMA_NULLABLE, NULL, NULL, text)
#define S_ENUM(T, m, en, text)       S_FIELD(T, m, #m, int, SCHEMA_ENUM, 0, NULL, en, text)
#define S_ENUM_OPT(T, m, en, text)   S_FIELD(T, m, #m, int, SCHEMA_ENUM, SCHEMA_NULLABLE, NULL, en, text)
#define S_STRUCT(T, m, C, st, text)  S_FIELD(T, m, #m, C *, SCHEMA_STRUCT, 0, st, NULL, text)
#define S_STRUCT_OPT(T, m, C, st, t) S_FIELD(T, m, #m, C *, SCHEMA_STRUCT, SCHEMA_NULLABLE, st, NULL, t)
#define S_OBJECT(T, m, text)         S_FIELD(T, m, #m, json_t *, SCHEMA_OBJECT, 0, NULL, NULL, text)
#define S_OBJECT_OPT(T, m, text)     S_FIELD(T, m, #m, json_t *, SCHEMA_OBJECT, SCHEMA_NULLABLE, NULL, NULL, text)
/* Arrays and maps are nullable all: absent is empty. */
#define S_STRINGS(T, m, text)                                                                                \
    S_MANY(T, m, char **, SCHEMA_STRING, SCHEMA_ARRAY | SCHEMA_NULLABLE, NULL, NULL, text)
#define S_INTS(T, m, text)                                                                                   \
    S_MANY(T, m, int64_t *, SCHEMA_INT, SCHEMA_ARRAY | SCHEMA_NULLABLE, NULL, NULL, text)
#define S_STRUCTS(T, m, C, st, text)                                                                         \
    S_MANY(T, m, C **, SCHEMA_STRUCT, SCHEMA_ARRAY | SCHEMA_NULLABLE, st, NULL, text)
#define S_STRING_MAP(T, m, text)                                                                             \
    S_MANY(T, m, struct schema_pair *, SCHEMA_STRING, SCHEMA_MAP | SCHEMA_NULLABLE, NULL, NULL, text)
#define S_END                                                                                                \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }
