/* Declares C structs as data: for each member the JSON name, the type, whether it is nullable, and a comment.
 *
 * One declaration serves to parse JSON into the struct and check it (parse.h), to write the struct as JSON
 * (pack.h), to copy, compare and release it (object.h), and to write the text of the Varlink interfaces
 * (lib/varlink/describe.c). Messages and files on disk use the same declarations.
 *
 * The type of a member 'm' in C:
 *
 *   BOOL    bool
 *   INT     int64_t
 *   STRING  char *, owned by the struct
 *   ENUM    int, the index of the name in schema_enum.values
 *   STRUCT  pointer to another declared struct, owned
 *   OBJECT  json_t *, owned: a JSON object with any members
 *   ARRAY   pointer 'm' to the items, owned, and size_t 'n_m', their number
 *   MAP     struct schema_pair *'m', owned, and size_t 'n_m': a JSON object whose values are strings
 *
 * A nullable member that is absent from the JSON, or null there, is false, 0, NULL or empty in the struct; a
 * nullable member with such a value is left out of the JSON that is written. values[0] of a nullable enum is
 * NULL. */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

enum schema_type { SCHEMA_BOOL, SCHEMA_INT, SCHEMA_STRING, SCHEMA_ENUM, SCHEMA_STRUCT, SCHEMA_OBJECT };
enum { SCHEMA_NULLABLE = 1, SCHEMA_ARRAY = 2, SCHEMA_MAP = 4 };

struct schema_enum {
    const char *name; /* of the Varlink type */
    const char *comment;
    const char *const *values; /* ends with the first NULL after index 0; values[0] may be NULL, too */
};

struct schema_field {
    const char *name;
    enum schema_type type;
    unsigned flags;
    size_t offset;
    size_t count_offset;                   /* of n_m; only for arrays and maps */
    const struct schema_struct *structure; /* only for SCHEMA_STRUCT */
    const struct schema_enum *enumeration; /* only for SCHEMA_ENUM */
    const char *comment;                   /* may be NULL */
};

struct schema_struct {
    const char *name; /* of the Varlink type; NULL for the parameters of a method, which have no type name */
    size_t size;
    const char *comment;
    const struct schema_field *fields; /* ends with S_END, whose name is NULL */
};

struct schema_pair {
    char *key, *value;
};

/* Declare a member 'm' of the C struct 'T'. The _OPT forms are nullable. The S_NAMED_ form takes a JSON name
 * that cannot be the member's name in C. If the member's C type is not the declared one, the size of an array
 * in S_OFFSET is negative and the compilation fails. */
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
/* All arrays and maps are nullable: an absent one is empty. */
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
