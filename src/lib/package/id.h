/* Checks and builds the identity of a package: its name, its id {name}_{version}_{os}_{arch} and its file
 * name {id}.ipk.
 *
 * Names and ids become components of paths ({prefix}/var/ipk_install/{name}/{id}): every name or id from
 * outside passes these checks first. (InnerStack contract, section 7.) */
#pragma once

#include "lib/basic/error.h"

#define PACKAGE_NAME_LENGTH_MAX 100

struct package_id {
    char *name; /* in lower case, as in the id */
    char *version;
    char *os;
    char *arch;
};

/* Checks a name: a letter or digit, then [A-Za-z0-9._+-], without "..", at most 100 characters. Returns 0
 * or −EINVAL (refused). */
int package_name_check(const char *name, struct error *e);

/* Checks an operating system ("linux", "all") or architecture ("amd64", "arm64", "src"): 1 to 16 of
 * [A-Za-z0-9]. 'what' names the field in the message. Returns 0 or −EINVAL (refused). */
int package_platform_check(const char *what, const char *value, struct error *e);

/* Checks the four parts and joins them to an id in lower case. The caller frees *ret. */
int package_id_make(const char *name, const char *version, const char *os, const char *arch, char **ret,
                    struct error *e);

/* Splits an id into its parts and checks them. A name may contain '_': the last three parts are version,
 * os and arch. The caller clears *ret. */
int package_id_parse(const char *id, struct package_id *ret, struct error *e);

/* Splits the file name "{id}.ipk" in the same way. */
int package_file_name_parse(const char *file, struct package_id *ret, struct error *e);

/* Checks that 'id' is a valid id of the package 'name' (which may contain upper case). Returns 0 or
 * −EINVAL (refused). */
int package_id_check(const char *name, const char *id, struct error *e);

/* Returns one file name for name and id: the id in the case of the name, since the packages "Demo" and
 * "demo" have the same ids. The caller has checked both, and frees the result. */
char *package_key(const char *name, const char *id);

/* Splits a key into name and id. Returns 0 or −EINVAL (refused). The caller frees both. */
int package_key_parse(const char *key, char **ret_name, char **ret_id, struct error *e);

void package_id_clear(struct package_id *id);
