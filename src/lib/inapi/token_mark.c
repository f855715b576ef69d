/* Implements token_mark.h. */
#include "lib/inapi/token_mark.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>

#define HALF 8 /* bytes; half of a UUID */

static void complete(const struct access_key *key, const uint8_t first[HALF], char ret[UUID_SIZE])
{
    /* No signed text of a token begins with these words. */
    static const char purpose[] = "hostlet: a call of the host itself";
    uint8_t uuid[2 * HALF], text[sizeof purpose + HALF], mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    memcpy(uuid, first, HALF);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    memcpy(text, purpose, sizeof purpose);
    memcpy(text + sizeof purpose, uuid, HALF);
    if (!HMAC(EVP_sha256(), key->secret, (int)strlen(key->secret), text, sizeof text, mac, &n))
        abort();
    memcpy(uuid + HALF, mac, HALF);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    uuid_format(uuid, ret);
}

void token_mark_make(const struct access_key *key, char ret[UUID_SIZE])
{
    uint8_t first[HALF];
    random_bytes(first, sizeof first);
    complete(key, first, ret);
}

bool token_mark_is(const struct access_key *key, const char *state)
{
    uint8_t first[HALF];
    char again[UUID_SIZE];
    if (!state || strlen(state) != UUID_SIZE - 1 ||
        sscanf(state, "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-", &first[0], &first[1], &first[2],
               &first[3], &first[4], &first[5], &first[6], &first[7]) != HALF)
        return false;
    complete(key, first, again);
    return CRYPTO_memcmp(again, state, UUID_SIZE - 1) == 0;
}
