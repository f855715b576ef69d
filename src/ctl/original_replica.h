/* Reads what the app path of the original agent contains of a replica: its directory and app_replica.json.
 *
 * The tenant can write that file, and everything else below the replica's directory, as root of its
 * container: it is hostile input, and every statement of hostlet_active.json, which only root can write,
 * takes precedence over it. */
#pragma once

#include "lib/basic/error.h"

struct original_replica {
    bool directory;   /* the replica's directory exists */
    bool file;        /* app_replica.json was read, and is that of this replica */
    char *problem;    /* why the file is not used; NULL: it is, or there is no directory */
    int64_t revision; /* −1: unknown */
    char *secret;     /* well formed, or NULL */
    char *host_id;    /* the host that the replica was assigned to; NULL: unknown */
};

/* Reads them from the app path for the container's name, whose form the caller has checked. Whatever the
 * directory contains is no error, but a 'problem'. The caller releases '*ret'. */
void original_replica_read(const char *app_path, const char *container, struct original_replica *ret);
void original_replica_done(struct original_replica *replica);

/* Lists the names of directories in the app path that begin with "i8k_", except kept data of hostlet. Returns
 * 0, also if the app path does not exist, or a negative errno. The caller frees the strings and the array. */
int original_replicas_list(const char *app_path, char ***ret, size_t *ret_n, struct error *e);

/* Reports whether a text is a secret: 34 hex digits. */
bool original_secret_valid(const char *text);
