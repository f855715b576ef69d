/* The interface of unpacker: packages of the store into staging. */
#pragma once

#include "lib/api/package.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface unpacker_interface;

struct unpacker_unpack_in {
    char *name, *id;
    char *checksum; /* "sha256:…" that the data block must have; NULL: the one of the file's header */
};
struct unpacker_unpack_out { /* progress, and the final answer with path */
    int64_t done, total;     /* bytes of the package that were read */
    int64_t entries, size;   /* unpacked so far */
    char *path;
};
struct unpacker_list_out {
    char *id, *name, *path;
};
