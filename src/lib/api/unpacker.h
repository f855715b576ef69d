/* Declares the interface of unpacker, which unpacks packages of the store into staging. */
#pragma once

#include "lib/api/package.h"
#include "lib/varlink/interface.h"

extern const struct varlink_interface unpacker_interface;

struct unpacker_unpack_in {
    char *name, *id;
    char *checksum; /* required of the data block, "sha256:…"; NULL: the checksum in the file's header */
};
/* A reply of Unpack: progress, or the final reply, which alone has a path. */
struct unpacker_unpack_out {
    int64_t done, total;   /* bytes of the package that were read */
    int64_t entries, size; /* unpacked so far: entries of the archive; bytes */
    char *path;
};
struct unpacker_list_out {
    char *id, *name, *path;
};
