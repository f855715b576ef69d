/* Identity of a package: its name, its id {name}_{version}_{os}_{arch} and its file name {id}.ipk.
 *
 * Names and ids become components of paths ({prefix}/var/ipk_install/{name}/{id}): everything that comes from
 * outside goes through the checks here first. (InnerStack contract, section 7.) */
#pragma once

#include "lib/basic/error.h"

#define PACKAGE_NAME_LENGTH_MAX 100

struct package_id {
    char *name; /* in lower case, as the id has it */
    char *version;
    char *os;
    char *arch;
};

/* A name begins with a letter or digit, goes on with [A-Za-z0-9._+-], and has no "..": 0 or −EINVAL, refused.
 */
int package_name_check(const char *name, struct error *e);

/* An operating system ("linux", "all") or architecture ("amd64", "arm64", "src"): 1 to 16 of [A-Za-z0-9].
 * 'what' names the field in the message. */
int package_platform_check(const char *what, const char *value, struct error *e);

/* The four parts, checked, as an id in lower case. The caller frees *ret. */
int package_id_make(const char *name, const char *version, const char *os, const char *arch, char **ret,
                    struct error *e);

/* Takes an id apart. Of a name with '_' in it the last three parts are version, os and arch. */
int package_id_parse(const char *id, struct package_id *ret, struct error *e);

/* The same for "{id}.ipk". */
int package_file_name_parse(const char *file, struct package_id *ret, struct error *e);

/* Whether 'id' is a well-formed id of the package 'name' (which may have upper case): 0 or −EINVAL, refused.
 */
int package_id_check(const char *name, const char *id, struct error *e);

/* One name of a file for both: the id in the name's own case, since packages "Demo" and "demo" have the same
 * ids. Both are checked by the caller, who frees the result. */
char *package_key(const char *name, const char *id);

/* Takes a key apart: 0 or −EINVAL, refused. The caller frees both. */
int package_key_parse(const char *key, char **ret_name, char **ret_id, struct error *e);

void package_id_clear(struct package_id *id);
