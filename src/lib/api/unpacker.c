/* Declares io.hostlet.Unpacker; see unpacker.h. */
#include "lib/api/unpacker.h"

#include "lib/api/declare.h"

#define T struct unpacker_unpack_in
STRUCT(
    unpacker_unpack_in_schema, NULL, T, NULL, S_STRING(T, name, "The package's name."), S_STRING(T, id, NULL),
    S_STRING_OPT(T, checksum,
                 "Of the data block, \"sha256:…\": a file with another one is refused. Absent: the one that "
                 "the file's own header names."));
#undef T
#define T struct unpacker_unpack_out
STRUCT(unpacker_unpack_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes of the package that were read."),
       S_INT(T, total, "Bytes of the package."), S_INT_OPT(T, entries, "Unpacked so far."),
       S_INT_OPT(T, size, "Bytes unpacked so far."),
       S_STRING_OPT(T, path, "Of the complete content, staged or published: the final answer."));
#undef T
#define T struct unpacker_list_out
STRUCT(unpacker_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, id, "Absent in the answer that ends the list."), S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, path, NULL));
#undef T
static const struct varlink_method methods[] = {
    {"Unpack", VARLINK_MORE | VARLINK_CHANGES, &unpacker_unpack_in_schema, &unpacker_unpack_out_schema,
     "Unpacks a package of the store into staging, where it waits for io.hostlet.Provisioner.Publish; what "
     "is "
     "published already is success. Streams progress."},
    {"List", VARLINK_MORE, NULL, &unpacker_list_out_schema,
     "The install directories of published packages, one per answer."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes a package from staging; fine if it is not there. (io.hostlet.Provisioner.Unpublish removes a "
     "published one.)"},
    {.name = NULL},
};
const struct varlink_interface unpacker_interface = {"io.hostlet.Unpacker", "Unpacks verified packages.",
                                                     methods, NULL};
