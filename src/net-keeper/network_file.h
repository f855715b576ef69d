/* Reads and writes network.json, the network that the zone gave to this machine. net-keeper is its only
 * writer and reader: after a boot without a leader the machine gets its network from this file. */
#pragma once

#include "lib/api/net_keeper.h"

#define NETWORK_FILE_MAX ((size_t)24 << 20) /* bytes; a call has at most VARLINK_MESSAGE_MAX */

/* What the file states. */
enum network_file_state {
    NETWORK_NONE, /* there is no file: this machine has never had a network, or everything of it is removed */
    NETWORK_LEAVING, /* everything of the network is to be removed */
    NETWORK_WANTED,
};

/* Reads the file. *ret_network is set for NETWORK_WANTED only; the caller frees it by network_free(). Returns
 * 0, or a negative errno if the file is damaged, or of a newer format. */
int network_file_read(const char *path, enum network_file_state *ret_state, struct net_network **ret_network,
                      struct error *e);
/* Does the same with the text of such a file; messages begin with 'source'. */
int network_file_parse(const char *text, size_t size, const char *source, enum network_file_state *ret_state,
                       struct net_network **ret_network, struct error *e);
/* Replaces the file; a network of NULL means NETWORK_LEAVING. */
int network_file_write(const char *path, const struct net_network *network, struct error *e);
/* Deletes the file, if it exists. */
int network_file_remove(const char *path, struct error *e);

/* Checks the limits of a network: numbers of hosts and records, and lengths. Returns 0, or −EINVAL (refused).
 */
int network_check_limits(const struct net_network *network, struct error *e);

struct net_network *network_copy(const struct net_network *network);
void network_free(struct net_network *network); /* 'network' may be NULL */
