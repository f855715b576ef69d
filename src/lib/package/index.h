/* Reads, writes and searches index.json of a package repository:
 * {"format":1,"items":[{"file","size","sha256","package":{…}}]}.
 *
 * 'file' is relative to the index, 'size' and 'sha256' are those of the whole .ipk file, 'package' is its
 * header. Items are sorted by name, version (oldest first), system and architecture, so that the same
 * packages give the same bytes. */
#pragma once

#include "lib/package/header.h"

#define PACKAGE_INDEX_FORMAT 1
#define PACKAGE_INDEX_MAX    ((size_t)64 * 1024 * 1024) /* bytes; a larger index is refused */
#define PACKAGE_INDEX_ITEMS  200000

struct package_index_item {
    char *file;
    uint64_t size;                /* bytes; 0: unknown */
    char sha256[SHA256_HEX_SIZE]; /* "": unknown */
    struct package *package;
};

struct package_index {
    struct package_index_item *items;
    size_t n_items, room;
};

struct package_index *package_index_free(struct package_index *index);
DEFINE_CLEANUP(struct package_index *, package_index_free);

/* Reports whether 'file' stays beneath the index and means the same in a URL: a relative path of plain
 * characters that ends in .ipk and has no part that begins with a dot. */
bool package_index_file_is_plain(const char *file);

/* Parses an index. One invalid item refuses the whole index; the message names the item and its member.
 * The caller frees *ret. */
int package_index_parse(const char *text, size_t size, struct package_index **ret, struct error *e);

/* Sorts the items and returns the text of the index, with a final newline. The caller frees it. */
char *package_index_format(const struct package_index *index);

/* Returns the position of the newest item that is the package 'name' for this system and architecture and
 * satisfies the version rule, or −1. */
ssize_t package_index_find(const struct package_index *index, const char *name, const char *rule,
                           const char *os, const char *arch);
