/* Which tokens with a right signature open the peer port. A signature says who made a token, not who sends
 * it: on a network that others read, both our own and the zone's may be sent again by anybody. So each token
 * is taken once, and none that this machine made itself; none that lives longer than TOKEN_LIFE_MAX, comes
 * from the future, or is older than this life of the process.
 *
 * What was taken stands in VAR/hostlet/zone/tokens.json before the call goes on, so the next life knows it
 * too. Where that file cannot be read, tokens that an earlier life may have taken are refused. */
#pragma once

#include "lib/inapi/token.h"
#include "lib/paths/tree.h"

#define TOKEN_LIFE_MAX   120 /* seconds from iat to exp: zones make tokens of 60 */
#define TOKEN_FUTURE_MAX 60  /* seconds that the caller's clock may be ahead */
#define TOKENS_KEPT      512 /* only those with a right signature count: they come from who has the key */

struct token_guard;

/* 'tree' is borrowed. Never fails: what cannot be read is said in the log. */
struct token_guard *token_guard_new(const struct tree *tree);
void token_guard_free(struct token_guard *guard);

/* Takes a token that token_verify() took with 'key', at unix second 'now'; durable when it returns 0. −EACCES
 * with the refusal as a peer is told it; another negative errno of class ERROR_RETRY when it cannot be kept
 * now. */
int token_guard_take(struct token_guard *guard, const struct access_key *key, const char *token, int64_t now,
                     struct error *e);

/* Whether the token, of a right signature, was sent here by another than who made it: our own, or one that
 * was taken. */
bool token_guard_is_replay(const struct token_guard *guard, const struct access_key *key, const char *token);
