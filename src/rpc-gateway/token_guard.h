/* Decides which tokens with a valid signature are accepted at the peer port. A signature proves who made a
 * token, not who sends it: on a network that others can read, anybody can send this machine's and the zone's
 * tokens again. So each token is accepted once; no token is accepted that this machine made, that is valid
 * for longer than TOKEN_LIFE_MAX, that is from the future, or that was made before this process started.
 *
 * A token is stored in VAR/hostlet/zone/tokens.json before the call continues, so that it is refused after
 * a restart, too. If that file cannot be read, tokens that an earlier process can have accepted are
 * refused. */
#pragma once

#include "lib/inapi/token.h"
#include "lib/paths/tree.h"

#define TOKEN_LIFE_MAX   120 /* seconds from iat to exp: zones make tokens of 60 */
#define TOKEN_FUTURE_MAX 60  /* seconds by which the caller's clock can be ahead */
/* Only tokens with a valid signature count, so that only holders of the key can fill the list. */
#define TOKENS_KEPT 512

struct token_guard;

/* Returns a guard. 'tree' is borrowed. It never fails: if the file cannot be read, this is logged. */
struct token_guard *token_guard_new(const struct tree *tree);
void token_guard_free(struct token_guard *guard);

/* Accepts a token that token_verify() verified with 'key', at unix second 'now'; durable when it returns
 * 0. Returns −EACCES with the refusal that the peer receives; another negative errno of class ERROR_RETRY
 * if the token cannot be stored now. */
int token_guard_take(struct token_guard *guard, const struct access_key *key, const char *token, int64_t now,
                     struct error *e);

/* Reports whether a token with a valid signature was sent by another than its maker: it is this machine's
 * own, or was accepted before. */
bool token_guard_is_replay(const struct token_guard *guard, const struct access_key *key, const char *token);
