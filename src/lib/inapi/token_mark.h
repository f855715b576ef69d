/* Marks the tokens that this machine issues: the mark is a UUID whose second half is an HMAC of its first
 * half under the machine's key. A program without the key can neither make a mark nor distinguish it from
 * another UUID. Marks work across processes and restarts, since none is stored. */
#pragma once

#include "lib/inapi/token.h"

void token_mark_make(const struct access_key *key, char ret[UUID_SIZE]);
/* Reports whether 'state' is a mark made with this key; it may be NULL or any text. */
bool token_mark_is(const struct access_key *key, const char *state);
