/* Tests tokens: the contract's vector, the order of checks, and tokens that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/basic/cleanup.h"
#include "lib/inapi/token.h"

#define NOW    INT64_C(1795468000)
#define UUID   "11111111-2222-3333-4444-555555555555"
#define SECRET "SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS"
#define HEADER "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxMjM0NTY3ODlhYmNkZWYifQ"
#define CLAIMS                                                                                               \
    "eyJpYXQiOjE3OTU0NjgwMDAsImV4cCI6MTc5NTQ2ODA2MCwic3RhdGUiOiIxMTExMTExMS0yMjIyLTMzMzMtNDQ0NC01NTU1NTU1NT" \
    "U1NTUifQ"
#define MAC    "lM-hzXstWDEzhPRlxgvSMUuPPnqL6SOEzbDtKRya4Aw"
#define FAILED "authentication failed: rpc error: code = Unauthenticated desc = "

static struct access_key key(void)
{
    struct error e = ERROR_INIT;
    struct access_key k = {.id = NULL};
    assert_int_equal(access_key_parse("ak_0123456789abcdef_" SECRET, &k, &e), 0);
    return k;
}

static void test_the_vector_is_signed_and_verified(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct access_key k = key();
    _cleanup_free_ char *token = token_sign(&k, NOW, UUID);
    assert_string_equal(token, HEADER "." CLAIMS "." MAC);
    assert_ptr_equal(token_verify(&k, 1, token, NOW, &e), &k);
    assert_ptr_equal(token_verify(&k, 1, token, NOW + 59, &e), &k);
    assert_int_equal(token_made_at(token), NOW);
    access_key_done(&k);
}

static void refused(const struct access_key *k, const char *token, int64_t now, const char *why)
{
    struct error e = ERROR_INIT;
    assert_null(token_verify(k, 1, token, now, &e));
    _cleanup_free_ char *wanted = xasprintf("%s%s", FAILED, why);
    assert_string_equal(e.message, wanted);
}

static void test_refusals_have_the_contract_s_text(void **state)
{
    (void)state;
    struct access_key k = key(), other = key();
    static const struct {
        const char *token, *why;
        int64_t now;
    } cases[] = {
        {NULL, "authorization token is missing", NOW},
        {"", "authorization token is missing", NOW},
        {"x", "invalid access_token", NOW},
        {"..", "invalid access_token", NOW},
        {HEADER "." CLAIMS, "invalid access_token", NOW},
        {HEADER "." CLAIMS "." MAC ".", "invalid access_token", NOW},
        {HEADER "=." CLAIMS "." MAC, "invalid access_token", NOW},
        /* at 'exp' itself a token is expired */
        {HEADER "." CLAIMS "." MAC, "access-token expired", NOW + 60},
        {HEADER "." CLAIMS ".", "verify denied", NOW},
        {HEADER "." CLAIMS "." MAC "A", "verify denied", NOW},
        {HEADER "." CLAIMS ".lM-hzXstWDEzhPRlxgvSMUuPPnqL6SOEzbDtKRya4Ax", "verify denied",
         NOW}, /* unused bits are set */
        {HEADER "." CLAIMS ".mM-hzXstWDEzhPRlxgvSMUuPPnqL6SOEzbDtKRya4Aw", "verify denied", NOW},
        /* {"alg":"none","kid":"0123456789abcdef"} */
        {"eyJhbGciOiJub25lIiwia2lkIjoiMDEyMzQ1Njc4OWFiY2RlZiJ9." CLAIMS ".", "none signer", NOW},
        {"eyJhbGciOiJub25lIiwia2lkIjoiMDEyMzQ1Njc4OWFiY2RlZiJ9." CLAIMS "." MAC, "none signer", NOW},
        {"eyJhbGciOiJub25lIiwia2lkIjoiMDEyMzQ1Njc4OWFiY2RlZiJ9." CLAIMS ".", "access-token expired",
         NOW + 60},
        /* {"alg":"HS256","kid":"ffffffffffff"}: the key is checked first */
        {"eyJhbGciOiJIUzI1NiIsImtpZCI6ImZmZmZmZmZmZmZmZiJ9." CLAIMS "." MAC,
         "access-key(ffffffffffff) not found", NOW + 60},
        /* {"alg":256,"kid":"0123456789abcdef"} */
        {"eyJhbGciOjI1Niwia2lkIjoiMDEyMzQ1Njc4OWFiY2RlZiJ9." CLAIMS "." MAC, "invalid access_token", NOW},
        /* {"iat":"1795468000","exp":1795468060}, {"iat":1795468000,"exp":1795468060.5},
           {"iat":1795468000,"exp":true} */
        {HEADER ".eyJpYXQiOiIxNzk1NDY4MDAwIiwiZXhwIjoxNzk1NDY4MDYwfQ." MAC, "invalid access_token", NOW},
        {HEADER ".eyJpYXQiOjE3OTU0NjgwMDAsImV4cCI6MTc5NTQ2ODA2MC41fQ." MAC, "invalid access_token", NOW},
        {HEADER ".eyJpYXQiOjE3OTU0NjgwMDAsImV4cCI6dHJ1ZX0." MAC, "invalid access_token", NOW},
        /* [] */
        {HEADER ".W10." MAC, "invalid access_token", NOW},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        refused(&k, cases[i].token, cases[i].now, cases[i].why);

    /* The same id with another secret; a disabled key, which is reported before an expiry. */
    other.secret[0] = 'T';
    refused(&other, HEADER "." CLAIMS "." MAC, NOW, "verify denied");
    k.disabled = true;
    refused(&k, HEADER "." CLAIMS "." MAC, NOW + 60, "access-key(0123456789abcdef) is disabled");
    access_key_done(&k);
    access_key_done(&other);
}

