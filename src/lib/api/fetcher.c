/* Implements fetcher.h: declares io.hostlet.Fetcher. */
#include "lib/api/fetcher.h"

#include "lib/api/declare.h"

#define T struct fetcher_resolve_in
STRUCT(fetcher_resolve_in_schema, NULL, T, NULL, S_STRING(T, name, NULL),
       S_STRING_OPT(T, version,
                    "The version rule: one or two parts match as a prefix, three match exactly; absent: the "
                    "newest version."),
       S_STRING_OPT(T, os,
                    "Absent: linux. When arch is absent as well, packages with the os all match, too."),
       S_STRING_OPT(
           T, arch,
           "Absent: the machine's own. When os is absent as well, packages with the arch src match, too."));
#undef T
#define T struct fetcher_resolve_out
STRUCT(fetcher_resolve_out_schema, NULL, T, NULL,
       S_STRUCT(T, package, struct package_reference, &package_reference_schema, NULL));
#undef T
#define T struct fetcher_fetch_in
STRUCT(fetcher_fetch_in_schema, NULL, T, NULL,
       S_STRUCT(T, package, struct package_reference, &package_reference_schema, "As Resolve returned it."));
#undef T
#define T struct fetcher_fetch_out
STRUCT(fetcher_fetch_out_schema, NULL, T, NULL, S_INT(T, done, "Bytes."), S_INT(T, total, "Bytes."),
       S_STRING_OPT(T, message, "The current activity, for a human."),
       S_STRING_OPT(T, path, "The path of the complete and verified package; only in the final reply."));
#undef T
#define T struct fetcher_list_out
STRUCT(fetcher_list_out_schema, NULL, T, NULL, S_STRING_OPT(T, id, "Absent in the reply that ends the list."),
       S_STRING_OPT(T, name, NULL), S_STRING_OPT(T, path, NULL), S_INT_OPT(T, size, "Bytes."),
       S_BOOL_OPT(T, complete, "True when the download is complete and verified."));
#undef T

static const struct varlink_method methods[] = {
    {"Resolve", 0, &fetcher_resolve_in_schema, &fetcher_resolve_out_schema,
     "Finds the best package for a name and a version rule: searches the repositories in their configured "
     "order."},
    {"Fetch", VARLINK_MORE | VARLINK_CHANGES, &fetcher_fetch_in_schema, &fetcher_fetch_out_schema,
     "Downloads a package into the store and verifies it; resumes a partial download. Replies at once when "
     "the store contains the package. The replies are a stream of progress."},
    {"List", VARLINK_MORE, NULL, &fetcher_list_out_schema,
     "Returns the packages of the store, one in each reply."},
    {"Remove", VARLINK_CHANGES, &package_name_in_schema, NULL,
     "Removes a package from the store. Succeeds when the store does not contain it."},
    {.name = NULL},
};
const struct varlink_interface fetcher_interface = {
    "io.hostlet.Fetcher", "Downloads packages from repositories into the store.", methods, NULL};
