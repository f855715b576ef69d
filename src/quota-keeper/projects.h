/* Computes the texts of /etc/projects (ID:DIRECTORY) and /etc/projid (NAME:ID), which give projects their
 * names in xfs_quota(8) and repquota(8). In these files the trees of one machine also see each other's ids.
 *
 * A line of /etc/projects belongs to this tree when its directory is that of a container directly below
 * the app path. A line of /etc/projid belongs to this tree when it names a container and its id is one of
 * this tree's. Every other line is kept, byte for byte, in its place. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/basic/util.h"
#include "quota-keeper/ids.h"

struct projects_entry {
    const char *name; /* the container's name */
    int64_t id;
    bool directory; /* the container has a directory: a line of /etc/projects */
};

struct projects {
    const char *apps;                     /* the app path */
    const struct projects_entry *entries; /* sorted by name */
    size_t n;
    struct id_set ids; /* ids of the entries, and of the lines to be removed */
    bool keep;         /* lines that have to be removed stay for now */
};

/* Return the new text of the file; the caller frees it. */
char *projects_merge(const struct projects *p, const char *text, size_t size, size_t *ret_size);
char *projid_merge(const struct projects *p, const char *text, size_t size, size_t *ret_size);

/* Adds the ids that lines of /etc/projects assign to this tree's directories ('ours'), or to all others. */
void projects_ids(const char *apps, const char *text, size_t size, bool ours, struct id_set *ids);
/* Adds the ids that have a name in /etc/projid that is not a container's. */
void projid_foreign_ids(const char *text, size_t size, struct id_set *ids);

/* Merges two texts of foreign lines: 'a', followed by the lines of 'b' that it lacks. The caller frees the
 * result. */
char *projects_union(const char *a, size_t a_size, const char *b, size_t b_size, size_t *ret_size);
