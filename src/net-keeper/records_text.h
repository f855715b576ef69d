/* Builds the text of the file with the names of the zone's applications. Pure. */
#pragma once

#include "lib/api/net_keeper.h"

/* The first line, by which the file is known to be hostlet's. */
#define RECORDS_HEADER "# The names of the zone's applications. hostlet writes this file: changes are lost.\n"

/* Returns the text, and its size in *ret_size. A name with the domain must be one of the domain name system,
 * of letters, digits, '-' and '_', since it is written into a file of another program. Others are left out:
 * *ret_problem is then a sentence about them, or about the lack of a domain; NULL: nothing is left out. The
 * caller frees both. */
char *records_text(const struct net_network *network, size_t *ret_size, char **ret_problem);
