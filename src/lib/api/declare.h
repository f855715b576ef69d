/* Defines the macros with which the .c files of this folder declare the fields and the schema of a C struct
 * in one statement. 'type_name' is the name of the Varlink type (NULL for the parameters and replies of
 * methods), 'ctype' is the C struct, 'text' is the comment of the type, and the fields follow. */
#pragma once

#include "lib/schema/schema.h"

/* Declares a schema that only its own file uses. */
#define STRUCT(var, type_name, ctype, text, ...)                                                             \
    static const struct schema_field var##_fields[] = {__VA_ARGS__, S_END};                                  \
    static const struct schema_struct var = {type_name, sizeof(ctype), text, var##_fields}

/* Declares a schema that the header of the file names. */
#define STRUCT_EXPORTED(var, type_name, ctype, text, ...)                                                    \
    static const struct schema_field var##_fields[] = {__VA_ARGS__, S_END};                                  \
    const struct schema_struct var = {type_name, sizeof(ctype), text, var##_fields}
