/* The mark by which a token of this machine's own is known: a UUID whose second half is an HMAC of its first
 * half under the machine's key. Whoever has no key can neither make one nor tell it from another UUID. It
 * works across processes and their lives, since nothing is remembered. */
#pragma once

#include "lib/inapi/token.h"

void token_mark_make(const struct access_key *key, char ret[UUID_SIZE]);
/* 'state' may be NULL or anything. */
bool token_mark_is(const struct access_key *key, const char *state);
