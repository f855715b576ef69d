/* Declares io.hostlet.Fetcher; see fetcher.h. */
#include "lib/api/fetcher.h"

#include "lib/api/declare.h"

#define T struct fetcher_resolve_in
STRUCT(fetcher_resolve_in_schema, NULL, T, NULL, S_STRING(T, name, NULL),
       S_STRING_OPT(T, version, "One or two parts match as a prefix, three exactly; absent is the newest."),
       S_STRING_OPT(T, os, "Absent is linux; without arch, all as well."),
       S_STRING_OPT(T, arch, "Absent is this machine's; without os, src as well."));
#undef T
#define T struct fetcher_resolve_out
STRUCT(fetcher_resolve_out_schema, NULL, T, NULL,
       S_STRUCT(T, package, struct package_reference, &package_reference_schema, NULL));
#undef T
#define T struct fetcher_fetch_in
STRUCT(fetcher_fetch_in_schema, NULL, T, NULL,
       S_STRUCT(T, package, struct package_reference, &package_reference_schema, "As Resolve gave it."));
#undef T
#define T struct fetcher_fetch_out
STRUCT(fetcher_fetch_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes."), S_INT(T, total, "Bytes."),
       S_STRING_OPT(T, message, "What is happening, for a human."),
       S_STRING_OPT(T, path, "Of the complete and verified package: the final answer."));
#undef T
#define T struct fetcher_list_out
STRUCT(fetcher_list_out_schema, NULL, T, NULL,
       S_STRING_OPT(T, id, "Absent in the answer that ends the list."), S_STRING_OPT(T, name, NULL),
       S_STRING_OPT(T, path, NULL), S_INT_OPT(T, size, "Bytes."),
       S_BOOL_OPT(T, complete, "Absent for a download that is not complete."));
#undef T

static const struct varlink_method methods[] = {
    {"Resolve", 0, &fetcher_resolve_in_schema, &fetcher_resolve_out_schema,
     "Finds the best package for a name and version rule in the repositories, in their order."},
    {"Fetch", VARLINK_MORE | VARLINK_CHANGES, &fetcher_fetch_in_schema, &fetcher_fetch_out_schema,
     "Brings a package into the store, resuming and verifying. What is there already is answered at once. "
     "Streams progress."},
    {"List", VARLINK_MORE, NULL, &fetcher_list_out_schema, "The packages of the store, one per answer."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes a package from the store; fine if it is not there."},
    {.name = NULL},
};
const struct varlink_interface fetcher_interface = {
    "io.hostlet.Fetcher", "Brings packages from repositories into the package store.", methods, NULL};
