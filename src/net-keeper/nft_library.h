/* Runs commands of libnftables. The library is loaded for each use and unloaded after it: with the libraries
 * that it needs it occupies 2 MiB, and net-keeper uses it for some milliseconds when the zone's network
 * changes. A machine without the library has the zone's network, but not its table. */
#pragma once

#include <jansson.h>

#include "lib/basic/error.h"

struct nft;

/* Loads the library. Returns 0, −ENOSYS (not supported) if it is not installed or lacks a function, or
 * another negative errno. */
int nft_open(struct nft **ret, struct error *e);
void nft_close(struct nft *nft); /* 'nft' may be NULL */

/* Runs a JSON document, which is one transaction. Returns 0, or −EIO with the library's words. */
int nft_run(struct nft *nft, const char *document, struct error *e);
/* Runs a document that lists objects. *ret is their array, which the caller releases. */
int nft_list(struct nft *nft, const char *document, json_t **ret, struct error *e);
