/* Fuzzes tokens: whatever comes, nothing passes that our key did not sign, and refusals have their words. The
 * words of headers besides. */
#include "lib/inapi/token.h"
#include "fuzz.h"
#include "lib/grpc/wire.h"

#define NOW 1795468000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct access_key key;
    static char *right;
    struct error e = ERROR_INIT;
    char *text = text_of(data, size);
    uint64_t usec;
    if (!key.id) {
        must(access_key_parse("ak_0123456789abcdef_SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS", &key,
                              &e) == 0);
        right = token_sign(&key, NOW, "11111111-2222-3333-4444-555555555555");
    }
    if (token_verify(&key, 1, text, NOW, &e))
        must(strcmp(text, right) == 0);
    else
        must(strncmp(e.message, "authentication failed: rpc error: code = Unauthenticated desc = ", 64) == 0);
    (void)token_made_at(text);
    struct token_claims claims;
    if (token_claims(&key, text, &claims) && claims.own)
        abort(); /* none but us can make one */

    char *encoded = grpc_message_encode(text), *decoded = grpc_message_decode(encoded, strlen(encoded)),
         *raw = grpc_message_decode((const char *)data, size);
    must(strlen(decoded) == strlen(text));
    must(utf8_check((uint8_t *)decoded, strlen(decoded), false));
    must(strlen(raw) <= size);
    if (grpc_timeout_parse((const char *)data, size, &usec) == 0)
        must(size <= 9 && usec <= UINT64_C(99999999) * 3600 * 1000000);
    free(text);
    free(encoded);
    free(decoded);
    free(raw);
    return 0;
}
