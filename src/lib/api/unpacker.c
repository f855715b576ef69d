/* Implements unpacker.h: declares io.hostlet.Unpacker. */
#include "lib/api/unpacker.h"

#include "lib/api/declare.h"

#define T struct unpacker_unpack_in
STRUCT(unpacker_unpack_in_schema, NULL, T, NULL, S_STRING(T, name, "The package's name."),
       S_STRING(T, id, NULL),
       S_STRING_OPT(T, checksum,
                    "The required checksum of the data block, \"sha256:…\"; a file with another checksum is "
                    "refused. Absent: the checksum in the file's own header."));
#undef T
#define T struct unpacker_unpack_out
STRUCT(unpacker_unpack_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes of the package that were read."),
       S_INT(T, total, "Bytes of the package."),
       S_INT_OPT(T, entries, "Files and directories unpacked so far."),
       S_INT_OPT(T, size, "Bytes unpacked so far."),
       S_STRING_OPT(T, path,
                    "The directory of the complete content, staged or published; only in the final reply."));
#undef T
#define T struct unpacker_list_out
STRUCT(unpacker_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, id, "Absent in the reply that ends the list."), S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, path, NULL));
#undef T
static const struct varlink_method methods[] = {
    {"Unpack", VARLINK_MORE | VARLINK_CHANGES, &unpacker_unpack_in_schema, &unpacker_unpack_out_schema,
     "Unpacks a package of the store into staging, for io.hostlet.Provisioner.Publish. Succeeds when the "
     "package is published already. The replies are a stream of progress."},
    {"List", VARLINK_MORE, NULL, &unpacker_list_out_schema,
     "Returns the install directories of published packages, one in each reply."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes a package from staging. Succeeds when staging does not contain it. "
     "(io.hostlet.Provisioner.Unpublish removes a published one.)"},
    {.name = NULL},
};
const struct varlink_interface unpacker_interface = {"io.hostlet.Unpacker", "Unpacks verified packages.",
                                                     methods, NULL};
