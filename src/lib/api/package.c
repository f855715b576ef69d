/* Declares the messages that name a package; see package.h. */
#include "lib/api/package.h"

#include "lib/api/declare.h"

#define T struct package_reference
STRUCT_EXPORTED(package_reference_schema, "PackageReference", T,
                "A package as it was resolved: enough to get the same bits again.",
                S_STRING(T, id, "NAME_VERSION_OS_ARCH."), S_STRING(T, name, NULL), S_STRING(T, version, NULL),
                S_STRING(T, os, NULL), S_STRING(T, arch, NULL),
                S_STRING_OPT(T, sha256, "Of the whole file, in hex, where the repository says it."),
                S_STRING_OPT(T, checksum, "Of the compressed data block: sha256:HEX."),
                S_INT_OPT(T, size, "Of the whole file, in bytes."),
                S_STRING_OPT(T, repository, "Where it was found."),
                S_STRING_OPT(T, file, "Its name there; absent: it is looked up."));
#undef T
#define T struct package_name_in
STRUCT_EXPORTED(package_name_in_schema, NULL, T, NULL, S_STRING(T, name, "The package's name."),
                S_STRING(T, id, NULL));
#undef T
