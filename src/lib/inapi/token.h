/* Signs and verifies the zone's tokens: the metadata "x-inauth2" of every call, signed with an access key
 * by HMAC. InnerStack v2 contract, section 1. */
#pragma once

#include "lib/basic/error.h"

#define INAPI_TOKEN_METADATA "x-inauth2"
#define INAPI_TOKEN_LIFE     60 /* seconds */

struct access_key {
    char *id, *secret;
    bool disabled;
    bool app;      /* a key of type "App": a token's iat may differ by at most 60 s */
    char **scopes; /* "host:rw:ID", "pkg:ro", "*" */
    size_t n_scopes;
};

/* Parses the exported form, "ak_ID_SECRET", into the zeroed '*ret'. No error message contains the secret. */
int access_key_parse(const char *text, struct access_key *ret, struct error *e);
/* Grants the scopes of a host's own key: everything of this host, and reading packages. */
void access_key_grant_host(struct access_key *key, const char *host_id);
void access_key_done(struct access_key *key);

/* Reports whether a key has a scope. "*" includes every scope; a scope that ends in ":rw" includes the one
 * that ends in ":ro". */
bool access_key_allows(const struct access_key *key, const char *scope);

/* host_id_valid() reports whether 'id' is a host id: 12 to 16 lower-case hex digits. host_id_make()
 * creates one: the first half of the unix time's hex digits, then random digits. */
bool host_id_valid(const char *id);
#define HOST_ID_SIZE 13
void host_id_make(char ret[HOST_ID_SIZE]);
/* Creates a secret of 48 letters and digits with a final NUL. */
#define ACCESS_SECRET_SIZE 49
void access_secret_make(char ret[ACCESS_SECRET_SIZE]);

/* Returns a token issued at 'now' (unix seconds); 'state' is a UUID. The caller frees it. */
char *token_sign(const struct access_key *key, int64_t now, const char *state);
/* Returns a token for a call that this machine makes. Its state is a mark that every process with the key
 * recognises (token_claims()) and that other programs cannot distinguish from a UUID. The caller frees it. */
char *token_sign_own(const struct access_key *key, int64_t now);

/* Returns the key, of 'n' keys, that signed 'token' (NULL: the call had none), verified at unix second
 * 'now'. Otherwise returns NULL and sets *e to the exact text that the peer receives. Checks in the
 * contract's order: key, disabled, exp, iat, signature. */
const struct access_key *token_verify(const struct access_key *keys, size_t n, const char *token, int64_t now,
                                      struct error *e);

/* The claims of a token that token_verify() has accepted; 'signature' points into it. */
struct token_claims {
    int64_t iat, exp; /* unix seconds */
    bool own;         /* token_sign_own() made it */
    const char *signature;
};
bool token_claims(const struct access_key *key, const char *token, struct token_claims *ret);

/* Sets *e to a refusal in the form that a peer receives; returns −EACCES. */
int token_denied(struct error *e, const char *fmt, ...) _printf_(2, 3);

/* Returns the unix second at which a token was issued, according to its unverified claim; −1 if it is not
 * readable. Used to detect a wrong clock. */
int64_t token_made_at(const char *token);
