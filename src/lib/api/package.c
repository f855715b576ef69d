/* Implements package.h: the schemas of the messages that name a package. */
#include "lib/api/package.h"

#include "lib/api/declare.h"

#define T struct package_reference
STRUCT_EXPORTED(
    package_reference_schema, "PackageReference", T,
    "A resolved package: enough to download the same content again.",
    S_STRING(T, id, "NAME_VERSION_OS_ARCH."), S_STRING(T, name, NULL), S_STRING(T, version, NULL),
    S_STRING(T, os, NULL), S_STRING(T, arch, NULL),
    S_STRING_OPT(T, sha256,
                 "The checksum of the whole file, in hex; absent: the repository does not state it."),
    S_STRING_OPT(T, checksum, "The checksum of the compressed data block: sha256:HEX."),
    S_INT_OPT(T, size, "The size of the whole file, in bytes."),
    S_STRING_OPT(T, repository, "The repository in which the package was found."),
    S_STRING_OPT(T, file, "The file's name in the repository; absent: the fetcher looks it up."));
#undef T
#define T struct package_name_in
STRUCT_EXPORTED(package_name_in_schema, NULL, T, NULL, S_STRING(T, name, "The package's name."),
                S_STRING(T, id, NULL));
#undef T