/* Keys of the type "App": iat may differ by at most 60 s in both directions, and "jti" replaces "state". */
static void test_an_app_key_limits_iat(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct access_key k = key();
    k.app = true;
    _cleanup_free_ char *token = token_sign(&k, NOW, UUID);
    assert_non_null(token_verify(&k, 1, token, NOW, &e));
    assert_non_null(token_verify(&k, 1, token, NOW - 60, &e));
    refused(&k, token, NOW - 61, "auth-denied : iat expired");
    refused(&k, token, NOW + 61, "access-token expired");
    access_key_done(&k);
}

/* A process with the key recognises this machine's tokens; other programs cannot distinguish them. */
static void test_own_tokens_are_recognised(void **state)
{
    (void)state;
    struct error e = ERROR_INIT;
    struct access_key k = key(), other = key();
    struct token_claims claims, again;
    char uuid[UUID_SIZE];
    other.secret[0] = 'T';
    for (int i = 0; i < 1000; i++) {
        _cleanup_free_ char *token = token_sign_own(&k, NOW);
        assert_ptr_equal(token_verify(&k, 1, token, NOW, &e), &k);
        assert_true(token_claims(&k, token, &claims));
        assert_true(claims.own && claims.iat == NOW && claims.exp == NOW + 60);
        assert_string_equal(claims.signature, strrchr(token, '.') + 1);
        assert_true(token_claims(&other, token, &again) && !again.own);
        random_uuid(uuid);
        _cleanup_free_ char *foreign = token_sign(&k, NOW, uuid);
        assert_true(token_claims(&k, foreign, &claims) && !claims.own);
    }
    static const char *const states[] = {"",
                                         "x",
                                         "11111111-2222-3333-4444-555555555555",
                                         "11111111-2222-4333-8444-55555555555",
                                         "                                    ",
                                         "0x0x0x0x-0x0x-0x0x-0x0x-0x0x0x0x0x0x"};
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        _cleanup_free_ char *foreign = token_sign(&k, NOW, states[i]);
        assert_true(token_claims(&k, foreign, &claims) && !claims.own);
    }
    assert_false(token_claims(&k, "x", &claims));
    k.app = true; /* then the claim is "jti" */
    _cleanup_free_ char *token = token_sign_own(&k, NOW);
    assert_true(token_claims(&k, token, &claims) && claims.own);
    access_key_done(&k);
    access_key_done(&other);
}

static void test_keys_and_scopes_are_parsed(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "ak_",
                                      "ak_0123456789ab",
                                      "ak_0123456789ab_",
                                      "ak_0123456789ab_short",
                                      "ak_0123456789aB_0123456789abcdef",
                                      "ak_0123456789ab_0123456789abcde_",
                                      "ak_0123456789a_0123456789abcdef",
                                      "xk_0123456789ab_0123456789abcdef"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct access_key k = {.id = NULL};
        struct error e = ERROR_INIT;
        assert_true(access_key_parse(bad[i], &k, &e) < 0);
        assert_null(strstr(e.message, "0123456789abcde_"));
        assert_null(k.id);
    }
    struct access_key k = key();
    assert_false(access_key_allows(&k, "pkg:ro"));
    access_key_grant_host(&k, "0123456789ab");
    assert_true(access_key_allows(&k, "pkg:ro"));
    assert_true(access_key_allows(&k, "host:rw:0123456789ab"));
    assert_false(access_key_allows(&k, "host:rw:0123456789ac"));
    assert_false(access_key_allows(&k, "pkg:rw"));
    access_key_done(&k);

    char *all[] = {(char *)"*"}, *rw[] = {(char *)"zone:rw"};
    assert_true(access_key_allows(&(struct access_key){.scopes = all, .n_scopes = 1}, "anything"));
    assert_true(access_key_allows(&(struct access_key){.scopes = rw, .n_scopes = 1}, "zone:ro"));
    assert_false(access_key_allows(&(struct access_key){.scopes = rw, .n_scopes = 1}, "zonX:ro"));
}

static void test_new_ids_and_secrets_are_valid(void **state)
{
    (void)state;
    char id[HOST_ID_SIZE], secret[ACCESS_SECRET_SIZE];
    host_id_make(id);
    access_secret_make(secret);
    assert_true(host_id_valid(id));
    assert_false(host_id_valid("0123456789a"));
    assert_false(host_id_valid("0123456789abcdef0"));
    assert_false(host_id_valid("0123456789AB"));
    _cleanup_free_ char *text = xasprintf("ak_%s_%s", id, secret);
    struct access_key k = {.id = NULL};
    struct error e = ERROR_INIT;
    assert_int_equal(access_key_parse(text, &k, &e), 0);
    assert_string_equal(k.id, id);
    access_key_done(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vector_is_signed_and_verified),
        cmocka_unit_test(test_refusals_have_the_contract_s_text),
        cmocka_unit_test(test_an_app_key_limits_iat),
        cmocka_unit_test(test_keys_and_scopes_are_parsed),
        cmocka_unit_test(test_new_ids_and_secrets_are_valid),
        cmocka_unit_test(test_own_tokens_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
