/* The texts of /etc/projects (ID:DIRECTORY) and /etc/projid (NAME:ID), which give projects their names in
 * xfs_quota(8) and repquota(8), and which are where two trees of one machine see each other's ids.
 *
 * A line of /etc/projects is ours when its directory is that of a container right below our app path. A line
 * of /etc/projid is ours when it names a container and its id is one of ours. Every other line is kept, byte
 * for byte, in its place. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/basic/util.h"
#include "quota-keeper/ids.h"

struct projects_entry {
    const char *name; /* of the container */
    int64_t id;
    bool directory; /* it has one: a line of /etc/projects */
};

struct projects {
    const char *apps;                     /* the app path */
    const struct projects_entry *entries; /* sorted by name */
    size_t n;
    struct id_set ids; /* of the entries, and of those that are to go */
    bool keep;         /* lines that are to go stay for now */
};

/* Each returns what the file shall hold; the caller frees. */
char *projects_merge(const struct projects *p, const char *text, size_t size, size_t *ret_size);
char *projid_merge(const struct projects *p, const char *text, size_t size, size_t *ret_size);

/* Adds the ids that the lines of /etc/projects give to our directories ('ours'), or to others'. */
void projects_ids(const char *apps, const char *text, size_t size, bool ours, struct id_set *ids);
/* Adds the ids that have a name in /etc/projid which is no container's. */
void projid_foreign_ids(const char *text, size_t size, struct id_set *ids);

/* Two texts of foreign lines in one: 'a', and behind it the lines of 'b' that it lacks. The caller frees. */
char *projects_union(const char *a, size_t a_size, const char *b, size_t b_size, size_t *ret_size);
