/* The zone's tokens: metadata "x-inauth2" of every call, signed with an access key by HMAC. InnerStack v2
 * contract, section 1. */
#pragma once

#include "lib/basic/error.h"

#define INAPI_TOKEN_METADATA "x-inauth2"
#define INAPI_TOKEN_LIFE     60 /* seconds */

struct access_key {
    char *id, *secret;
    bool disabled;
    bool app;      /* of the type "App": a token's iat may be at most 60 s away */
    char **scopes; /* "host:rw:ID", "pkg:ro", "*" */
    size_t n_scopes;
};

/* From the exported form, "ak_ID_SECRET", into the zeroed '*ret'. The secret is in no error. */
int access_key_parse(const char *text, struct access_key *ret, struct error *e);
/* What a host's own key may: everything of this host, and packages. */
void access_key_grant_host(struct access_key *key, const char *host_id);
void access_key_done(struct access_key *key);

/* "*" is every scope; what ends in ":rw" is the same ending in ":ro" too. */
bool access_key_allows(const struct access_key *key, const char *scope);

/* A host id: 12 to 16 lower-case hex digits. Makes one: the first half of the unix time, then random. */
bool host_id_valid(const char *id);
#define HOST_ID_SIZE 13
void host_id_make(char ret[HOST_ID_SIZE]);
/* A new secret of 48 letters and digits; 'ret' has room for it and a NUL. */
#define ACCESS_SECRET_SIZE 49
void access_secret_make(char ret[ACCESS_SECRET_SIZE]);

/* A token made now (unix seconds); 'state' is a UUID. The caller frees. */
char *token_sign(const struct access_key *key, int64_t now, const char *state);
/* The same for a call that this machine makes itself: its state is marked, so that every process with the key
 * knows it again (token_claims). To everybody else the state is a UUID like others. */
char *token_sign_own(const struct access_key *key, int64_t now);

/* The key that signed 'token' (NULL: none came), of 'n' keys, at unix second 'now'; else NULL and *e as a
 * peer is told it, to the letter. Checks in the contract's order: key, disabled, exp, iat, signature. */
const struct access_key *token_verify(const struct access_key *keys, size_t n, const char *token, int64_t now,
                                      struct error *e);

/* What is in a token that token_verify() took; 'signature' points into it. */
struct token_claims {
    int64_t iat, exp; /* unix seconds */
    bool own;         /* token_sign_own() made it */
    const char *signature;
};
bool token_claims(const struct access_key *key, const char *token, struct token_claims *ret);

/* Fills *e with a refusal as a peer is told it; returns −EACCES. */
int token_denied(struct error *e, const char *fmt, ...) _printf_(2, 3);

/* The unix second at which a token was made, by its own word, unverified; −1 when it says nothing. To tell a
 * clock that is off. */
int64_t token_made_at(const char *token);
