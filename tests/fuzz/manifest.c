/* Fuzzes what reads manifests: TOML and JSON, the schema codec, the checks and the normal form.
 *
 * What is accepted must survive a round trip through its JSON, and its normal form must be one. */
#include <stdlib.h>

#include "fuzz.h"
#include "lib/app/check.h"
#include "lib/app/normalise.h"
#include "lib/manifest/manifest.h"
#include "lib/schema/object.h"
#include "lib/schema/pack.h"
#include "lib/schema/parse.h"

static void check_round_trip(const struct app_manifest *manifest)
{
    struct app_manifest again = {.app = NULL};
    struct error e = ERROR_INIT;
    size_t size;
    char *text = schema_pack_text(&app_manifest_schema, manifest, &size);
    must(schema_parse_text(&app_manifest_schema, text, size, SCHEMA_STRICT, "the same", &again, &e) == 0);
    must(schema_equal(&app_manifest_schema, manifest, &again));
    free(text);
    schema_done(&app_manifest_schema, &again);
}

static void check_normal_form(const struct app_manifest *manifest)
{
    struct app_manifest again = {.app = NULL};
    struct error e = ERROR_INIT;
    schema_copy(&app_manifest_schema, manifest, &again);
    must(app_check(&again, &e) == 0);
    must(app_normalise(&again, &e) == 0);
    must(schema_equal(&app_manifest_schema, manifest, &again));
    must(app_same_revision(manifest, &again));
    schema_done(&app_manifest_schema, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct app_manifest manifest = {.app = NULL};
    struct error e = ERROR_INIT;
    char *text = text_of(data, size);
    if (manifest_parse(text, size, "input", &manifest, &e) == 0) {
        check_normal_form(&manifest);
        check_round_trip(&manifest);
        schema_done(&app_manifest_schema, &manifest);
    } else {
        must(e.errnum != 0 && *e.message);
    }
    /* What comes over the wire was not normalised by anybody. */
    e = (struct error)ERROR_INIT;
    if (schema_parse_text(&app_manifest_schema, text, size, 0, "input", &manifest, &e) == 0) {
        check_round_trip(&manifest);
        if (app_check(&manifest, &e) == 0 && app_normalise(&manifest, &e) == 0)
            check_normal_form(&manifest);
        schema_done(&app_manifest_schema, &manifest);
    }
    free(text);
    return 0;
}
