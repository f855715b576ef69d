/* Making a tree that somebody else filled root's own: what a publication rests on.
 *
 * The other side may have been taken over by an attacker, and may still hold descriptors of everything in the
 * tree. So each directory is taken before its entries are read: from then on nobody else makes, renames or
 * removes anything in it, and the names of it can be trusted. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

struct take_options {
    uid_t from;           /* everything belongs to this user or to us */
    uint64_t entries_max; /* files, directories and links */
    int like; /* a directory: project and its inheritance must be what is made in there has; borrowed */
};

/* Takes 'name' in the directory 'parent', which nobody else may be able to enter, and everything below.
 * Afterwards all of it is ours (user, group), nobody else can write to it by mode, access list or an open
 * descriptor, and no set-id bit is left.
 *
 * Refused, naming the entry: what is neither a file, a directory nor a symbolic link; a file with several
 * links (packages have none, and the other link may be anybody's); a file that is open for writing, mapped
 * included; an entry of a third user, of another disk project than 'like' gives, on a mount point, or too
 * long a path; too many entries. What was taken before the refusal stays taken. May be repeated after a death
 * at any point. Blocks: for a thread. */
int take_tree(int parent, const char *name, const struct take_options *options, struct error *e);

/* Whether trees can be taken on the filesystem of 'dir', which nobody else may be able to enter: makes,
 * leases and removes the file 'probe'. NOT_SUPPORTED: there are no leases, and the message says what to do.
 */
int take_possible(int dir, const char *probe, struct error *e);
