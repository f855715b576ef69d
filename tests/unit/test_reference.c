/* Tests references to images: their parts, and the sentences for what is none. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/app/check.h"
#include "lib/app/reference.h"

#define HEX  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define C10  "abcdefghij"
#define C100 C10 C10 C10 C10 C10 C10 C10 C10 C10 C10

static void references_are_parsed_as_docker_does(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } cases[] = {
        {"nginx", "docker.io/library/nginx:latest"},
        {"nginx:1.25", "docker.io/library/nginx:1.25"},
        {"nginx:V1_2.3-x", "docker.io/library/nginx:V1_2.3-x"},
        {"docker.io/nginx", "docker.io/library/nginx:latest"},
        {"index.docker.io/library/nginx", "docker.io/library/nginx:latest"},
        {"user/app:v1", "docker.io/user/app:v1"},
        {"localhost/app", "localhost/app:latest"},
        {"localhost:5000/a/b/c:t", "localhost:5000/a/b/c:t"},
        {"127.0.0.1:5000/app", "127.0.0.1:5000/app:latest"},
        {"[::1]:5000/app", "[::1]:5000/app:latest"},
        {"[fd00::7]/app", "[fd00::7]/app:latest"},
        {"registry.example/x@sha256:" HEX, "registry.example/x@sha256:" HEX},
        {"nginx:1.25@sha256:" HEX, "docker.io/library/nginx@sha256:" HEX},
        {"sha256:" HEX, "sha256:" HEX},
        {HEX, "sha256:" HEX},
        {"a__b/c-d.e---f", "docker.io/a__b/c-d.e---f:latest"},
        {"missing/thing:1", "docker.io/missing/thing:1"},
        {"x:" C100, "docker.io/library/x:" C100},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        _cleanup_image_reference_ struct image_reference *r = NULL;
        if (image_reference_parse(cases[i].text, &r, &e) < 0)
            fail_msg("%s", e.message);
        _cleanup_free_ char *canonical = image_reference_canonical(r);
        assert_string_equal(canonical, cases[i].canonical);
    }
}

/* The texts of each row are refused by the parser, and in a manifest with its sentence. */
static void what_is_no_reference_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"docker://x", "it has no scheme: write 'x'"},
        {"docker://MyImage:1", "it has no scheme: write 'MyImage:1'"},
        {"http://x/y", "it has no scheme: write 'x/y'"},
        {"https://r.example/y:1", "it has no scheme: write 'r.example/y:1'"},
        {"oci-archive:x.tar", NULL}, /* accepted: the name oci-archive with the tag x.tar */
        {"docker:x:1", "'x:1' is no tag"},
        {"MyImage:1", "'MyImage' is no name"},
        {"team/Web", "'team/Web' is no name"},
        {"r.example/Web", "'Web' is no name"},
        {"a:b:c", "'b:c' is no tag"},
        {"nginx:", "'' is no tag"},
        {"nginx:-x", "'-x' is no tag"},
        {"nginx:.x", "'.x' is no tag"},
        {"nginx:1/x", NULL}, /* accepted: the registry nginx:1 */
        {"x:" C100 C10 C10 C10, "is no tag"},
        {"x//y", "'x//y' is no name"},
        {"r.example//y", "'/y' is no name"},
        {"/a", "'/a' is no name"},
        {"a/", "'a/' is no name"},
        {"../containers/x", "'..' is no registry"},
        {"a..b", "'a..b' is no name"},
        {"a..b/c", "'a..b' is no registry"},
        {"a___b", "'a___b' is no name"},
        {"a.-b", "'a.-b' is no name"},
        {"_a", "'_a' is no name"},
        {"-a.b/c", "'-a.b' is no registry"},
        {"a-.b/c", "'a-.b' is no registry"},
        {"registry:port/x", "'registry:port' is no registry"},
        {"registry:0/x", "'registry:0' is no registry"},
        {"registry:65536/x", "'registry:65536' is no registry"},
        {"[::1:5000/x", "is no registry"},
        {"[]:5000/x", "'[]:5000' is no registry"},
        {"[:::]:5000/x", "'[:::]:5000' is no registry"},
        {"n@sha256:abc", "a digest is 'sha256:' and 64 of 0-9 and a-f"},
        {"n@sha256:" HEX "0", "a digest is"},
        {"n@md5:0123", "a digest is"},
        {"n@", "a digest is"},
        {"n@sha256:" HEX "@sha256:" HEX, "a digest is"},
        {"@sha256:" HEX, "'' is no name"},
        {"sha256:" HEX "0", NULL}, /* accepted: the name sha256 with a tag */
        {"a?b", "'a?b' is no name"},
        {"a b", "'a b' is no name"},
        {" a", "' a' is no name"},
        {"a\n", "is no name"},
        {"x/json?y=z", "'x/json?y=z' is no name"},
        {"ä", "is no name"},
        {C100 C100 C10 C10 C10 C10 C10 C10, "registry and name have more than 255 bytes"},
        {C100 C100 C100 C100 C100 C10 C10, "it is longer than 512 bytes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        _cleanup_image_reference_ struct image_reference *r = NULL;
        struct app_spec spec = {.image = (char *)cases[i].text};
        int x = image_reference_parse(cases[i].text, &r, &e);
        if ((x == 0) != !cases[i].reason || (x < 0 && !strstr(e.message, cases[i].reason)))
            fail_msg("'%s' gives %d: %s", cases[i].text, x, e.message);
        assert_int_equal(check_image(&spec, NULL), x);
        if (x < 0)
            assert_int_equal(e.class, ERROR_REFUSED);
    }
    struct error e = ERROR_INIT;
    struct app_spec spec = {.image = (char *)"docker://x"};
    assert_int_equal(check_image(&spec, &e), -EINVAL);
    assert_string_equal(e.message,
                        "/app/spec/image: 'docker://x' is no reference of an image (NAME, NAME:TAG "
                        "or NAME@DIGEST): it has no scheme: write 'x'");
}

static void an_image_by_its_id_cannot_be_pulled(void **state)
{
    (void)state;
    static const struct {
        const char *image;
        int pull;
        bool accepted;
    } cases[] = {
        {"sha256:" HEX, APP_PULL_ALWAYS, false},      {HEX, APP_PULL_ALWAYS, false},
        {"sha256:" HEX, APP_PULL_MISSING, true},      {"sha256:" HEX, APP_PULL_NEVER, true},
        {"nginx@sha256:" HEX, APP_PULL_ALWAYS, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error e = ERROR_INIT;
        struct app_spec spec = {.name = (char *)"web", .image = (char *)cases[i].image};
        struct app_instance app = {.spec = &spec};
        struct app_options options = {.pull = cases[i].pull};
        int r = app_check(&(struct app_manifest){&app, &options}, &e);
        if ((r == 0) != cases[i].accepted || (r < 0 && !strstr(e.message, "/hostlet/pull: 'always' needs")))
            fail_msg("'%s' gives %d: %s", cases[i].image, r, e.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_parsed_as_docker_does),
        cmocka_unit_test(what_is_no_reference_is_refused_with_the_reason),
        cmocka_unit_test(an_image_by_its_id_cannot_be_pulled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
