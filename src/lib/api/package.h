/* The messages that name a package: shared by the interfaces of fetcher, unpacker and provisioner. */
#pragma once

#include "lib/schema/schema.h"

/* A package as it was resolved: enough to get the same bits again. */
struct package_reference {
    char *id, *name, *version, *os, *arch;
    char *sha256;     /* of the whole file, 64 hex digits; NULL where the repository does not say */
    char *checksum;   /* of the data block: "sha256:…" */
    int64_t size;     /* of the whole file, bytes */
    char *repository; /* where it was found: its URL, without user and password */
    char *file;       /* and under which name there, relative to the repository; NULL: to be looked up */
};

struct package_name_in {
    char *name, *id;
};
extern const struct schema_struct package_reference_schema, package_name_in_schema;
