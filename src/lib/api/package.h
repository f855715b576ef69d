/* Declares the messages that name a package. The interfaces of fetcher, unpacker and provisioner share them.
 */
#pragma once

#include "lib/schema/schema.h"

/* A resolved package: enough to download the same content again. */
struct package_reference {
    char *id, *name, *version, *os, *arch;
    char *sha256;     /* of the whole file, 64 hex digits; NULL: the repository does not state it */
    char *checksum;   /* of the data block: "sha256:…" */
    int64_t size;     /* of the whole file, bytes */
    char *repository; /* URL of the repository in which it was found, without user and password */
    char *file;       /* name relative to the repository; NULL: the fetcher looks it up */
};

struct package_name_in {
    char *name, *id;
};
extern const struct schema_struct package_reference_schema, package_name_in_schema;
