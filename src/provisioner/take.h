/* Makes root the owner of a tree that another user filled. Every publication depends on it.
 *
 * To "take" an entry means here: to make the calling process's user and group its owner and to ensure that
 * no other user can write to it. An attacker can control the other user and can hold open descriptors of
 * everything in the tree. So each directory is taken before its entries are read: from then on no other
 * user can make, rename or remove an entry in it, and its entries' names can be trusted. */
#pragma once

#include <sys/types.h>

#include "lib/basic/error.h"

struct take_options {
    uid_t from;           /* every entry belongs to this user or to the calling one */
    uint64_t entries_max; /* of files, directories and links */
    /* A directory; every entry must have the disk project, and every directory its inheritance, that new
     * entries of it get. Borrowed. */
    int like;
};

/* Takes 'name' in the directory 'parent', which no other user may be able to enter, and everything below.
 * Afterwards all of it belongs to the calling process's user and group; no other user can write to it by
 * mode, access list or an open descriptor; and no set-id bit is left.
 *
 * Refused, with the entry in the message: an entry that is neither a file, a directory nor a symbolic
 * link; a file with several links (packages contain none, and any user can have made the other link); a
 * file that is open or mapped for writing; an entry of a third user, of another disk project than 'like'
 * defines, on a mount point, or with too long a path; too many entries. What was taken before the refusal
 * stays taken. After a kill at any point the function can be repeated. It blocks: call it in a thread. */
int take_tree(int parent, const char *name, const struct take_options *options, struct error *e);

/* Reports whether trees can be taken on the filesystem of 'dir', which no other user may be able to enter:
 * makes, leases and removes the file 'probe'. Returns 0 or a negative errno. NOT_SUPPORTED: the filesystem
 * or the kernel's settings allow no leases; the message states the remedy. */
int take_possible(int dir, const char *probe, struct error *e);
